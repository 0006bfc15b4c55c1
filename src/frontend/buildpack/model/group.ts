import { encodeToml } from '../../../base/index.ts';
import { parseApi } from './api.ts';
import { TomlTable } from './toml-table.ts';
import type { GroupElement, ModuleKind } from './types.ts';

/** group.toml: what was detected. */
export interface DetectedGroup {
  readonly group: readonly GroupElement[];
  readonly extensions: readonly GroupElement[];
}

/** group.toml (platform.md). Throws CNB_FILE_INVALID, INVALID_TOML. */
export function parseGroup(text: string, file: string): DetectedGroup {
  const top = TomlTable.parse(text, file);
  return {
    group: top.tables('group').map((table) => readElement(table, 'buildpack')),
    extensions: top.tables('group-extensions').map((table) => readElement(table, 'extension')),
  };
}

export function encodeGroup(group: DetectedGroup): string {
  return encodeToml({
    group: group.group.map(elementTable),
    'group-extensions': group.extensions.length === 0 ? undefined : group.extensions.map(elementTable),
  });
}

/** An element; `partial`: version and API may be missing, as in metadata.toml of some builders, and are then empty. */
export function readElement(table: TomlTable, kind: ModuleKind, o: { partial?: boolean } = {}): GroupElement {
  const text = (key: string): string => (o.partial ? (table.text(key) ?? '') : table.need(key));
  const given = text('api');
  const api = given === '' ? '' : parseApi(given);
  if (api === undefined) throw table.fail('api', `is "${given}", which is no version`);
  return { kind, id: table.need('id'), version: text('version'), api, homepage: table.text('homepage') };
}

export const elementTable = (element: GroupElement): Record<string, unknown> => ({
  id: element.id,
  version: element.version,
  api: element.api || undefined,
  homepage: element.homepage || undefined,
});
