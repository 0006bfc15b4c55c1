import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { encodeToml, hasErrno, messageOf, parseToml } from '../../../base/index.ts';
import { cliError } from '../errors.ts';
import type { Io } from '../io.ts';

/** Where buildpacks are looked up by their name. */
export interface RegistryConfig {
  readonly name: string;
  /** `git` and `github`: a repository; `http`: plain files; `folder`: a path of this machine. */
  readonly type: string;
  readonly url: string;
}

/** What a user has set for building with buildpacks: the keys of pack's config.toml. */
export interface UserConfig {
  readonly defaultBuilder?: string | undefined;
  readonly pullPolicy?: string | undefined;
  readonly experimental?: boolean | undefined;
  readonly lifecycleImage?: string | undefined;
  readonly layoutRepoDir?: string | undefined;
  readonly defaultRegistry?: string | undefined;
  readonly runImages: readonly { readonly image: string; readonly mirrors: readonly string[] }[];
  readonly trustedBuilders: readonly string[];
  readonly registries: readonly RegistryConfig[];
  /** Host to mirror; `*` is every host. */
  readonly registryMirrors: Readonly<Record<string, string>>;
}

/** pack's own file where PACK_HOME names its folder, else `strake/config.toml` in the user's folder for configuration. */
export function userConfigPath({ env, home }: Pick<Io, 'env' | 'home'>): string {
  const { PACK_HOME: pack, XDG_CONFIG_HOME: config } = env as { PACK_HOME?: string; XDG_CONFIG_HOME?: string };
  if (pack !== undefined && pack !== '') return join(pack, 'config.toml');
  return join(config?.startsWith('/') ? config : join(home, '.config'), 'strake/config.toml');
}

/** What the user has set; nothing where there is no file. Throws `INVALID_TOML`, `CONFIG_INVALID`. */
export function readUserConfig(io: Pick<Io, 'env' | 'home'>): UserConfig {
  const path = userConfigPath(io);
  const table = readTable(path);
  const fail = (key: string): Error => cliError('CONFIG_INVALID', `read "${path}": "${key}" is not what it should be`);
  const text = (from: Readonly<Record<string, unknown>>, key: string): string | undefined => {
    const value = from[key];
    if (value === undefined || typeof value === 'string') return value === '' ? undefined : value;
    throw fail(key);
  };
  const tables = (key: string): readonly Readonly<Record<string, unknown>>[] => {
    const value = table[key] ?? [];
    if (!Array.isArray(value) || value.some((one) => typeof one !== 'object')) throw fail(key);
    return value as Record<string, unknown>[];
  };
  const mirrors = table['registry-mirrors'] ?? {};
  if (typeof mirrors !== 'object' || Object.values(mirrors).some((one) => typeof one !== 'string'))
    throw fail('registry-mirrors');
  return {
    defaultBuilder: text(table, 'default-builder-image'),
    pullPolicy: text(table, 'pull-policy'),
    experimental: table['experimental'] === true ? true : undefined,
    lifecycleImage: text(table, 'lifecycle-image'),
    layoutRepoDir: text(table, 'layout-repo-dir'),
    defaultRegistry: text(table, 'default-registry'),
    runImages: tables('run-images').map((one) => ({
      image: text(one, 'image') ?? '',
      mirrors: Array.isArray(one['mirrors']) ? one['mirrors'].map(String) : [],
    })),
    trustedBuilders: tables('trusted-builders').map((one) => text(one, 'name') ?? ''),
    registries: tables('registries').map((one) => ({
      name: text(one, 'name') ?? '',
      type: text(one, 'type') ?? 'github',
      url: text(one, 'url') ?? '',
    })),
    registryMirrors: mirrors as Record<string, string>,
  };
}

/** Changes what the user has set; keys that strake does not know stay. */
export function changeUserConfig(io: Pick<Io, 'env' | 'home'>, change: (config: UserConfig) => UserConfig): void {
  const path = userConfigPath(io);
  const config = change(readUserConfig(io));
  const list = <T>(values: readonly T[]): readonly T[] | undefined => (values.length === 0 ? undefined : values);
  const table = {
    ...readTable(path),
    'default-builder-image': config.defaultBuilder,
    'pull-policy': config.pullPolicy,
    experimental: config.experimental,
    'lifecycle-image': config.lifecycleImage,
    'layout-repo-dir': config.layoutRepoDir,
    'default-registry': config.defaultRegistry,
    'run-images': list(config.runImages),
    'trusted-builders': list(config.trustedBuilders.map((name) => ({ name }))),
    registries: list(config.registries),
    'registry-mirrors': Object.keys(config.registryMirrors).length === 0 ? undefined : config.registryMirrors,
  };
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    writeFileSync(`${path}.${process.pid}`, encodeToml(table), { mode: 0o600 });
    renameSync(`${path}.${process.pid}`, path);
  } catch (error) {
    throw cliError('CONFIG_INVALID', `write "${path}": ${messageOf(error)}`, { cause: error });
  }
}

function readTable(path: string): Readonly<Record<string, unknown>> {
  try {
    return parseToml(readFileSync(path, 'utf8'), path);
  } catch (error) {
    if (hasErrno(error, 'ENOENT', 'ENOTDIR')) return {};
    throw error;
  }
}
