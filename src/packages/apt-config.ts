import { readdirSync, readFileSync, statSync } from 'node:fs';
import { isAbsolute, join } from 'node:path';
import { findTool, hasErrno, runTool, type Wait } from '../base/index.ts';
import { parseAptConf, parseDump, type AptSettings } from './apt-settings.ts';
import { parseListFile, parseSourcesFile, type AptSource } from './apt-sources.ts';
import { packagesError } from './errors.ts';

/** What an apt configuration says: where packages come from, and what is trusted. */
export interface AptConfig {
  readonly settings: AptSettings;
  readonly sources: readonly AptSource[];
  /** Key files trusted for sources that name none (`Dir::Etc::trusted` and `trustedparts`). */
  readonly trusted: readonly string[];
  /** Logins for mirrors (apt_auth.conf(5)): what stands before the first blank of `machine` is matched against scheme, host, port and path. */
  readonly logins: readonly AptLogin[];
}

export interface AptLogin {
  readonly machine: string;
  readonly login: string;
  readonly password: string;
}

/**
 * Reads the apt configuration below `root`: by `apt-config dump` where that program is (and `root` is "/"), else from the files.
 * `aptConfig` names the program, or `null` to read the files always. Throws `APT_CONFIG_INVALID`.
 */
export async function readAptConfig(
  o: {
    root?: string | undefined;
    aptConfig?: string | null | undefined;
    env?: Readonly<Record<string, string>> | undefined;
  } & Wait = {},
): Promise<AptConfig> {
  const root = o.root ?? '/';
  const tool = o.aptConfig === undefined && root === '/' ? findTool('apt-config') : (o.aptConfig ?? undefined);
  const settings =
    tool === undefined ? fileSettings(root) : parseDump((await runTool(tool, ['dump'], o)).stdout.toString());
  const etc = directory(settings, root, 'dir::etc', 'etc/apt/');
  const at = (name: string, fallback: string): string =>
    resolveIn(root, etc, settings.get(`dir::etc::${name}`) ?? fallback);
  const sources: AptSource[] = [];
  const list = at('sourcelist', 'sources.list');
  const main = readText(list);
  if (main !== undefined) sources.push(...parseListFile(main, list));
  for (const file of partsOf(at('sourceparts', 'sources.list.d'), ['.list', '.sources'])) {
    const text = readText(file) ?? '';
    sources.push(...(file.endsWith('.list') ? parseListFile(text, file) : parseSourcesFile(text, file)));
  }
  const trusted = [at('trusted', 'trusted.gpg'), ...partsOf(at('trustedparts', 'trusted.gpg.d'), ['.gpg', '.asc'])];
  const logins = [at('netrc', 'auth.conf'), ...partsOf(at('netrcparts', 'auth.conf.d'), ['.conf'])]
    .map((file) => readText(file) ?? '')
    .flatMap(parseLogins);
  return { settings, sources, trusted: trusted.filter((file) => isFile(file)), logins };
}

/** The `machine ... login ... password ...` entries of a netrc-like file. */
export function parseLogins(text: string): AptLogin[] {
  const words = text.replaceAll(/^\s*#.*$/gm, '').split(/\s+/);
  const logins: AptLogin[] = [];
  let entry: { machine: string; login: string; password: string } | undefined;
  for (let i = 0; i + 1 < words.length; i += 2) {
    const value = words[i + 1] ?? '';
    if (words[i] === '') i -= 1;
    else if (words[i] === 'machine') logins.push((entry = { machine: value, login: '', password: '' }));
    else if (words[i] === 'login' && entry) entry.login = value;
    else if (words[i] === 'password' && entry) entry.password = value;
  }
  return logins;
}

/** The login for a URL, the first that matches (apt_auth.conf(5)): an entry without scheme is for https only. */
export function loginFor(logins: readonly AptLogin[], url: URL): AptLogin | undefined {
  return logins.find(({ machine }) => {
    const scheme = /^[a-z+]+:\/\//.exec(machine)?.[0];
    if (scheme === undefined ? url.protocol !== 'https:' : scheme !== `${url.protocol}//`) return false;
    const [host = '', ...path] = machine.slice(scheme?.length ?? 0).split('/');
    if (host !== url.host && host !== url.hostname) return false;
    const prefix = `/${path.join('/')}`;
    return (
      path.length === 0 ||
      url.pathname === prefix ||
      url.pathname.startsWith(prefix.endsWith('/') ? prefix : `${prefix}/`)
    );
  });
}

function fileSettings(root: string): AptSettings {
  const etc = join(root, 'etc/apt');
  const files = [...partsOf(join(etc, 'apt.conf.d'), ['.conf', '']), join(etc, 'apt.conf')];
  return parseAptConf(files.map((file) => readText(file) ?? ''));
}

function directory(settings: AptSettings, root: string, name: string, fallback: string): string {
  return resolveIn(root, settings.get('dir') ?? '/', settings.get(name) ?? fallback);
}

/** `path` as apt's Find_File would: absolute, or below `parent`; always below `root`. */
function resolveIn(root: string, parent: string, path: string): string {
  if (path.startsWith('/dev/')) return path;
  const full = isAbsolute(path) ? path : join(parent, path);
  return root === '/' || full.startsWith(join(root, '/')) ? full : join(root, full);
}

/** Files of a parts folder that apt would read, in its order: names of letters, digits, "_", "-" and "." with one of these endings. */
function partsOf(folder: string, endings: readonly string[]): string[] {
  let names: string[];
  try {
    names = readdirSync(folder);
  } catch (error) {
    if (hasErrno(error, 'ENOENT', 'ENOTDIR', 'EACCES')) return [];
    throw error;
  }
  return names
    .filter(
      (name) =>
        /^[A-Za-z0-9_.-]+$/.test(name) && !name.startsWith('.') && endings.some((ending) => hasEnding(name, ending)),
    )
    .sort()
    .map((name) => join(folder, name))
    .filter(isFile);
}

/** The ending "" is that of a name without any. */
function hasEnding(name: string, ending: string): boolean {
  return ending === '' ? !name.includes('.') : name.endsWith(ending);
}

function isFile(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isFile() ?? false;
}

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (hasErrno(error, 'ENOENT', 'ENOTDIR', 'EISDIR')) return undefined;
    if (hasErrno(error, 'EACCES', 'EPERM') && /auth\.conf/.test(path)) return undefined;
    if (hasErrno(error, 'EACCES', 'EPERM'))
      throw packagesError('APT_CONFIG_INVALID', `read "${path}": permission denied`, { cause: error });
    throw error;
  }
}
