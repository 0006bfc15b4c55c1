import { closeSync, constants, fstatSync, lstatSync, openSync, readdirSync, readFileSync } from 'node:fs';
import { hasErrno } from '../../base/index.ts';
import type { Files } from '../../frontend/buildpack/index.ts';
import type { Entry, EntryType } from '../../tree/index.ts';
import { lifecycleError } from './errors.ts';

const LIMIT = 16 << 20;

/** The files of this machine, as the pure parts of the lifecycle look at them. */
export const diskFiles: Files = {
  read: async (path) => readSmall(path),
  list: async (path) => {
    try {
      return readdirSync(path)
        .sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
        .flatMap((name) => statEntry(`${path}/${name}`) ?? []);
    } catch (error) {
      if (hasErrno(error, 'ENOENT', 'ENOTDIR')) return [];
      throw error;
    }
  },
  stat: async (path) => statEntry(path),
};

/** The text of a file, if there is one. */
export function readText(path: string): string | undefined {
  return readSmall(path)?.toString();
}

/** A file that must be there. Throws `LIFECYCLE_FILE_MISSING`. */
export function needText(path: string, what: string): string {
  const text = readText(path);
  if (text !== undefined) return text;
  throw lifecycleError('LIFECYCLE_FILE_MISSING', `read ${what}: there is no file "${path}"`, {
    remedy: 'Run the phase that writes it first, or name another path.',
  });
}

function readSmall(path: string): Buffer | undefined {
  let fd: number;
  try {
    // A fifo must not block.
    fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (error) {
    if (hasErrno(error, 'ENOENT', 'ENOTDIR')) return undefined;
    throw error;
  }
  try {
    const stat = fstatSync(fd);
    if (!stat.isFile()) return undefined;
    if (stat.size > LIMIT) throw lifecycleError('LIFECYCLE_UNSUPPORTED', `read "${path}": it has more than 16 MiB`);
    return readFileSync(fd);
  } catch (error) {
    if (hasErrno(error, 'EISDIR')) return undefined;
    throw error;
  } finally {
    closeSync(fd);
  }
}

function statEntry(path: string): Entry | undefined {
  try {
    const stat = lstatSync(path);
    const type: EntryType = stat.isDirectory()
      ? 'directory'
      : stat.isFile()
        ? 'file'
        : stat.isSymbolicLink()
          ? 'symlink'
          : stat.isCharacterDevice()
            ? 'character'
            : stat.isBlockDevice()
              ? 'block'
              : 'fifo';
    return {
      path: path.replace(/^\/+/, ''),
      type,
      mode: stat.mode & 0o7777,
      uid: stat.uid,
      gid: stat.gid,
      size: stat.isFile() ? stat.size : 0,
      mtime: Math.floor(stat.mtimeMs / 1000),
      mtimeNs: 0,
    };
  } catch (error) {
    if (hasErrno(error, 'ENOENT', 'ENOTDIR')) return undefined;
    throw error;
  }
}
