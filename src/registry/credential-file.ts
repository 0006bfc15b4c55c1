import {
  closeSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { hasErrno, messageOf, type Random } from '../base/index.ts';
import type { Credential } from './credential.ts';
import { registryError } from './errors.ts';
import { HUB_ALIASES } from './repository.ts';

/** Docker's config.json and containers' auth.json (containers-auth.json(5)); members that are not known are kept. */
export interface CredentialFile {
  readonly auths?: Readonly<Record<string, AuthEntry | null>> | undefined;
  readonly credHelpers?: Readonly<Record<string, string>> | undefined;
  readonly credsStore?: string | undefined;
  readonly [other: string]: unknown;
}

export interface AuthEntry {
  /** Base64 of `user:password`. */
  readonly auth?: string | undefined;
  readonly username?: string | undefined;
  readonly password?: string | undefined;
  readonly identitytoken?: string | undefined;
  readonly registrytoken?: string | undefined;
}

/** The name under which Docker keeps its Hub's login. */
export const HUB_KEY = 'https://index.docker.io/v1/';

/** Undefined where there is no such file. Throws `CREDENTIALS_INVALID`, which never quotes the content. */
export function readCredentialFile(path: string, legacy = false): CredentialFile | undefined {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    if (hasErrno(error, 'ENOENT', 'ENOTDIR', 'EISDIR')) return undefined;
    throw registryError('CREDENTIALS_INVALID', `read logins from "${path}": ${messageOf(error)}`, { cause: error });
  }
  return parseCredentialFile(text, path, legacy);
}

/** `legacy`: the content is `auths` itself, as in `~/.dockercfg`. */
export function parseCredentialFile(text: string, path: string, legacy = false): CredentialFile {
  const bad = (detail: string): Error =>
    registryError('CREDENTIALS_INVALID', `read logins from "${path}": ${detail}`, {
      remedy: 'Mend the file, or move it away and log in again.',
    });
  if (text.trim() === '') return {};
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    // The parser's own message quotes the text, and there are secrets in it.
    throw bad('it is not JSON');
  }
  if (!isRecord(value)) throw bad('it is not a JSON object');
  const file = legacy ? { auths: value } : value;
  for (const member of ['auths', 'credHelpers']) {
    if (file[member] === null) delete file[member];
    if (file[member] !== undefined && !isRecord(file[member])) throw bad(`its "${member}" is not an object`);
  }
  if (file['credsStore'] !== undefined && typeof file['credsStore'] !== 'string')
    throw bad('its "credsStore" is not text');
  return file;
}

/** `host[/path]` of a key: without scheme, without the `/v1/` that Docker used to write. */
export function normalKey(key: string): string {
  const bare = key.replace(/^https?:\/\//, '').replace(/\/+$/, '');
  const text = bare.replace(/^([^/]+)\/v[12]$/, '$1');
  const slash = text.indexOf('/');
  const host = (slash < 0 ? text : text.slice(0, slash)).toLowerCase();
  return (HUB_ALIASES.includes(host) ? 'docker.io' : host) + (slash < 0 ? '' : text.slice(slash));
}

/** The keys that may hold a login for a repository, the closest first: `h/a/b`, `h/a`, `h`. */
export function keysFor(registry: string, repository: string | undefined): readonly string[] {
  const host = normalKey(registry);
  const parts = repository === undefined ? [] : repository.split('/');
  return [...parts.map((_, at) => [host, ...parts.slice(0, parts.length - at)].join('/')), host];
}

/** What an entry of `auths` says; undefined for the empty one that Docker writes beside a helper. */
export function credentialOf(entry: AuthEntry | null | undefined, path: string, key: string): Credential | undefined {
  if (!entry || typeof entry !== 'object') return undefined;
  const decoded = typeof entry.auth === 'string' ? Buffer.from(entry.auth, 'base64').toString() : '';
  const colon = decoded.indexOf(':');
  if (entry.auth && colon < 0)
    throw registryError(
      'CREDENTIALS_INVALID',
      `read logins from "${path}": the "auth" of "${key}" is not the base64 of user:password`,
      {
        remedy: `Log in again with "strake login ${key}".`,
      },
    );
  const username = colon >= 0 ? decoded.slice(0, colon) : entry.username;
  // Some writers pad the text with NULs.
  const password = (colon >= 0 ? decoded.slice(colon + 1) : (entry.password ?? '')).replace(/\0+$/, '');
  if (entry.registrytoken) return { secret: entry.registrytoken, kind: 'bearer', username };
  if (entry.identitytoken) return { secret: entry.identitytoken, kind: 'identity-token', username };
  if (username === '<token>' && password !== '') return { secret: password, kind: 'identity-token' };
  if (username === undefined || (username === '' && password === '')) return undefined;
  return { username, secret: password, kind: 'password' };
}

/** The entry that keeps a credential. */
export function entryOf(credential: Credential): AuthEntry {
  const { username = '', secret, kind } = credential;
  if (kind === 'bearer') return { registrytoken: secret };
  const auth = (password: string): string => Buffer.from(`${username}:${password}`).toString('base64');
  return kind === 'identity-token' ? { auth: auth(''), identitytoken: secret } : { auth: auth(secret) };
}

/** Written whole to a file beside it, mode 0600, synced and renamed; a symbolic link is followed, not replaced. */
export function writeCredentialFile(path: string, file: CredentialFile, random: Random): void {
  let target = path;
  try {
    target = realpathSync(path);
  } catch (error) {
    if (!hasErrno(error, 'ENOENT')) throw error;
  }
  let temporary: string | undefined;
  try {
    mkdirSync(dirname(target), { recursive: true, mode: 0o700 });
    temporary = join(dirname(target), `.config-${random.hex(6)}.tmp`);
    const fd = openSync(temporary, 'wx', 0o600);
    try {
      writeSync(fd, `${JSON.stringify(file, null, '\t')}\n`);
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
    renameSync(temporary, target);
  } catch (error) {
    if (temporary !== undefined) rmSync(temporary, { force: true });
    throw registryError('CREDENTIALS_INVALID', `write logins to "${path}": ${messageOf(error)}`, { cause: error });
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
