import { messageOf, parseYaml } from '../base/index.ts';
import { compareText, ValueError } from '../hcl/index.ts';
import { ComposeModel, type ComposeService } from './compose-model.ts';
import {
  attestFromText,
  cachesFromText,
  canonicalAttest,
  outputFromText,
  secretFromText,
  sshFromText,
  type Secret,
  type Ssh,
} from './entries.ts';
import { bakeError } from './errors.ts';
import { mergeInto, type Group, type Target } from './target.ts';
import { boolOf, isLocalPath, mapOf, textOf, textsOf, type Plain } from './compose-values.ts';

export interface ComposeFile {
  readonly name: string;
  readonly text: string;
}

export interface ComposeOptions {
  readonly env: ReadonlyMap<string, string>;
  /** A file's text by its path below the working folder; undefined for one that is not there. */
  readonly readText: (path: string) => string | undefined;
}

/** Reads compose files as one: each service with a `build` section is a target, all of them the group `default` (buildx, ParseCompose). Throws `BAKE_COMPOSE`, `INVALID_YAML`. */
export async function readCompose(
  files: readonly ComposeFile[],
  o: ComposeOptions,
): Promise<{ readonly groups: readonly Group[]; readonly targets: readonly Target[] }> {
  const model = new ComposeModel(o);
  for (const { name, text } of files) {
    const content = await parseYaml(text, name);
    await told(name, () => model.add(content, name));
  }
  if (model.isEmpty)
    throw bakeError('BAKE_COMPOSE', `read "${files.map(({ name }) => name).join('", "')}": there are no services`, {
      remedy: 'Write services: with a name and its build section.',
    });
  const services = await told(files.at(-1)?.name ?? '', async () => model.services());
  const targets = services.flatMap((service) => targetsOf(service, model, o));
  return { groups: [{ name: 'default', targets: targets.map(({ name }) => name) }], targets };
}

/** A value that cannot be meant, as an error that names the file. */
async function told<T>(file: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof ValueError)) throw error;
    throw bakeError('BAKE_COMPOSE', `read compose file "${file}": ${error.message}`, { cause: error });
  }
}

/** True for a text that is a compose file by its content, where its name does not say. */
export async function isCompose(text: string, o: ComposeOptions): Promise<boolean> {
  try {
    const model = new ComposeModel(o);
    await model.add(await parseYaml(text, '-'), '-');
    return !model.isEmpty;
  } catch {
    return false;
  }
}

function targetsOf(service: ComposeService, model: ComposeModel, o: ComposeOptions): readonly Target[] {
  if (service.build === undefined) return [];
  const name = service.name.replaceAll('.', '_');
  if (!/^[a-zA-Z0-9_-]+$/.test(name))
    throw bakeError(
      'BAKE_COMPOSE',
      `invalid service name "${service.name}": only letters, digits, "_" and "-" are allowed`,
    );
  try {
    return [targetOf(name, service, model, o)];
  } catch (error) {
    if (!(error instanceof ValueError)) throw error;
    throw bakeError('BAKE_COMPOSE', `read service "${service.name}": ${messageOf(error)}`, { cause: error });
  }
}

