import { chmodSync, chownSync, lstatSync, mkdirSync, readlinkSync, type BigIntStats } from 'node:fs';
import { join } from 'node:path';
import { hasErrno } from '../base/index.ts';
import { execError } from './errors.ts';

/** A path of a root whose links are resolved: `exists` is there, `missing` is not. All of `exists` but its last part are real folders. */
export interface PlaceInRoot {
  readonly exists: readonly string[];
  readonly missing: readonly string[];
}

/**
 * Follows links inside a root that nobody else is changing: absolute ones and ".." start and stay at it. Throws `STEP_INVALID` for a loop or a way through something that is not a folder.
 */
export function resolveInRoot(root: string, path: string): PlaceInRoot {
  const todo = parts(path);
  let exists: string[] = [];
  let links = 0;
  for (;;) {
    const name = todo.shift();
    if (name === undefined) return { exists, missing: [] };
    if (name === '..') {
      exists.pop();
      continue;
    }
    const at = join(root, ...exists, name);
    const stats = lstatInRoot(at);
    if (!stats) return { exists, missing: cleaned([name, ...todo]) };
    if (stats.isSymbolicLink()) {
      if (++links > 40) throw execError('STEP_INVALID', `find "${path}" in the root: too many symbolic links`);
      const target = readlinkSync(at);
      if (target.startsWith('/')) exists = [];
      todo.unshift(...parts(target));
    } else if (stats.isDirectory() || todo.length === 0) exists.push(name);
    else
      throw execError('STEP_INVALID', `find "${path}" in the root: "/${[...exists, name].join('/')}" is not a folder`);
  }
}

/** Makes the missing folders of a place, whatever the umask is, and gives them to `owner`. */
export function makeFolders(
  root: string,
  place: PlaceInRoot,
  owner?: { readonly uid: number; readonly gid: number },
): string {
  let at = join(root, ...place.exists);
  for (const name of place.missing) {
    at = join(at, name);
    mkdirSync(at);
    chmodSync(at, 0o755);
    if (owner && (owner.uid !== 0 || owner.gid !== 0)) chownSync(at, owner.uid, owner.gid);
  }
  return at;
}

/** lstat with nanoseconds; undefined when there is nothing. */
export function lstatIfThere(path: string): BigIntStats | undefined {
  try {
    return lstatSync(path, { bigint: true });
  } catch (error) {
    if (hasErrno(error, 'ENOENT', 'ENOTDIR')) return undefined;
    throw error;
  }
}

function lstatInRoot(path: string): ReturnType<typeof lstatIfThere> {
  try {
    return lstatIfThere(path);
  } catch (error) {
    if (hasErrno(error, 'ENAMETOOLONG'))
      throw execError('STEP_INVALID', `find "${path}" in the root: the name is too long`, { cause: error });
    throw error;
  }
}

function parts(path: string): string[] {
  return path.split('/').filter((name) => name !== '' && name !== '.');
}

/** What is missing has no links, so ".." goes by the text. */
function cleaned(names: readonly string[]): string[] {
  const out: string[] = [];
  for (const name of names) {
    if (name === '..') out.pop();
    else out.push(name);
  }
  return out;
}
