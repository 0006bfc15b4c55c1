import { encodeToml } from '../../../base/index.ts';
import { goJson, type GoValue } from '../../../image/index.ts';
import { jsonObject, objectOf, textOf } from './loose.ts';
import { jsonData, sortedTable } from './sorted-table.ts';
import { TomlTable } from './toml-table.ts';
import type { Table } from './types.ts';

/** Where the source of an app came from. */
export interface ProjectMetadata {
  readonly source?:
    | {
        readonly type?: string | undefined;
        readonly version?: Table | undefined;
        readonly metadata?: Table | undefined;
      }
    | undefined;
}

/** project-metadata.toml (platform.md). Throws CNB_FILE_INVALID, INVALID_TOML. */
export function parseProjectMetadata(text: string, file: string): ProjectMetadata {
  const top = TomlTable.parse(text, file);
  if (!top.has('source')) return {};
  const source = top.table('source');
  return {
    source: {
      type: source.text('type'),
      version: source.has('version') ? source.free('version') : undefined,
      metadata: source.has('metadata') ? source.free('metadata') : undefined,
    },
  };
}

export function encodeProjectMetadata({ source }: ProjectMetadata): string {
  return encodeToml({
    source: source && {
      type: source.type,
      version: source.version && sortedTable(source.version),
      metadata: source.metadata && sortedTable(source.metadata),
    },
  });
}

/** The label `io.buildpacks.project.metadata`; `{}` where nothing is known. */
export function encodeProjectMetadataLabel({ source }: ProjectMetadata): string {
  const free = (table: Table | undefined): GoValue | undefined =>
    table && Object.keys(table).length > 0 ? jsonData(table) : undefined;
  return goJson(
    new Map<string, GoValue | undefined>([
      [
        'source',
        source &&
          new Map<string, GoValue | undefined>([
            ['type', source.type || undefined],
            ['version', free(source.version)],
            ['metadata', free(source.metadata)],
          ]),
      ],
    ]),
  );
}

/** The label of an image; `{}` where it is no such JSON. */
export function parseProjectMetadataLabel(text: string): ProjectMetadata {
  const source = objectOf(jsonObject(text)?.['source']);
  if (source === undefined) return {};
  return {
    source: {
      type: textOf(source['type']) || undefined,
      version: objectOf(source['version']),
      metadata: objectOf(source['metadata']),
    },
  };
}
