import { join } from 'node:path';
import type { Random, Wait } from '../base/index.ts';
import {
  credentialOf,
  entryOf,
  HUB_KEY,
  keysFor,
  normalKey,
  parseCredentialFile,
  readCredentialFile,
  writeCredentialFile,
  type CredentialFile,
} from './credential-file.ts';
import { helperErase, helperGet, helperStore } from './credential-helper.ts';
import type { Credential, CredentialLookup } from './credential.ts';

export interface CredentialsOptions {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** The user's home folder. */
  readonly home: string;
  /** The user's id, for `/run/containers/<uid>/auth.json` where XDG_RUNTIME_DIR is not set. */
  readonly uid?: number | undefined;
  readonly random: Random;
  /** Told what was passed over: a `credsStore` that cannot be asked does not hinder anonymous reads. */
  readonly warn?: ((message: string) => void) | undefined;
}

/** Where a login was kept or removed. */
export type LoginPlace =
  | { readonly kind: 'file'; readonly path: string }
  | { readonly kind: 'helper'; readonly name: string };

interface Source {
  readonly path: string;
  readonly read: () => CredentialFile | undefined;
}

/**
 * The logins that Docker's and containers' tools keep. Looked up in: DOCKER_AUTH_CONFIG (the JSON itself), $DOCKER_CONFIG/config.json, $REGISTRY_AUTH_FILE, ~/.docker/config.json (unless DOCKER_CONFIG
 * is set), $XDG_RUNTIME_DIR/containers/auth.json, $XDG_CONFIG_HOME/containers/auth.json, ~/.dockercfg. The first place that knows the closest key wins; keys match whole path parts only.
 */
export class Credentials {
  readonly #o: CredentialsOptions;

  constructor(options: CredentialsOptions) {
    this.#o = options;
  }

  readonly lookup: CredentialLookup = async (target, w) => {
    const keys = keysFor(target.registry, target.repository);
    for (const { path, read } of this.#sources()) {
      const file = read();
      const found = file && (await this.#inFile(file, path, { keys, signal: w?.signal }));
      if (found) return found;
    }
    return undefined;
  };

  /** Keeps a login where Docker would: in the helper that is configured, else in the file, whose other members stay. */
  async login(registry: string, options: { credential: Credential } & Wait): Promise<LoginPlace> {
    const { path, file } = this.#home();
    const server = serverName(registry);
    const helper = helperOf(file, normalKey(registry));
    if (helper !== undefined && options.credential.kind !== 'bearer') {
      await helperStore(helper, server, { ...options, env: this.#o.env });
      // Docker's tools look for the name in `auths` to list who is logged in.
      this.#write(path, { ...file, auths: { ...withoutKey(file.auths, registry), [server]: {} } });
      return { kind: 'helper', name: helper };
    }
    this.#write(path, {
      ...file,
      auths: { ...withoutKey(file.auths, registry), [server]: entryOf(options.credential) },
    });
    return { kind: 'file', path };
  }

  /** True when there was a login to remove. Only the place that `login` writes to is changed. */
  async logout(registry: string, w?: Wait): Promise<boolean> {
    const { path, file } = this.#home();
    const helper = helperOf(file, normalKey(registry));
    const server = serverName(registry);
    let known = Object.keys(file.auths ?? {}).some((key) => normalKey(key) === normalKey(registry));
    if (helper !== undefined) {
      known ||= (await helperGet(helper, server, { env: this.#o.env, signal: w?.signal })) !== undefined;
      await helperErase(helper, server, { env: this.#o.env, signal: w?.signal });
    }
    if (known && file.auths) this.#write(path, { ...file, auths: withoutKey(file.auths, registry) });
    return known;
  }

  async #inFile(
    file: CredentialFile,
    path: string,
    o: { keys: readonly string[] } & Wait,
  ): Promise<Credential | undefined> {
    const { keys, signal } = o;
    const host = keys.at(-1);
    for (const key of keys) {
      const helper = entryFor(file.credHelpers, key);
      if (helper) {
        const found = await helperGet(helper.value, key === 'docker.io' ? HUB_KEY : helper.key, {
          env: this.#o.env,
          signal,
        });
        if (found) return found;
      }
      if (key === host && file.credsStore) {
        const found = await helperGet(file.credsStore, serverName(key), { env: this.#o.env, signal }).catch(
          (error: unknown) => {
            if (signal?.aborted) throw error;
            this.#o.warn?.(`${error instanceof Error ? error.message : String(error)}; going on without it`);
            return undefined;
          },
        );
        if (found) return found;
      }
      for (const [name, entry] of Object.entries(file.auths ?? {})) {
        const found = normalKey(name) === key ? credentialOf(entry, path, name) : undefined;
        if (found) return found;
      }
    }
    return undefined;
  }

  *#sources(): Iterable<Source> {
    const { env, home, uid } = this.#o;
    const json = env['DOCKER_AUTH_CONFIG'];
    if (json) yield { path: 'DOCKER_AUTH_CONFIG', read: () => parseCredentialFile(json, 'DOCKER_AUTH_CONFIG') };
    const runtime = env['XDG_RUNTIME_DIR'] || (uid === undefined ? undefined : `/run/containers/${uid}`);
    const paths = [
      env['DOCKER_CONFIG'] && join(env['DOCKER_CONFIG'], 'config.json'),
      env['REGISTRY_AUTH_FILE'],
      !env['DOCKER_CONFIG'] && join(home, '.docker/config.json'),
      runtime && join(runtime, env['XDG_RUNTIME_DIR'] ? 'containers/auth.json' : 'auth.json'),
      join(env['XDG_CONFIG_HOME'] || join(home, '.config'), 'containers/auth.json'),
    ];
    for (const path of paths) if (path) yield { path, read: () => readCredentialFile(path) };
    const legacy = join(home, '.dockercfg');
    yield { path: legacy, read: () => readCredentialFile(legacy, true) };
  }

  /** The file that logins are written to. */
  #home(): { path: string; file: CredentialFile } {
    const { env, home } = this.#o;
    const path = env['DOCKER_CONFIG']
      ? join(env['DOCKER_CONFIG'], 'config.json')
      : env['REGISTRY_AUTH_FILE'] || join(home, '.docker/config.json');
    return { path, file: readCredentialFile(path) ?? {} };
  }

  #write(path: string, file: CredentialFile): void {
    writeCredentialFile(path, file, this.#o.random);
  }
}

/** The name of a registry as helpers and `auths` know it. */
function serverName(registry: string): string {
  const key = normalKey(registry);
  return key === 'docker.io' ? HUB_KEY : key;
}

function helperOf(file: CredentialFile, key: string): string | undefined {
  return entryFor(file.credHelpers, key)?.value ?? file.credsStore;
}

function entryFor<T>(map: Readonly<Record<string, T>> | undefined, key: string): { key: string; value: T } | undefined {
  for (const [name, value] of Object.entries(map ?? {})) if (normalKey(name) === key) return { key: name, value };
  return undefined;
}

function withoutKey<T>(map: Readonly<Record<string, T>> | undefined, registry: string): Record<string, T> {
  return Object.fromEntries(Object.entries(map ?? {}).filter(([key]) => normalKey(key) !== normalKey(registry)));
}
