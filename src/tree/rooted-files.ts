import { closeSync, constants, fstatSync, lstatSync, openSync, readlinkSync, type BigIntStats } from 'node:fs';
import { posix } from 'node:path';
import { hasErrno, sys } from '../base/index.ts';
import type { EntryType } from './entry.ts';
import { decodePath, encodePath, fsPath } from './path-text.ts';

/** Files below a folder that is held open as "/": links and ".." lead nowhere else, whoever changes them meanwhile. A path is held by descriptors, folder by folder. */

const O_PATH = 0o10000000;
const FOLDER = O_PATH | constants.O_DIRECTORY;

/** What is at a path. */
export interface RootedStat {
  readonly type: Exclude<EntryType, 'hardlink' | 'whiteout' | 'opaque'> | 'socket';
  readonly mode: number;
  /** Bytes of a file. */
  readonly size: number;
  /** Of a symbolic link. */
  readonly link?: string | undefined;
}

/** A folder of this machine as a root, until the end of the scope. */
export function openRoot(path: string): { readonly fd: number } & Disposable {
  const fd = openSync(path, FOLDER);
  return { fd, [Symbol.dispose]: () => closeSync(fd) };
}

/** The folder that a path's last part is in, held open, and that part ("" for the root itself). Throws ENOENT and such. */
export function holdParent(root: number, path: string): { readonly fd: number; readonly name: string } & Disposable {
  const clean = posix.resolve('/', path);
  const fd = sys.openInRoot(root, encodePath(posix.dirname(clean)), FOLDER);
  return { fd, name: posix.basename(clean), [Symbol.dispose]: () => closeSync(fd) };
}

/** A folder, whatever links lead there. */
export function holdFolder(root: number, path: string): { readonly fd: number } & Disposable {
  const fd = sys.openInRoot(root, encodePath(posix.resolve('/', path)), FOLDER);
  return { fd, [Symbol.dispose]: () => closeSync(fd) };
}

/** How node:fs names what is in a folder that is held open. */
export function inFolder(fd: number, name: string): string | Buffer {
  return fsPath(`/proc/self/fd/${fd}`, name === '' ? '.' : name);
}

/** What is at a path, undefined when there is nothing; `follow`: where links lead. Throws EACCES, ELOOP and such. */
export function statRooted(root: number, path: string, o: { readonly follow: boolean }): RootedStat | undefined {
  try {
    if (!o.follow) {
      using parent = holdParent(root, path);
      const place = inFolder(parent.fd, parent.name);
      return rootedStat(lstatSync(place, { bigint: true }), place);
    }
    const fd = sys.openInRoot(root, encodePath(posix.resolve('/', path)), O_PATH);
    try {
      return rootedStat(fstatSync(fd, { bigint: true }), '');
    } finally {
      closeSync(fd);
    }
  } catch (error) {
    if (hasErrno(error, 'ENOENT', 'ENOTDIR')) return undefined;
    throw error;
  }
}

export function typeOf(mode: number): RootedStat['type'] {
  return TYPES[mode & 0o170000] ?? 'file';
}

const TYPES: Readonly<Record<number, RootedStat['type']>> = {
  0o100000: 'file',
  0o040000: 'directory',
  0o120000: 'symlink',
  0o020000: 'character',
  0o060000: 'block',
  0o010000: 'fifo',
  0o140000: 'socket',
};

function rootedStat(stats: BigIntStats, place: string | Buffer): RootedStat {
  const mode = Number(stats.mode);
  const type = typeOf(mode);
  return {
    type,
    mode: mode & 0o7777,
    size: type === 'file' ? Number(stats.size) : 0,
    ...(type === 'symlink' ? { link: decodePath(readlinkSync(place, { encoding: 'buffer' })) } : {}),
  };
}
