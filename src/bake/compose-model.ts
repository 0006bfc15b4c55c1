import { posix } from 'node:path';
import { editDistance, parseYaml } from '../base/index.ts';
import { compareText } from '../hcl/index.ts';
import type { ComposeOptions } from './compose.ts';
import { isLocalPath, isMap, mapOf, textOf, textsOf, type Plain, type PlainMap } from './compose-values.ts';
import { parseDotenv } from './dotenv.ts';
import { bakeError } from './errors.ts';
import { interpolate } from './interpolate.ts';

/** What of a service matters here. */
export interface ComposeService {
  readonly name: string;
  readonly image: string | undefined;
  /** Undefined where it is not built. */
  readonly build: PlainMap | undefined;
  readonly environment: ReadonlyMap<string, string>;
}

/** Keys of a build section that may be lists or maps. */
const MAPS = ['args', 'labels', 'additional_contexts', 'extra_hosts'];
const MAX_EXTENDS = 50;

/** Compose files merged, their variables put in; paths are from the working folder. */
export class ComposeModel {
  readonly #o: ComposeOptions;
  /** What paths in the files begin at: "" is the working folder. */
  readonly #folder: string;
  /** The files that include each other down to here. */
  readonly #chain: readonly string[];
  readonly #services = new Map<string, PlainMap>();
  readonly #secrets = new Map<string, PlainMap>();
  #project = 'bake';

  constructor(
    o: ComposeOptions,
    place: { readonly folder: string; readonly chain: readonly string[] } = { folder: '', chain: [] },
  ) {
    this.#o = o;
    this.#folder = place.folder;
    this.#chain = place.chain;
  }

  get isEmpty(): boolean {
    return this.#services.size === 0 && this.#secrets.size === 0;
  }