function targetOf(name: string, service: ComposeService, model: ComposeModel, o: ComposeOptions): Target {
  const build = service.build ?? {};
  const text = (key: string): string | undefined => textOf(build[key], `build.${key}`) || undefined;
  const texts = (key: string): readonly string[] | undefined => {
    const found = textsOf(build[key], `build.${key}`);
    return found.length > 0 ? found : undefined;
  };
  const tags = texts('tags');
  const args = new Map<string, string>();
  for (const [key, value] of mapOf(build['args'], 'build.args')) {
    // Without a value it is the service's, else the environment's.
    const found = value ?? service.environment.get(key) ?? o.env.get(key);
    if (found !== undefined) args.set(key, found);
  }
  const contexts = new Map(
    [...filled(build['additional_contexts'], 'build.additional_contexts')].map(
      ([key, value]) => [key, contextOf(value)] as const,
    ),
  );
  const hosts = filled(build['extra_hosts'], 'build.extra_hosts');
  const labels = filled(build['labels'], 'build.labels');
  const target: Target = {
    name,
    context: localPath(text('context')),
    contexts: contexts.size > 0 ? contexts : undefined,
    dockerfile: text('dockerfile'),
    'dockerfile-inline': text('dockerfile_inline'),
    target: text('target'),
    tags,
    labels: labels.size > 0 ? labels : undefined,
    args: args.size > 0 ? args : undefined,
    'cache-from': texts('cache_from')?.flatMap(cachesFromText),
    'cache-to': texts('cache_to')?.flatMap(cachesFromText),
    network: text('network'),
    platforms: texts('platforms'),
    ssh: sshOf(build['ssh']),
    secret: secretsOf(build['secrets'], model),
    'shm-size': shmSize(build['shm_size']),
    ulimits: ulimitsOf(build['ulimits']),
    'extra-hosts': hosts.size > 0 ? hosts : undefined,
    attest: attestsOf(build),
    'no-cache': boolOf(build['no_cache'], 'build.no_cache') || undefined,
    pull: boolOf(build['pull'], 'build.pull') || undefined,
    entitlements: texts('entitlements'),
  };
  const extension = build['x-bake'];
  if (extension !== undefined && extension !== null) extend(target, extension);
  if (target.tags === undefined && service.image !== undefined) target.tags = [service.image];
  return target;
}

function filled(value: Plain, what: string): Map<string, string> {
  return new Map([...mapOf(value, what)].map(([key, item]) => [key, item ?? ''] as const));
}

/** Paths are cleaned as compose does; addresses stay as they are. */
function localPath(path: string | undefined): string | undefined {
  if (path === undefined || !isLocalPath(path)) return path;
  const parts: string[] = [];
  for (const part of path.split('/')) {
    if (part === '' || part === '.') continue;
    if (part === '..' && parts.length > 0 && parts.at(-1) !== '..') parts.pop();
    else parts.push(part);
  }
  return parts.join('/') || '.';
}

function contextOf(value: string): string {
  const link = linkOf(value);
  return link === value ? (localPath(value) ?? '') : link;
}

/** `service:name` is the target of that service. */
function linkOf(value: string): string {
  const [, name] = /^(?:service|target):(.*)$/.exec(value) ?? [];
  return name === undefined ? value : `target:${name.replaceAll('.', '_')}`;
}

function sshOf(value: Plain): readonly Ssh[] | undefined {
  if (value === undefined || value === null) return undefined;
  const found = Array.isArray(value)
    ? textsOf(value, 'build.ssh').map(sshFromText)
    : [...mapOf(value, 'build.ssh')].map(([id, path]) => ({
        id,
        paths: path === undefined || path === '' ? [] : [path],
      }));
  return found.length === 0 ? undefined : found.sort((a, b) => compareText(a.id, b.id));
}

function secretsOf(value: Plain, model: ComposeModel): readonly Secret[] | undefined {
  if (value === undefined || value === null) return undefined;
  if (!Array.isArray(value)) throw new ValueError('build.secrets is a list');
  return (value as readonly Plain[]).map((item) => {
    const source = typeof item === 'string' ? item : textOf(mapOfPlain(item)['source'], 'source of a secret');
    if (source === undefined) throw new ValueError('a secret of build.secrets has no source');
    const declared = model.secret(source);
    if (declared === undefined) throw new ValueError(`secret "${source}" is not declared under secrets`);
    if (boolOf(declared['external'], 'external')) throw new ValueError(`unsupported external secret ${source}`);
    return {
      id: source,
      src: localPath(textOf(declared['file'], 'file')) ?? '',
      env: textOf(declared['environment'], 'environment') ?? '',
    };
  });
}

function mapOfPlain(value: Plain): Readonly<Record<string, Plain>> {
  if (typeof value === 'object' && value !== null && !Array.isArray(value))
    return value as Readonly<Record<string, Plain>>;
  throw new ValueError('a text or a map is required');
}

