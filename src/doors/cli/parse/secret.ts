import { accessSync, constants, readFileSync, statSync, type Stats } from 'node:fs';
import { join, resolve } from 'node:path';
import { hasErrno, reasonOf } from '../../../base/index.ts';
import { KeyFault, readPrivateKey, type SshKey } from '../agent/private-key.ts';
import { cliError, usage } from '../errors.ts';
import { homeFolder } from '../home-folder.ts';
import { csvPairs } from './csv.ts';

/** Where a secret comes from. */
export type SecretSource = { readonly file: string } | { readonly env: string };

interface Places {
  readonly cwd: string;
  readonly env: Readonly<Record<string, string | undefined>>;
}

/**
 * `id=ID[,src=FILE|,env=NAME][,type=file|env]` (buildx util/buildflags/secrets.go). Without a source it is the variable named like the id where that is set, else the file of that name.
 */
export function secretOf(text: string, o: Places): { readonly id: string; readonly source: SecretSource } {
  const what = '--secret';
  const pairs = csvPairs(text, what);
  const bad = (detail: string): Error =>
    usage(`read ${what} "${text}": ${detail}`, 'Write id=NAME,src=FILE or id=NAME,env=VARIABLE.');
  let file: string | undefined;
  let env: string | undefined;
  for (const [key, value] of pairs) {
    if (key === 'src' || key === 'source') file = value;
    else if (key === 'env') env = value;
    else if (key === 'type' ? value !== 'file' && value !== 'env' : key !== 'id' && key !== 'buildpack')
      throw bad(`"${key}=${value}" is not known`);
  }
  const id = pairs.get('id') ?? (file === undefined ? env : file.split('/').at(-1));
  if (id === undefined || id === '') throw bad('the id is missing');
  const type = pairs.get('type');
  if (type === 'env') env ??= file ?? id;
  if (file === undefined && env === undefined && type !== 'file' && o.env[id] !== undefined) env = id;
  if (env !== undefined && type !== 'file') return { id, source: { env } };
  return { id, source: { file: resolve(o.cwd, expandHome(file ?? id)) } };
}

/** Throws for a secret whose file cannot be read, before anything is built; it is read when a step asks. A variable may be unset, as with Docker. */
export function checkSecret(id: string, source: SecretSource): void {
  if ('env' in source) return;
  const fail = (code: 'SECRET_MISSING' | 'SECRET_UNREADABLE', detail: string): Error =>
    cliError(code, `read secret "${id}" from "${source.file}": ${detail}`, {
      remedy: 'Name a file that is there and readable: --secret id=NAME,src=FILE.',
    });
  try {
    accessSync(source.file, constants.R_OK);
  } catch (error) {
    const missing = hasErrno(error, 'ENOENT', 'ENOTDIR');
    throw fail(missing ? 'SECRET_MISSING' : 'SECRET_UNREADABLE', reasonOf(error));
  }
  const stats = statSync(source.file);
  if (stats.isDirectory()) throw fail('SECRET_MISSING', 'it is a folder');
  if (stats.size > MAX_SECRET) throw tooLarge(id, source.file);
}

/** As with BuildKit (session/secrets, MaxSecretSize). */
export const MAX_SECRET: number = 500 << 10;

export function tooLarge(id: string, file: string): Error {
  return cliError('SECRET_TOO_LARGE', `read secret "${id}" from "${file}": it is larger than 500 kB`, {
    remedy: 'Secrets are keys and passwords: offer larger files by --build-context and RUN --mount=type=bind.',
  });
}

/** What answers as an ssh agent: the agent at a socket, or keys from files. */
export type AgentSource = { readonly socket: string } | { readonly keys: readonly SshKey[] };

/**
 * `default`, `ID`, `ID=SOCKET` or `ID=KEYFILE[,KEYFILE…]` (buildx util/buildflags/ssh.go): an ssh agent by id. Without a path it is the one at SSH_AUTH_SOCK. Keys are read now. Throws `SSH_KEY_INVALID`, `SSH_KEY_UNREADABLE`.
 */
export function agentOf(text: string, o: Places): { readonly id: string; readonly source: AgentSource } {
  const equals = text.indexOf('=');
  const id = (equals < 0 ? text : text.slice(0, equals)) || 'default';
  const said = equals < 0 ? (o.env['SSH_AUTH_SOCK'] ?? '') : text.slice(equals + 1);
  if (said === '')
    throw usage(
      `read --ssh "${text}": ${equals < 0 ? 'SSH_AUTH_SOCK is not set' : 'there is no path'}`,
      'Start an ssh-agent, or name its socket or a key: --ssh default=SOCKET, --ssh default=KEYFILE.',
    );
  const paths = said.split(',').map((path) => resolve(o.cwd, expandHome(path)));
  const [only] = paths;
  if (only !== undefined && paths.length === 1 && statOf(only)?.isSocket()) return { id, source: { socket: only } };
  return { id, source: { keys: paths.map((path) => keyOf(id, path)) } };
}

/** Larger files are no keys. */
const LONGEST_KEY = 1 << 20;

function keyOf(id: string, path: string): SshKey {
  const what = `read the ssh key or agent "${id}" from "${path}"`;
  const remedy = 'Name the socket of an ssh-agent or the files of private keys: --ssh ID=KEYFILE,KEYFILE.';
  const stats = statOf(path);
  if (stats?.isSocket())
    throw cliError('SSH_KEY_INVALID', `${what}: a socket beside others`, {
      remedy: 'Give each agent an id of its own.',
    });
  if (stats && (!stats.isFile() || stats.size > LONGEST_KEY))
    throw cliError('SSH_KEY_INVALID', `${what}: it is no private key`, { remedy });
  try {
    return readPrivateKey(readFileSync(path, 'latin1'));
  } catch (error) {
    if (!(error instanceof KeyFault)) {
      const missing = hasErrno(error, 'ENOENT', 'ENOTDIR');
      throw cliError(missing ? 'SSH_KEY_MISSING' : 'SSH_KEY_UNREADABLE', `${what}: ${reasonOf(error)}`, {
        cause: error,
        remedy,
      });
    }
    const locked = error.message.includes('passphrase');
    throw cliError('SSH_KEY_INVALID', `${what}: ${error.message}`, {
      remedy: locked ? `Add it to an ssh-agent by ssh-add, and give that: --ssh ${id}.` : remedy,
    });
  }
}

function statOf(path: string): Stats | undefined {
  try {
    return statSync(path);
  } catch {
    return undefined;
  }
}

function expandHome(path: string): string {
  return path.startsWith('~/') ? join(homeFolder(), path.slice(2)) : path;
}
