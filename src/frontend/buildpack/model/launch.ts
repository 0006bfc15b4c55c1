import { apiAtLeast } from './api.ts';
import { readExecEnv } from './exec-env.ts';
import { readRequirement } from './plan.ts';
import { TomlTable } from './toml-table.ts';
import type { BuildToml, GroupElement, LaunchToml, Process, Requirement, Table } from './types.ts';

export const EMPTY_LAUNCH: LaunchToml = { labels: [], processes: [], slices: [] };
export const EMPTY_BUILD: BuildToml = { unmet: [] };

/**
 * launch.toml of a buildpack (buildpack.md). With Buildpack API < 0.9 `command` is one text and `direct` may be said; later it is a list, and every process is direct.
 * Throws CNB_FILE_INVALID with the place (two defaults, a bad type, `direct` where it is gone), INVALID_TOML.
 */
export function parseLaunchToml(text: string, o: { buildpack: GroupElement; file: string }): LaunchToml {
  const top = TomlTable.parse(text, o.file);
  const processes = top.tables('processes').map((table) => readProcess(table, o.buildpack));
  const second = processes.flatMap(({ isDefault }, index) => (isDefault ? [index] : []))[1];
  if (second !== undefined) throw top.tables('processes')[second]!.fail('default', 'is true for a second process');
  return {
    labels: top.tables('labels').map((label) => ({ key: label.need('key'), value: label.text('value') ?? '' })),
    processes,
    slices: top.tables('slices').map((slice) => ({ paths: slice.list('paths') })),
    bom: readBom(top),
  };
}

function readProcess(table: TomlTable, buildpack: GroupElement): Process {
  const type = table.need('type');
  if (!/^[A-Za-z0-9._-]+$/.test(type) || type === '.' || type === '..')
    throw table.fail('type', `is "${type}": only letters, digits, ".", "_" and "-" may be in it`);
  const old = !apiAtLeast(buildpack.api, '0.9');
  if (!old && table.has('direct'))
    throw table.fail('direct', 'is not supported with this Buildpack API', 'Leave it out: every process is direct.');
  return {
    type,
    command: old ? [readCommandText(table)] : readCommand(table),
    args: table.list('args'),
    direct: old ? table.flag('direct') : true,
    isDefault: table.flag('default'),
    workingDir: table.text('working-dir') ?? '',
    buildpackId: buildpack.id,
    execEnv: readExecEnv(table),
  };
}

function readCommandText(table: TomlTable): string {
  const command = table.text('command');
  if (command === undefined) throw table.fail('command', 'is missing');
  return command;
}

function readCommand(table: TomlTable): readonly string[] {
  if (typeof table.raw('command') === 'string')
    throw table.fail('command', 'is a text, not a list of texts', 'Write command = ["PROGRAM", "ARGUMENT"].');
  const command = table.list('command');
  if (command.length === 0) throw table.fail('command', table.has('command') ? 'is empty' : 'is missing');
  return command;
}

/** build.toml of a buildpack: what it leaves to later ones (buildpack.md). */
export function parseBuildToml(text: string, file: string): BuildToml {
  const top = TomlTable.parse(text, file);
  return { unmet: top.tables('unmet').map((table) => table.need('name')), bom: readBom(top) };
}

function readBom(top: TomlTable): readonly Requirement[] | undefined {
  if (!top.has('bom')) return undefined;
  return top.tables('bom').map((entry) => {
    if (entry.has('version')) throw entry.fail('version', 'is not supported', 'Write "metadata.version" instead.');
    return readRequirement(entry);
  });
}

/** store.toml of a buildpack: what it keeps from one build to the next. */
export const parseStoreToml = (text: string, file: string): Table => TomlTable.parse(text, file).free('metadata');
