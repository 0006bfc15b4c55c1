import { createHash } from 'node:crypto';
import { existsSync, mkdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { messageOf, runTool, type Wait } from '../../../base/index.ts';
import { folderIndex, httpIndex, type RegistryIndex } from '../../../frontend/buildpack/index.ts';
import { cliError } from '../errors.ts';
import type { CliContext } from '../command.ts';
import type { RegistryConfig, UserConfig } from './user-config.ts';

/** The registry that pack knows without being told of it. */
export const OFFICIAL: RegistryConfig = {
  name: 'official',
  type: 'github',
  url: 'https://github.com/buildpacks/registry-index',
};

/** The registries to ask: the one that is named, else the default one, then the others. Throws `CONFIG_INVALID` for a name that is none's. */
export function registriesOf(config: UserConfig, wanted: string | undefined): readonly RegistryConfig[] {
  const all = [...config.registries, OFFICIAL];
  const named = (name: string): RegistryConfig => {
    const found = all.find((one) => one.name === name);
    if (found) return found;
    throw cliError('CONFIG_INVALID', `use buildpack registry "${name}": it is not configured`, {
      remedy: `Add it with "strake config registries add ${name} URL", or use one of ${all.map((one) => one.name).join(', ')}.`,
    });
  };
  if (wanted !== undefined && wanted !== '') return [named(wanted)];
  const first = named(config.defaultRegistry ?? OFFICIAL.name);
  return [first, ...config.registries.filter((one) => one.name !== first.name)];
}

/** The index of a registry. A repository is brought up to date first, by git. */
export async function openIndex(
  registry: RegistryConfig,
  c: Pick<CliContext, 'settings' | 'io'> & Wait,
): Promise<RegistryIndex & Partial<ReturnType<typeof folderIndex>>> {
  const { name, url } = registry;
  const { type, folder } = kindOfRegistry(registry, c.io.cwd);
  if (type === 'folder') return folderIndex(folder ?? resolve(c.io.cwd, url), name);
  if (type === 'http') return httpIndex(url, { name });
  return folderIndex(await cloned(registry, c), name);
}

/** What a registry really is: one on this machine that was added without its type is a repository or a plain folder. */
export function kindOfRegistry(
  { type, url }: RegistryConfig,
  cwd: string,
): { readonly type: string; readonly folder?: string | undefined } {
  const folder = localFolder(url, cwd);
  if (type !== 'github' || folder === undefined) return { type, folder };
  const isRepository = existsSync(join(folder, '.git')) || existsSync(join(folder, 'objects'));
  return { type: isRepository ? 'git' : 'folder', folder };
}

/** A clone of a registry's repository, up to date. */
export async function cloned(registry: RegistryConfig, c: Pick<CliContext, 'settings'> & Wait): Promise<string> {
  const parent = join(c.settings.root, 'buildpack-registries');
  const folder = join(parent, createHash('sha256').update(registry.url).digest('hex').slice(0, 32));
  const git = (...args: string[]): ReturnType<typeof runTool> =>
    runTool('git', args, {
      signal: c.signal,
      env: { ...(process.env as Record<string, string>), GIT_TERMINAL_PROMPT: '0' },
    });
  try {
    if (existsSync(join(folder, '.git'))) {
      await git('-C', folder, 'fetch', '--quiet', '--depth', '1', 'origin', 'HEAD');
      await git('-C', folder, 'reset', '--quiet', '--hard', 'FETCH_HEAD');
    } else {
      mkdirSync(parent, { recursive: true });
      await git('clone', '--quiet', '--depth', '1', '--', registry.url, folder);
    }
  } catch (error) {
    throw cliError('CONFIG_INVALID', `read buildpack registry "${registry.name}": ${messageOf(error)}`, {
      cause: error,
      remedy: `Look whether the repository is there: git ls-remote ${registry.url}`,
    });
  }
  return folder;
}

/** The folder that a URL or path names on this machine; undefined for what is elsewhere. */
function localFolder(url: string, cwd: string): string | undefined {
  if (url.startsWith('file://')) return fileURLToPath(url);
  return /^[a-z][a-z0-9+.-]*:\/\//i.test(url) || /^[^/]+@[^/]+:/.test(url) ? undefined : resolve(cwd, url);
}