const UNITS: Readonly<Record<string, number>> = { '': 0, b: 0, k: 1, m: 2, g: 3, t: 4, p: 5 };

/** As Docker prints sizes: four digits and a unit of 1024. */
function shmSize(value: Plain): string | undefined {
  if (value === undefined || value === null) return undefined;
  const text = textOf(value, 'build.shm_size') ?? '';
  const match = /^(\d+(?:\.\d+)?)\s*([kmgtp]?)i?b?$/i.exec(text);
  if (!match) throw new ValueError(`build.shm_size: invalid size ${JSON.stringify(text)}`);
  let size = Math.floor(Number(match[1]) * 1024 ** (UNITS[(match[2] ?? '').toLowerCase()] ?? 0));
  if (size <= 0) return undefined;
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'];
  let unit = 0;
  for (; size >= 1024 && unit < units.length - 1; unit++) size /= 1024;
  return `${Number(size.toPrecision(4))}${units[unit] ?? ''}`;
}

function ulimitsOf(value: Plain): readonly string[] | undefined {
  if (value === undefined || value === null) return undefined;
  return Object.entries(mapOfPlain(value))
    .sort(([a], [b]) => compareText(a, b))
    .map(([name, limit]) => {
      const pair = typeof limit === 'object' && limit !== null ? mapOfPlain(limit) : { soft: limit, hard: limit };
      const number = (key: 'soft' | 'hard'): string => {
        const text = textOf(pair[key], `build.ulimits.${name}`) ?? '';
        if (!/^-?\d+$/.test(text)) throw new ValueError(`build.ulimits.${name}: ${key} is a whole number`);
        return text;
      };
      return `${name}=${number('soft')}:${number('hard')}`;
    });
}

function attestsOf(build: Readonly<Record<string, Plain>>): Target['attest'] {
  const found = ['sbom', 'provenance'].flatMap((type) => {
    const text = textOf(build[type], `build.${type}`) ?? '';
    return text === '' ? [] : [attestFromText(canonicalAttest(type, text))];
  });
  return found.length > 0 ? found : undefined;
}

/** The extension `x-bake` (buildx, composeExtTarget): what compose has no words for. */
function extend(target: Target, extension: Plain): void {
  const given = mapOfPlain(extension);
  const texts = (key: string): readonly string[] => {
    const value = given[key];
    return typeof value === 'string'
      ? value.split(/\s+/).filter((text) => text !== '')
      : textsOf(value, `x-bake.${key}`);
  };
  const added = <T>(before: readonly T[] | undefined, now: readonly T[]): readonly T[] | undefined =>
    now.length > 0 ? [...(before ?? []), ...now] : before;
  const joined: Target = { name: target.name };
  const distinct = (before: readonly string[] | undefined, now: readonly string[]): readonly string[] | undefined =>
    now.length > 0 ? [...new Set([...(before ?? []), ...now])] : undefined;
  joined.tags = distinct(target.tags, texts('tags'));
  joined.platforms = distinct(target.platforms, texts('platforms'));
  joined['no-cache-filter'] = distinct(undefined, texts('no-cache-filter'));
  joined['cache-to'] = added(target['cache-to'], texts('cache-to').flatMap(cachesFromText));
  joined['cache-from'] = added(undefined, texts('cache-from').flatMap(cachesFromText));
  joined.secret = added(undefined, texts('secret').map(secretFromText));
  joined.ssh = added(undefined, texts('ssh').map(sshFromText));
  joined.output = added(target.output, texts('output').map(outputFromText));
  joined.pull = boolOf(given['pull'], 'x-bake.pull');
  joined['no-cache'] = boolOf(given['no-cache'], 'x-bake.no-cache');
  mergeInto(target, joined);
  if (target.ssh) target.ssh = [...target.ssh].sort((a, b) => compareText(a.id, b.id));
  const contexts = [...filled(given['contexts'], 'x-bake.contexts')].map(
    ([key, value]) => [key, linkOf(value)] as const,
  );
  // What the build section says goes before.
  if (contexts.length > 0) target.contexts = new Map([...contexts, ...(target.contexts ?? [])]);
}
