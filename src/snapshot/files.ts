/** Small synchronous helpers around node:fs. Paths are text as in the tree room: names that are not UTF-8 hold lone surrogates. */
import {
  chmodSync,
  closeSync,
  constants,
  fchmodSync,
  fchownSync,
  fstatSync,
  lchownSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readlinkSync,
  readSync,
  realpathSync,
  symlinkSync,
  writeSync,
  type BigIntStats,
} from 'node:fs';
import { hasErrno, sys } from '../base/index.ts';
import { decodePath, encodePath } from '../tree/index.ts';

export type Stat = BigIntStats;

/** `path` as node:fs and `sys` take it. */
export function native(path: string): string | Buffer {
  return path.isWellFormed() ? path : encodePath(path);
}

/** lstat, or undefined where there is nothing. */
export function statOf(path: string): Stat | undefined {
  try {
    return lstatSync(native(path), { bigint: true, throwIfNoEntry: false });
  } catch (error) {
    if (hasErrno(error, 'ENOTDIR')) return undefined;
    throw error;
  }
}

/** The names in a folder, in no order. */
export function namesIn(path: string): string[] {
  const at = native(path);
  const names = readdirSync(at);
  if (!names.some((name) => name.includes('\u{fffd}'))) return names;
  return readdirSync(at, 'buffer').map((name) => decodePath(name));
}

export function linkTarget(path: string): string {
  const target = readlinkSync(native(path));
  return target.includes('\u{fffd}') ? decodePath(readlinkSync(native(path), 'buffer')) : target;
}

/** Where a path leads; undefined where there is nothing. */
export function realpathIfThere(path: string): string | undefined {
  try {
    return realpathSync(path);
  } catch (error) {
    if (hasErrno(error, 'ENOENT', 'ENOTDIR', 'ELOOP')) return undefined;
    throw error;
  }
}

export function below(folder: string, name: string): string {
  return folder === '' ? name : `${folder}/${name}`;
}

export function parentOf(path: string): string {
  return path.slice(0, Math.max(0, path.lastIndexOf('/')));
}

export function nameOf(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}

/** The kernel's mark, in an overlay's upper folder, for a name that is gone. */
export function isWhiteout(stat: Stat): boolean {
  return stat.isCharacterDevice() && stat.rdev === 0n;
}

/** Attributes by which overlayfs keeps its own books, and strake its own; never part of a layer. */
export function isPrivateXattr(name: string): boolean {
  return /^(trusted|user)\.overlay\.|^user\.strake\./.test(name);
}

/** The owner that a file should have, on a ground with one id only. */
export const OWNER_XATTR = 'user.strake.owner';

/** Attributes to carry over when a file or folder is copied within a store. */
export function copiedXattrs(path: string): [string, Uint8Array][] {
  const at = native(path);
  const kept: [string, Uint8Array][] = [];
  for (const name of sys.listXattrs(at)) {
    if (/^(trusted|user)\.overlay\./.test(name) || name === 'security.selinux') continue;
    const value = sys.getXattr(at, name);
    if (value) kept.push([name, value]);
  }
  return kept;
}

const BUFFER = Buffer.allocUnsafeSlow(1 << 20);

/** `length` bytes from where both files stand; shared blocks where the file system can, else copied. Ends early at the end of the source. */
export function copyContent(toFd: number, fromFd: number, length: number): void {
  if (length > 0 && sys.reflink(toFd, fromFd)) return;
  for (let left = length; left > 0;) {
    const n = readSync(fromFd, BUFFER, 0, Math.min(left, BUFFER.length), null);
    if (n === 0) return;
    writeAll(toFd, BUFFER, 0, n);
    left -= n;
  }
}

export function writeAll(fd: number, buffer: Uint8Array, from: number, length: number): void {
  for (let at = 0; at < length;) at += writeSync(fd, buffer, from + at, length - at);
}

/** A copy of one entry (a folder without what is in it) with its owner, mode, attributes and times. A socket is left out. */
export function copyEntry(from: string, to: string, stat: Stat): void {
  const target = native(to);
  const uid = Number(stat.uid);
  const gid = Number(stat.gid);
  const mode = Number(stat.mode) & 0o7777;
  if (stat.isFile()) {
    const source = openSync(native(from), constants.O_RDONLY | constants.O_NOFOLLOW);
    try {
      const fd = openSync(target, 'wx', 0o600);
      try {
        copyContent(fd, source, fstatSync(source).size);
        fchownSync(fd, uid, gid);
        fchmodSync(fd, mode);
      } finally {
        closeSync(fd);
      }
    } finally {
      closeSync(source);
    }
  } else if (stat.isDirectory()) {
    mkdirSync(target, 0o700);
    copyFolderMetadata(from, to, stat);
    return;
  } else if (stat.isSymbolicLink()) {
    symlinkSync(readlinkSync(native(from), 'buffer'), target);
    lchownSync(target, uid, gid);
  } else if (stat.isSocket()) {
    return;
  } else {
    sys.mknod(target, Number(stat.mode), sys.splitDevice(stat.rdev));
    lchownSync(target, uid, gid);
    setMode(to, mode);
  }
  for (const [name, value] of copiedXattrs(from)) sys.setXattr(target, name, value);
  sys.utimes(target, stat.mtimeNs, stat.mtimeNs);
}

/** Owner, mode, attributes and times of a folder that is there. */
export function copyFolderMetadata(from: string, to: string, stat: Stat): void {
  const target = native(to);
  lchownSync(target, Number(stat.uid), Number(stat.gid));
  setMode(to, Number(stat.mode) & 0o7777);
  for (const [name, value] of copiedXattrs(from)) sys.setXattr(target, name, value);
  sys.utimes(target, stat.mtimeNs, stat.mtimeNs);
}

const O_PATH = 0o10000000;

/** chmod of anything but a symbolic link, never through one. */
export function setMode(path: string, mode: number): void {
  const fd = openSync(native(path), O_PATH | constants.O_NOFOLLOW);
  try {
    chmodSync(`/proc/self/fd/${fd}`, mode);
  } finally {
    closeSync(fd);
  }
}