  /** Merges a further file over those before it. Throws `BAKE_COMPOSE`. */
  async add(content: Plain, file: string): Promise<void> {
    const fail = (detail: string): Error => bakeError('BAKE_COMPOSE', `read compose file "${file}": ${detail}`);
    if (!isMap(content)) throw fail('the top level is no map');
    const name = textOf(content['name'], 'name');
    if (name !== undefined && name !== '') this.#project = interpolate(name, (key) => this.#o.env.get(key));
    const include = this.#interpolated(content['include'] ?? []);
    if (!Array.isArray(include)) throw fail('"include" is no list');
    const included = new Set<string>();
    for (const item of include as readonly Plain[])
      for (const key of await this.#include(item, file)) included.add(key);
    const services = this.#interpolated(content['services'] ?? {});
    if (!isMap(services)) throw fail('"services" is no map');
    for (const key of Object.keys(services)) {
      if (included.has(key)) throw fail(`service "${key}" is there already, in a file that is included`);
      const service = await this.#extended(key, services, { file, folder: this.#folder, depth: 0 });
      const before = this.#services.get(key);
      this.#services.set(key, before ? merged(before, service) : service);
    }
    const secrets = this.#interpolated(content['secrets'] ?? {});
    if (!isMap(secrets)) throw fail('"secrets" is no map');
    for (const [key, secret] of Object.entries(secrets)) {
      const path = isMap(secret) ? textOf(secret['file'], 'file') : undefined;
      const own = isMap(secret) ? secret : {};
      this.#secrets.set(key, path === undefined ? own : { ...own, file: below(this.#folder, path) });
    }
  }

  /** Takes in the services and secrets of other files, which have a folder and variables of their own; gives the names of the services. */
  async #include(item: Plain, file: string): Promise<readonly string[]> {
    const fail = (detail: string): Error =>
      bakeError('BAKE_COMPOSE', `read compose file "${file}": include: ${detail}`);
    const given: PlainMap = isMap(item) ? item : { path: item };
    const listed = (key: string): readonly string[] => {
      const value = given[key];
      return Array.isArray(value) ? textsOf(value, key) : [textOf(value, key) ?? []].flat();
    };
    const paths = listed('path').map((path) => below(this.#folder, path));
    const [first] = paths;
    if (first === undefined) throw fail('there is no path');
    if (this.#chain.includes(first))
      throw fail(`files include each other in a circle: ${[...this.#chain, first].join(' → ')}`);
    const project = textOf(given['project_directory'], 'project_directory');
    const folder = project === undefined ? posix.dirname(first) : below(this.#folder, project);
    const read = (path: string): string => {
      const text = this.#o.readText(path);
      if (text === undefined) throw fail(`"${path}" is not there`);
      return text;
    };
    const env = new Map(this.#o.env);
    const own = below(folder, '.env');
    const files = listed('env_file').map((path) => below(this.#folder, path));
    for (const path of files.length > 0 ? files : [own]) {
      const text = files.length > 0 ? read(path) : this.#o.readText(path);
      if (text === undefined) continue;
      for (const [key, value] of parseDotenv(text, path, (name) => env.get(name)))
        if (!env.has(key)) env.set(key, value);
    }
    const model = new ComposeModel({ env, readText: this.#o.readText }, { folder, chain: [...this.#chain, first] });
    model.#project = this.#project;
    for (const path of paths) await model.add(await parseYaml(read(path), path), path);
    for (const [key, service] of model.#services) {
      if (this.#services.has(key)) throw fail(`service "${key}" of "${first}" is there already`);
      const { build } = service;
      const bare = isMap(build) && (build['context'] === undefined || build['context'] === null);
      this.#services.set(key, bare ? { ...service, build: { ...build, context: folder } } : service);
    }
    for (const [key, secret] of model.#secrets) this.#secrets.set(key, secret);
    return [...model.#services.keys()];
  }

  secret(name: string): PlainMap | undefined {
    return this.#secrets.get(name);
  }

  services(): readonly ComposeService[] {
    for (const [name, service] of this.#services)
      if (
        service['build'] === undefined &&
        (service['image'] === undefined || service['image'] === null) &&
        service['provider'] === undefined
      )
        throw bakeError('BAKE_COMPOSE', `read service "${name}": it has neither an image nor a build section`, {
          remedy: 'Give it one: build: with the folder of its Dockerfile, or image: with a name.',
        });
    return [...this.#services]
      .sort(([a], [b]) => compareText(a, b))
      .map(([name, service]) => ({
        name,
        image: textOf(service['image'], 'image') || undefined,
        build: isMap(service['build']) ? service['build'] : undefined,
        environment: this.#environment(name, service),
      }));
  }

  #environment(name: string, service: PlainMap): ReadonlyMap<string, string> {
    const { env, readText } = this.#o;
    const found = new Map<string, string>();
    if (service['build'] === undefined) return found;
    const given = service['env_file'];
    for (const item of given === undefined || given === null
      ? []
      : Array.isArray(given)
        ? (given as readonly Plain[])
        : [given]) {
      const path = isMap(item) ? textOf(item['path'], 'env_file.path') : textOf(item, 'env_file');
      const text = path === undefined ? undefined : readText(path);
      if (text !== undefined && path !== undefined)
        for (const [key, value] of parseDotenv(text, path, (key_) => env.get(key_))) found.set(key, value);
      else if (!isMap(item) || item['required'] !== false)
        throw bakeError('BAKE_COMPOSE', `read service "${name}": env file "${path ?? ''}" is not there`);
    }
    for (const [key, value] of mapOf(service['environment'], 'environment')) {
      const known = value ?? env.get(key);
      if (known !== undefined) found.set(key, known);
    }
    return found;
  }

  /** A service over the one that it extends. */
  async #extended(
    name: string,
    services: PlainMap,
    o: { readonly file: string; readonly folder: string; readonly depth: number },
  ): Promise<PlainMap> {
    const own = services[name];
    const service = rebased(canonical(own === null || own === undefined ? {} : own, name, o.file), o.folder);
    const { extends: base } = service;
    if (base === undefined || base === null) return service;
    if (o.depth > MAX_EXTENDS)
      throw bakeError('BAKE_COMPOSE', `read service "${name}" of "${o.file}": what it extends leads in a circle`);
    const other = isMap(base) ? textOf(base['service'], 'extends.service') : textOf(base, 'extends');
    const named = isMap(base) ? textOf(base['file'], 'extends.file') : undefined;
    const path = named === undefined ? undefined : below(o.folder, named);
    const folder = path === undefined || posix.dirname(path) === '.' ? o.folder : posix.dirname(path);
    let all = services;
    if (path !== undefined) {
      const text = this.#o.readText(path);
      if (text === undefined)
        throw bakeError(
          'BAKE_COMPOSE',
          `read service "${name}" of "${o.file}": "${path}", which it extends, is not there`,
        );
      const content = await parseYaml(text, path);
      const found = this.#interpolated((isMap(content) ? content['services'] : undefined) ?? {});
      all = isMap(found) ? found : {};
    }
    if (other === undefined || !Object.hasOwn(all, other))
      throw bakeError(
        'BAKE_COMPOSE',
        `read service "${name}" of "${o.file}": service "${other ?? ''}", which it extends, is not there`,
      );
    return merged(await this.#extended(other, all, { file: path ?? o.file, folder, depth: o.depth + 1 }), service);
  }

  #interpolated(value: Plain): Plain {
    const lookup = (name: string): string | undefined =>
      this.#o.env.get(name) ?? (name === 'COMPOSE_PROJECT_NAME' ? this.#project : undefined);
    if (typeof value === 'string') return interpolate(value, lookup);
    if (Array.isArray(value)) return value.map((item) => this.#interpolated(item));
    if (!isMap(value)) return value;
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, this.#interpolated(item)]));
  }
}

/** `build: folder` as a map, and what may be a list or a map as a map. */
function canonical(service: Plain, name: string, file: string): PlainMap {
  if (!isMap(service)) throw bakeError('BAKE_COMPOSE', `read service "${name}" of "${file}": it is no map`);
  const { build } = service;
  if (isMap(build)) checkKeys(build, name, file);
  if (build === undefined || build === null) {
    const { build: _, ...rest } = service;
    return rest;
  }
  if (typeof build === 'string') return { ...service, build: { context: build } };
  if (!isMap(build)) throw bakeError('BAKE_COMPOSE', `read service "${name}" of "${file}": build is a folder or a map`);
  const maps = MAPS.filter((key) => Array.isArray(build[key])).map(
    (key) =>
      [
        key,
        Object.fromEntries([...mapOf(build[key], `build.${key}`)].map(([each, value]) => [each, value ?? null])),
      ] as const,
  );
  return { ...service, build: { ...build, ...Object.fromEntries(maps) } };
}

/** A path from a folder; addresses, home folders and absolute paths stay. */
function below(folder: string, path: string): string {
  return folder === '' || !isLocalPath(path) ? path : posix.join(folder, path);
}

/** A service with its paths from the working folder. */
function rebased(service: PlainMap, folder: string): PlainMap {
  if (folder === '') return service;
  const { build, env_file: files } = service;
  const envFile = (item: Plain): Plain =>
    isMap(item) ? { ...item, path: envFile(item['path']) } : typeof item === 'string' ? below(folder, item) : item;
  const moved: Record<string, Plain> = { ...service };
  if (files !== undefined) moved['env_file'] = Array.isArray(files) ? files.map(envFile) : envFile(files);
  if (!isMap(build)) return moved;
  const { context, additional_contexts: contexts } = build;
  const own: Record<string, Plain> = { ...build };
  if (context !== undefined && context !== null)
    own['context'] = below(folder, textOf(context, 'build.context') ?? '.');
  if (isMap(contexts))
    own['additional_contexts'] = Object.fromEntries(
      Object.entries(contexts).map(([key, value]) => [key, typeof value === 'string' ? below(folder, value) : value]),
    );
  return { ...moved, build: own };
}

const BUILD_KEYS =
  `additional_contexts args cache_from cache_to context dockerfile dockerfile_inline entitlements extra_hosts isolation labels network no_cache no_cache_filter platforms privileged provenance pull sbom secrets
shm_size ssh tags target ulimits`.split(/\s+/);

function checkKeys(build: PlainMap, name: string, file: string): void {
  const unknown = Object.keys(build).find((key) => !BUILD_KEYS.includes(key) && !key.startsWith('x-'));
  if (unknown === undefined) return;
  const near = BUILD_KEYS.find((key) => editDistance(key, unknown.replaceAll('-', '_')) <= 2);
  throw bakeError('BAKE_COMPOSE', `read service "${name}" of "${file}": there is no "${unknown}" in a build section`, {
    remedy:
      near === undefined
        ? `There are: ${BUILD_KEYS.join(', ')}; and names that begin with "x-".`
        : `Did you mean "${near}"?`,
  });
}

/** Maps are merged, lists follow each other, anything else is replaced (Compose specification, merge). */
function merged(before: PlainMap, after: PlainMap): PlainMap {
  const result: Record<string, Plain> = { ...before };
  for (const [key, value] of Object.entries(after)) {
    const known = result[key];
    if (isMap(known) && isMap(value)) result[key] = merged(known, value);
    else if (Array.isArray(known) && Array.isArray(value))
      result[key] = [...new Set([...(known as readonly Plain[]), ...(value as readonly Plain[])])];
    else if (value !== undefined && value !== null) result[key] = value;
  }
  return result;
}
