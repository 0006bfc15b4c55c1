import { editDistance, parseYaml } from '../base/index.ts';
import { compareText } from '../hcl/index.ts';
import type { ComposeOptions } from './compose.ts';
import { isMap, mapOf, textOf, type Plain, type PlainMap } from './compose-values.ts';
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

/** Compose files merged, their variables put in. */
export class ComposeModel {
  readonly #o: ComposeOptions;
  readonly #services = new Map<string, PlainMap>();
  readonly #secrets = new Map<string, PlainMap>();
  #project = 'bake';

  constructor(o: ComposeOptions) {
    this.#o = o;
  }

  get isEmpty(): boolean {
    return this.#services.size === 0 && this.#secrets.size === 0;
  }

  /** Merges a further file over those before it. Throws `BAKE_COMPOSE`. */
  async add(content: Plain, file: string): Promise<void> {
    const fail = (detail: string): Error => bakeError('BAKE_COMPOSE', `read compose file "${file}": ${detail}`);
    if (!isMap(content)) throw fail('the top level is no map');
    if (content['include'] !== undefined && content['include'] !== null)
      throw bakeError('BAKE_UNSUPPORTED', `read compose file "${file}": "include" is not supported`, {
        remedy: 'Name the files: -f compose.yaml -f other.yaml.',
      });
    const name = textOf(content['name'], 'name');
    if (name !== undefined && name !== '') this.#project = interpolate(name, (key) => this.#o.env.get(key));
    const services = this.#interpolated(content['services'] ?? {});
    if (!isMap(services)) throw fail('"services" is no map');
    for (const key of Object.keys(services)) {
      const service = await this.#extended(key, services, { file, depth: 0 });
      const before = this.#services.get(key);
      this.#services.set(key, before ? merged(before, service) : service);
    }
    const secrets = this.#interpolated(content['secrets'] ?? {});
    if (!isMap(secrets)) throw fail('"secrets" is no map');
    for (const [key, secret] of Object.entries(secrets)) this.#secrets.set(key, isMap(secret) ? secret : {});
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
    o: { readonly file: string; readonly depth: number },
  ): Promise<PlainMap> {
    const own = services[name];
    const service = canonical(own === null || own === undefined ? {} : own, name, o.file);
    const { extends: base } = service;
    if (base === undefined || base === null) return service;
    if (o.depth > MAX_EXTENDS)
      throw bakeError('BAKE_COMPOSE', `read service "${name}" of "${o.file}": what it extends leads in a circle`);
    const other = isMap(base) ? textOf(base['service'], 'extends.service') : textOf(base, 'extends');
    const path = isMap(base) ? textOf(base['file'], 'extends.file') : undefined;
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
    return merged(await this.#extended(other, all, { file: path ?? o.file, depth: o.depth + 1 }), service);
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
