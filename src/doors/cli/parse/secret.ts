import { accessSync, constants, statSync } from 'node:fs';
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { hasErrno, reasonOf } from '../../../base/index.ts';
import { cliError, usage } from '../errors.ts';
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
    else if (key === 'type' ? value !== 'file' && value !== 'env' : key !== 'id')
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
  if (statSync(source.file).isDirectory()) throw fail('SECRET_MISSING', 'it is a folder');
}

/** `default`, `ID` or `ID=SOCKET`: the socket of an ssh agent by id. Without a path it is SSH_AUTH_SOCK's. */
export function agentOf(text: string, o: Places): { readonly id: string; readonly socket: string } {
  const equals = text.indexOf('=');
  const id = (equals < 0 ? text : text.slice(0, equals)) || 'default';
  const path = equals < 0 ? o.env['SSH_AUTH_SOCK'] : expandHome(text.slice(equals + 1));
  if (path === undefined || path === '')
    throw usage(
      `read --ssh "${text}": SSH_AUTH_SOCK is not set`,
      'Start an ssh-agent, or name its socket: --ssh default=SOCKET.',
    );
  if (path.includes(','))
    throw usage(
      `read --ssh "${text}": several keys are not supported`,
      'Add them to an ssh-agent and name its socket.',
    );
  return { id, socket: resolve(o.cwd, path) };
}

function expandHome(path: string): string {
  return path.startsWith('~/') ? join(homedir(), path.slice(2)) : path;
}
