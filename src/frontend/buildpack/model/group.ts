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

export function readElement(table: TomlTable, kind: ModuleKind): GroupElement {
  const api = parseApi(table.need('api'));
  if (api === undefined) throw table.fail('api', `is "${table.text('api')}", which is no version`);
  return { kind, id: table.need('id'), version: table.need('version'), api, homepage: table.text('homepage') };
}

export const elementTable = (element: GroupElement): Record<string, unknown> => ({
  id: element.id,
  version: element.version,
  api: element.api,
  homepage: element.homepage || undefined,
});
