import { encodeToml } from '../../../base/index.ts';
import { apiAtLeast } from './api.ts';
import { readExecEnv } from './exec-env.ts';
import { sortedTable } from './sorted-table.ts';
import { TomlTable } from './toml-table.ts';
import type { ApiVersion, LayerToml, Table } from './types.ts';

/** What a `<layer>.toml` that is not there says. */
export const EMPTY_LAYER: LayerToml = { launch: false, build: false, cache: false, metadata: {}, execEnv: [] };

/**
 * `<layer>.toml` (buildpack.md, Layer Content Metadata). Before Buildpack API 0.6 the types stood at the top; where they stand there later it is an error, as in the lifecycle.
 * Throws CNB_FILE_INVALID with the place, INVALID_TOML.
 */
export function parseLayerToml(text: string, o: { api: ApiVersion; file: string }): LayerToml {
  const top = TomlTable.parse(text, o.file);
  const old = !apiAtLeast(o.api, '0.6');
  const stray = ['launch', 'build', 'cache'].find((key) => top.has(key));
  if (!old && stray !== undefined)
    throw top.fail(stray, 'stands at the top of the file', 'Write it in the table [types].');
  const types = old ? top : top.table('types');
  const metadata = top.table('metadata');
  return {
    launch: types.flag('launch'),
    build: types.flag('build'),
    cache: types.flag('cache'),
    metadata: top.free('metadata'),
    execEnv: Array.isArray(metadata.raw('exec-env')) ? readExecEnv(metadata) : [],
  };
}

/** `<layer>.toml` as a restored layer has it: the metadata without the types. */
export const encodeLayerToml = (metadata: Table | undefined): string =>
  encodeToml({ metadata: metadata && sortedTable(metadata) });

/** store.toml. */
export const encodeStoreToml = (metadata: Table): string => encodeToml({ metadata: sortedTable(metadata) });
