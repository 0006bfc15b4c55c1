import { encodeToml, TomlText } from '../../../base/index.ts';
import { goJson, type GoValue } from '../../../image/index.ts';
import { apiAtLeast } from './api.ts';
import { readExecEnv } from './exec-env.ts';
import { elementTable, readElement } from './group.ts';
import { readRequirement, requirementTable } from './plan.ts';
import { jsonData, struct } from './sorted-table.ts';
import { TomlTable } from './toml-table.ts';
import type { ApiVersion, BomEntry, BuildMetadata, Process } from './types.ts';

/**
 * metadata.toml, as the builder leaves it to the exporter and the launcher (platform.md). `command` may be a text or a list, whatever the Platform API.
 * Throws CNB_FILE_INVALID, INVALID_TOML.
 */
export function parseBuildMetadata(text: string, file: string): BuildMetadata {
  const top = TomlTable.parse(text, file);
  return {
    buildpacks: top.tables('buildpacks').map((table) => readElement(table, 'buildpack', { partial: true })),
    extensions: top.tables('extensions').map((table) => readElement(table, 'extension', { partial: true })),
    processes: top.tables('processes').map(readProcess),
    slices: top.tables('slices').map((slice) => ({ paths: slice.list('paths') })),
    labels: top.tables('labels').map((label) => ({ key: label.need('key'), value: label.text('value') ?? '' })),
    defaultProcess: top.text('buildpack-default-process-type') || undefined,
    bom: top.has('bom')
      ? top.tables('bom').map((entry) => ({
          ...readRequirement(entry),
          buildpack: {
            id: entry.table('buildpack').text('id') ?? '',
            version: entry.table('buildpack').text('version') ?? '',
          },
        }))
      : undefined,
  };
}

function readProcess(table: TomlTable): Process {
  const command = table.raw('command');
  return {
    type: table.need('type'),
    command: typeof command === 'string' ? [command] : table.list('command'),
    args: table.list('args'),
    direct: table.flag('direct'),
    isDefault: table.flag('default'),
    workingDir: table.text('working-dir') ?? '',
    buildpackId: table.text('buildpack-id') ?? '',
    execEnv: readExecEnv(table),
  };
}

/** metadata.toml, byte for byte as the lifecycle writes it: it lies in a layer of the app image. Before Platform API 0.10 `command` is one text. */
export function encodeBuildMetadata(metadata: BuildMetadata, api: ApiVersion): string {
  return encodeToml({
    bom: apiAtLeast(api, '0.9') || !metadata.bom?.length ? undefined : metadata.bom.map(bomTable),
    buildpacks: metadata.buildpacks.map(elementTable),
    extensions: metadata.extensions.length === 0 ? undefined : metadata.extensions.map(elementTable),
    labels: metadata.labels.length === 0 ? undefined : metadata.labels.map(({ key, value }) => ({ key, value })),
    processes: metadata.processes.map((given) => {
      const process = processFor(given, api);
      return {
        type: process.type,
        command: new TomlText(
          apiAtLeast(api, '0.10')
            ? `[${process.command.map((word) => goJson(word)).join(', ')}]`
            : goJson(process.command[0] ?? ''),
        ),
        args: process.args.length === 0 ? undefined : process.args,
        direct: process.direct,
        'buildpack-id': process.buildpackId,
        'working-dir': process.workingDir || undefined,
        'exec-env': process.execEnv.length === 0 ? undefined : process.execEnv,
      };
    }),
    slices: metadata.slices.length === 0 ? undefined : metadata.slices.map(({ paths }) => ({ paths })),
    'buildpack-default-process-type': metadata.defaultProcess,
  });
}

/** sbom.legacy.json: the deprecated bill of materials, as the lifecycle writes it; `null` where there is none. */
export const encodeLegacyBom = (bom: readonly BomEntry[]): string =>
  `${bom.length === 0 ? 'null' : goJson(bom.map(bomJson))}\n`;

/** A launcher of Platform API < 0.10 knows one word of command: the others go before the arguments. */
export function processFor(process: Process, api: ApiVersion): Process {
  if (apiAtLeast(api, '0.10') || process.command.length <= 1) return process;
  return { ...process, command: process.command.slice(0, 1), args: [...process.command.slice(1), ...process.args] };
}

export const bomJson = (entry: BomEntry): GoValue =>
  struct({
    name: entry.name,
    metadata: Object.keys(entry.metadata).length === 0 ? null : jsonData(entry.metadata),
    buildpack: struct({ id: entry.buildpack.id, version: entry.buildpack.version }),
  });

const bomTable = (entry: BomEntry): Record<string, unknown> => ({
  ...requirementTable(entry),
  buildpack: { id: entry.buildpack.id, version: entry.buildpack.version },
});
