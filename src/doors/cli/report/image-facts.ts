import { looksSecret, messageOf, type Wait, withoutSecrets } from '../../../base/index.ts';
import type { Digest } from '../../../blob/index.ts';
import type { Engine, ImageDetails } from '../../../engine/index.ts';
import type { BuildHost } from '../../../worker/index.ts';
import { jsonOf, listOf, objectOf, textOf } from './json.ts';
import type { ImageFacts, ReportLayer, ReportProcess, ReportStep } from './report-data.ts';
import { readComponents } from './sbom-components.ts';

/** What is in an image of the store, and which steps made its layers. Undefined for one that is not there. */
export async function imageFacts(
  id: Digest,
  o: {
    readonly engine: Pick<Engine, 'images' | 'workshop'>;
    readonly host: Pick<BuildHost, 'credentials'>;
    readonly steps: readonly ReportStep[];
  } & Wait,
): Promise<ImageFacts | undefined> {
  let details: ImageDetails;
  try {
    details = await o.engine.images.inspect(id, o);
  } catch {
    return undefined;
  }
  const { config = {} } = details.config;
  const labels = Object.entries(config.Labels ?? {}).sort(([a], [b]) => (a < b ? -1 : 1));
  const build = jsonOf(config.Labels?.['io.buildpacks.build.metadata']);
  const sbom = objectOf(objectOf(jsonOf(config.Labels?.['io.buildpacks.lifecycle.metadata']))['sbom'])['sha'];
  const facts = {
    names: details.names.filter((name) => !name.includes('@')),
    size: details.size,
    layers: layersOf(details, o.steps),
    config: configOf(config),
    labels,
    processes: processesOf(build, config.Entrypoint ?? []),
    buildpacks: listOf(objectOf(build)['buildpacks']).map((entry) => ({
      id: textOf(entry['id']),
      version: textOf(entry['version']),
    })),
  };
  if (typeof sbom !== 'string' || sbom === '') return { ...facts, components: [] };
  try {
    return { ...facts, components: await readComponents(id, { ...o, sbom }) };
  } catch (error) {
    return { ...facts, components: [], sbomProblem: messageOf(error) };
  }
}

function layersOf({ config, layers }: ImageDetails, steps: readonly ReportStep[]): ReportLayer[] {
  const history = (config.history ?? []).filter((entry) => entry.empty_layer !== true);
  const makers = new Map<string, number>();
  for (const { name, number } of steps) {
    const key = instructionKey(name.replace(/^\[[^\]]*\] /, ''));
    if (key !== '') makers.set(key, number);
  }
  const ofBuildpacks = new Map(
    steps.flatMap(({ name, number }) => {
      const [, id] = /^\[build\] (\S+)$/.exec(name) ?? [];
      return id === undefined ? [] : [[id, number] as const];
    }),
  );
  const offset = history.length - layers.length;
  const found = layers.map(({ diffId, size }, at) => {
    const by = withoutSecrets(history[at + offset]?.created_by ?? '').replace(/ # buildkit$/, '');
    const [, buildpack] = /Created by buildpack: (\S+)$/.exec(by) ?? [];
    const step = buildpack === undefined ? makers.get(instructionKey(by)) : ofBuildpacks.get(buildpack);
    return { diffId, size, createdBy: by, step, isOwn: step !== undefined || OF_EXPORT.test(by) };
  });
  const first = found.findIndex(({ isOwn }) => isOwn);
  return found.map(({ diffId, size, createdBy, step }, at) => ({
    diffId,
    size,
    createdBy,
    step,
    base: first < 0 || at < first,
  }));
}

/** What the history of an app image says of layers that no buildpack made. */
const OF_EXPORT = /^(?:Application |Buildpacks |Software Bill|Layer: )/;

/** What history and a step's name have in common of an instruction: without the shell, the mark, flags, quotes and spaces. */
function instructionKey(text: string): string {
  return text
    .replace(/ # buildkit$/, '')
    .replace(/^RUN (?:\|\d+ .*?)?\/bin\/sh -c /, 'RUN ')
    .replaceAll(/["',[\]]+/g, ' ')
    .replaceAll(/ --[a-z]+(?:=\S+)?/g, '')
    .replaceAll(/\s+/g, '');
}

type Config = NonNullable<ImageDetails['config']['config']>;

function configOf(config: Config): [string, string][] {
  const words = (list: readonly string[] | null | undefined): string | undefined =>
    list && list.length > 0 ? JSON.stringify(list) : undefined;
  const keys = (map: object | null | undefined): string | undefined => (map ? Object.keys(map).join(', ') : undefined);
  const rows: [string, string | undefined][] = [
    ['Entrypoint', words(config.Entrypoint)],
    ['Cmd', words(config.Cmd)],
    ['User', config.User],
    ['WorkingDir', config.WorkingDir],
    ['ExposedPorts', keys(config.ExposedPorts)],
    ['Volumes', keys(config.Volumes)],
    ['StopSignal', config.StopSignal],
    ...(config.Env ?? []).map((text): [string, string] => [`Env ${nameOf(text)}`, shownValue(text)]),
  ];
  return rows.filter((row): row is [string, string] => row[1] !== undefined && row[1] !== '');
}

const nameOf = (variable: string): string => variable.split('=')[0] ?? '';

function shownValue(variable: string): string {
  const name = nameOf(variable);
  const value = variable.slice(name.length + 1);
  return looksSecret(name, value) ? '(not shown)' : value;
}

function processesOf(build: unknown, entrypoint: readonly string[]): ReportProcess[] {
  const [, byDefault] = /^\/cnb\/process\/(.+)$/.exec(entrypoint[0] ?? '') ?? [];
  return listOf(objectOf(build)['processes']).map((entry) => {
    const list = (value: unknown): string[] =>
      Array.isArray(value) ? value.map(textOf) : value === undefined || value === null ? [] : [textOf(value)];
    const type = textOf(entry['type']);
    return {
      type,
      command: [...list(entry['command']), ...list(entry['args'])].map(shellWord).join(' '),
      isDefault: type === byDefault,
      buildpack: textOf(entry['buildpackID']),
    };
  });
}

function shellWord(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : JSON.stringify(word);
}
