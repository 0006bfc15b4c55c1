import { encodeToml } from '../../../base/index.ts';
import { sortedTable } from './sorted-table.ts';
import { TomlTable } from './toml-table.ts';
import type { DetectPlan, ModuleId, PlanEntry, Requirement } from './types.ts';

/** plan.toml: what was required, and who provides it (platform.md). Throws CNB_FILE_INVALID, INVALID_TOML. */
export function parsePlan(text: string, file: string): readonly PlanEntry[] {
  return TomlTable.parse(text, file)
    .tables('entries')
    .map((entry) => ({
      providers: entry.tables('providers').map((provider) => ({
        kind: provider.flag('extension') ? 'extension' : 'buildpack',
        id: provider.need('id'),
        version: provider.need('version'),
      })),
      requires: entry.tables('requires').map(readRequirement),
    }));
}

export function encodePlan(plan: readonly PlanEntry[]): string {
  return encodeToml({
    entries: plan.map((entry) => ({
      providers: entry.providers.map(({ kind, id, version }) => ({
        id,
        version,
        extension: kind === 'extension' || undefined,
      })),
      requires: entry.requires.map(requirementTable),
    })),
  });
}

/** The plan of one buildpack: what it is to provide (buildpack.md, Buildpack Plan). */
export function parseBuildpackPlan(text: string, file: string): readonly Requirement[] {
  return TomlTable.parse(text, file).tables('entries').map(readRequirement);
}

export const encodeBuildpackPlan = (entries: readonly Requirement[]): string =>
  encodeToml({ entries: entries.length === 0 ? undefined : entries.map(requirementTable) });

/**
 * What a `bin/detect` wrote (buildpack.md, Build Plan). A requirement with a top-level `version` is refused, and so is an extension that requires anything.
 */
export function parseDetectPlan(text: string, o: { module: ModuleId; file: string }): DetectPlan {
  const top = TomlTable.parse(text, o.file);
  return [top, ...top.tables('or')].map((section) => ({
    provides: section.tables('provides').map((table) => table.need('name')),
    requires: section.tables('requires').map((table) => {
      if (o.module.kind === 'extension')
        throw table.fail('name', 'is required by an extension, which may only provide');
      if (table.has('version')) throw table.fail('version', 'is not supported', 'Write "metadata.version" instead.');
      return readRequirement(table);
    }),
  }));
}

export const readRequirement = (table: TomlTable): Requirement => ({
  name: table.need('name'),
  metadata: table.free('metadata'),
});

export const requirementTable = ({ name, metadata }: Requirement): Record<string, unknown> => ({
  name,
  metadata: Object.keys(metadata).length === 0 ? undefined : sortedTable(metadata),
});
