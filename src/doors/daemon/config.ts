import { existsSync, readFileSync } from 'node:fs';
import { hasErrno, messageOf, parseToml } from '../../base/index.ts';
import { bytesFrom, millisecondsFrom } from './amounts.ts';
import { daemonError } from './errors.ts';

/** What buildkitd.toml says, as far as it means something here. */
export interface DaemonConfig {
  readonly root?: string | undefined;
  readonly debug?: boolean | undefined;
  readonly entitlements: readonly string[];
  readonly logFormat?: string | undefined;
  readonly addresses: readonly string[];
  readonly debugAddress?: string | undefined;
  readonly gid?: number | undefined;
  readonly tls: {
    readonly cert?: string | undefined;
    readonly key?: string | undefined;
    readonly ca?: string | undefined;
  };
  readonly gc: GcConfig;
  readonly labels: Readonly<Record<string, string>>;
  readonly executor?: string | undefined;
  readonly history: { readonly age?: number | undefined; readonly entries?: number | undefined };
  readonly registries: ReadonlyMap<string, RegistryConfig>;
  /** Keys that nothing here knows, by their path. */
  readonly unknown: readonly string[];
}

export interface GcConfig {
  readonly enabled?: boolean | undefined;
  readonly reservedSpace?: number | undefined;
  readonly maxUsedSpace?: number | undefined;
  readonly minFreeSpace?: number | undefined;
  readonly policies: readonly {
    readonly all: boolean;
    readonly keepDuration: number;
    readonly filters: readonly string[];
    readonly reservedSpace: number;
    readonly maxUsedSpace: number;
    readonly minFreeSpace: number;
  }[];
}

export interface RegistryConfig {
  readonly mirrors: readonly string[];
  readonly insecure: boolean;
  readonly ca: readonly string[];
}

type Table = Readonly<Record<string, unknown>>;

/** Reads buildkitd.toml (cmd/buildkitd/config). `required` where its path was given. Throws `DAEMON_CONFIG`. */
export function readDaemonConfig(path: string, o: { required: boolean }): DaemonConfig {
  if (!o.required && !existsSync(path)) return new Reader(path, {}).config();
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    if (!o.required && hasErrno(error, 'ENOENT')) return new Reader(path, {}).config();
    throw daemonError('DAEMON_CONFIG', `read "${path}": ${messageOf(error)}`, { cause: error });
  }
  return new Reader(path, parseToml(text, path)).config();
}

class Reader {
  readonly #path: string;
  readonly #top: Table;
  readonly #taken = new Set<string>();

  constructor(path: string, top: Table) {
    this.#path = path;
    this.#top = top;
  }

  config(): DaemonConfig {
    const config = {
      root: this.#text('root'),
      debug: this.#boolean('debug') ?? this.#text('log.level') === 'debug',
      entitlements: this.#list('insecure-entitlements'),
      logFormat: this.#text('log.format'),
      addresses: this.#list('grpc.address'),
      debugAddress: this.#text('grpc.debugAddress'),
      gid: this.#number('grpc.gid'),
      tls: { cert: this.#text('grpc.tls.cert'), key: this.#text('grpc.tls.key'), ca: this.#text('grpc.tls.ca') },
      gc: this.#gc('worker.oci'),
      labels: this.#texts('worker.oci.labels'),
      executor: this.#text('worker.oci.binary'),
      history: { age: this.#span('history.maxAge'), entries: this.#number('history.maxEntries') },
      registries: this.#registries(),
    };
    return { ...config, unknown: this.#unknown() };
  }

  #gc(at: string): GcConfig {
    const policies = this.#at(`${at}.gcpolicy`);
    const tables = Array.isArray(policies) ? policies.length : 0;
    return {
      enabled: this.#boolean(`${at}.gc`),
      reservedSpace: this.#bytes(`${at}.reservedSpace`) ?? this.#bytes(`${at}.gckeepstorage`),
      maxUsedSpace: this.#bytes(`${at}.maxUsedSpace`),
      minFreeSpace: this.#bytes(`${at}.minFreeSpace`),
      policies: Array.from({ length: tables }, (_, n) => {
        const one = `${at}.gcpolicy.${n}`;
        return {
          all: this.#boolean(`${one}.all`) ?? false,
          keepDuration: this.#span(`${one}.keepDuration`) ?? 0,
          filters: this.#list(`${one}.filters`),
          reservedSpace: this.#bytes(`${one}.reservedSpace`) ?? this.#bytes(`${one}.keepBytes`) ?? 0,
          maxUsedSpace: this.#bytes(`${one}.maxUsedSpace`) ?? 0,
          minFreeSpace: this.#bytes(`${one}.minFreeSpace`) ?? 0,
        };
      }),
    };
  }

  #registries(): Map<string, RegistryConfig> {
    const found = new Map<string, RegistryConfig>();
    const table = this.#at('registry');
    if (typeof table !== 'object' || table === null) return found;
    for (const [host, value] of Object.entries(table as Table)) {
      if (typeof value !== 'object' || value === null) throw this.#bad(`registry."${host}"`, 'it is no table');
      const own = value as Table;
      const strings = (name: string): string[] => {
        this.#taken.add(`registry.${host}.${name}`);
        const list = own[name];
        return Array.isArray(list) ? list.filter((one) => typeof one === 'string') : [];
      };
      this.#taken.add(`registry.${host}.http`).add(`registry.${host}.insecure`);
      found.set(host, {
        mirrors: strings('mirrors'),
        insecure: own['http'] === true || own['insecure'] === true,
        ca: strings('ca'),
      });
    }
    return found;
  }

  #at(path: string): unknown {
    this.#taken.add(path);
    let value: unknown = this.#top;
    for (const part of path.split('.')) {
      if (typeof value !== 'object' || value === null) return undefined;
      value = (value as Table)[part];
    }
    return value;
  }

