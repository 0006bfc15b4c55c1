import { goJson, type GoValue } from '../../../image/index.ts';
import { apiAtLeast, parseApi } from './api.ts';
import { bomJson, processFor } from './build-metadata.ts';
import { flagOf, jsonObject, objectOf, textOf, textsOf } from './loose.ts';
import { struct } from './sorted-table.ts';
import type { ApiVersion, BuildMetadata, GroupElement, ModuleKind, Process, Table } from './types.ts';

/** What the launcher is; the label says so. */
export interface LauncherInfo {
  readonly version: string;
  readonly repository: string;
  readonly commit: string;
}

/** The label `io.buildpacks.build.metadata`. `api` of a buildpack is in the specification only, not in what the lifecycle writes. */
export function encodeBuildMetadataLabel(
  metadata: BuildMetadata,
  o: { api: ApiVersion; launcher: LauncherInfo },
): string {
  const list = (items: readonly GoValue[]): GoValue => (items.length === 0 ? null : items);
  const { version, repository, commit } = o.launcher;
  return goJson(
    new Map<string, GoValue | undefined>([
      ['bom', apiAtLeast(o.api, '0.9') ? undefined : list((metadata.bom ?? []).map(bomJson))],
      ['buildpacks', metadata.buildpacks.map(elementJson)],
      ['extensions', metadata.extensions.length === 0 ? undefined : metadata.extensions.map(elementJson)],
      ['launcher', struct({ version, source: struct({ git: struct({ repository, commit }) }) })],
      ['processes', metadata.processes.map((process) => processJson(processFor(process, o.api), o.api))],
      ['buildpack-default-process-type', metadata.defaultProcess],
    ]),
  );
}

const elementJson = (element: GroupElement): GoValue =>
  struct({
    id: element.id,
    version: element.version,
    homepage: element.homepage || undefined,
    api: element.api || undefined,
  });

const processJson = (process: Process, api: ApiVersion): GoValue =>
  struct({
    type: process.type,
    command: apiAtLeast(api, '0.10') ? process.command : (process.command[0] ?? ''),
    args: process.args.length === 0 ? null : process.args,
    direct: process.direct,
    buildpackID: process.buildpackId,
    'working-dir': process.workingDir || undefined,
    'exec-env': process.execEnv.length === 0 ? undefined : process.execEnv,
  });

/** What the label says of an image. */
export interface BuildMetadataLabel extends Pick<
  BuildMetadata,
  'buildpacks' | 'extensions' | 'processes' | 'defaultProcess'
> {
  readonly launcher: LauncherInfo;
}

/** The label of an image, as far as it goes (an API that is not said is empty), or undefined where it is no such JSON. */
export function parseBuildMetadataLabel(text: string): BuildMetadataLabel | undefined {
  const top = jsonObject(text);
  if (top === undefined) return undefined;
  const launcher = objectOf(top['launcher']);
  const git = objectOf(objectOf(launcher?.['source'])?.['git']);
  return {
    buildpacks: tablesOf(top['buildpacks']).map((table) => elementOf(table, 'buildpack')),
    extensions: tablesOf(top['extensions']).map((table) => elementOf(table, 'extension')),
    processes: tablesOf(top['processes']).map(processOf),
    defaultProcess: textOf(top['buildpack-default-process-type']) || undefined,
    launcher: {
      version: textOf(launcher?.['version']),
      repository: textOf(git?.['repository']),
      commit: textOf(git?.['commit']),
    },
  };
}

const tablesOf = (value: unknown): readonly Table[] =>
  Array.isArray(value) ? value.map(objectOf).filter((item) => item !== undefined) : [];

const elementOf = (table: Table, kind: ModuleKind): GroupElement => ({
  kind,
  id: textOf(table['id']),
  version: textOf(table['version']),
  api: parseApi(textOf(table['api'])) ?? '',
  homepage: textOf(table['homepage']) || undefined,
});

const processOf = (table: Table): Process => ({
  type: textOf(table['type']),
  command: typeof table['command'] === 'string' ? [table['command']] : textsOf(table['command']),
  args: textsOf(table['args']),
  direct: flagOf(table['direct']),
  isDefault: flagOf(table['default']),
  workingDir: textOf(table['working-dir']),
  buildpackId: textOf(table['buildpackID']),
  execEnv: textsOf(table['exec-env']),
});