  #text(path: string): string | undefined {
    const value = this.#at(path);
    if (value === undefined || typeof value === 'string') return value || undefined;
    throw this.#bad(path, 'it is no text');
  }

  #boolean(path: string): boolean | undefined {
    const value = this.#at(path);
    if (value === undefined || typeof value === 'boolean') return value;
    throw this.#bad(path, 'it is neither true nor false');
  }

  #number(path: string): number | undefined {
    const value = this.#at(path);
    if (value === undefined || typeof value === 'number') return value;
    throw this.#bad(path, 'it is no number');
  }

  #list(path: string): readonly string[] {
    const value = this.#at(path);
    if (value === undefined) return [];
    if (Array.isArray(value) && value.every((one) => typeof one === 'string')) return value;
    throw this.#bad(path, 'it is no list of texts');
  }

  #texts(path: string): Readonly<Record<string, string>> {
    const value = this.#at(path);
    if (value === undefined) return {};
    const entries = Object.entries(value as Table);
    for (const [name] of entries) this.#taken.add(`${path}.${name}`);
    return Object.fromEntries(entries.map(([name, text]) => [name, String(text)]));
  }

  /** A number of bytes, or a text as "20GB" or "10%" (of which nothing can be said here: it is left out). */
  #bytes(path: string): number | undefined {
    const value = this.#at(path);
    if (value === undefined || typeof value === 'number') return value;
    if (typeof value !== 'string') throw this.#bad(path, 'it is no amount of space');
    const bytes = bytesFrom(value);
    if (bytes === undefined && !value.endsWith('%')) throw this.#bad(path, 'it is no amount of space');
    return bytes;
  }

  /** Seconds as a number, or Go's text; milliseconds. */
  #span(path: string): number | undefined {
    const value = this.#at(path);
    if (value === undefined) return undefined;
    if (typeof value === 'number') return value * 1000;
    const span = typeof value === 'string' ? millisecondsFrom(value) : undefined;
    if (span === undefined) throw this.#bad(path, 'it is no span of time');
    return span;
  }

  #bad(path: string, why: string): Error {
    return daemonError('DAEMON_CONFIG', `read "${this.#path}", key ${path}: ${why}`);
  }

  #unknown(): string[] {
    const unknown: string[] = [];
    const walk = (value: unknown, path: string): void => {
      if (Array.isArray(value) && value.some((one) => typeof one === 'object' && one !== null))
        for (const [at, one] of value.entries()) walk(one, `${path}.${at}`);
      else if (typeof value === 'object' && value !== null && !Array.isArray(value))
        for (const [name, one] of Object.entries(value as Table)) walk(one, path === '' ? name : `${path}.${name}`);
      else if (!this.#taken.has(path)) unknown.push(path);
    };
    walk(this.#top, '');
    return unknown;
  }
}
