import { closeSync, constants, fstatSync, lstatSync, openSync, readdirSync, readlinkSync, readSync } from 'node:fs';
import { posix } from 'node:path';
import { hasErrno, reasonOf, sys, throwIfCancelled, type Wait } from '../base/index.ts';
import type { Entry } from './entry.ts';
import { treeError } from './errors.ts';
import { decodePath } from './path-text.ts';
import { holdParent, inFolder, typeOf } from './rooted-files.ts';
import { longHeader, writeShortHeader } from './tar-encoder.ts';
import { BLOCK } from './tar-header.ts';
import { isLayerXattr } from './walk-folder.ts';

export interface PackOptions extends Wait {
  /** What the entry is called in the archive; "" for a folder of which only what is in it is wanted. */
  readonly as: string;
  /** Where a link leads in place of the link itself. */
  readonly follow?: boolean | undefined;
}

/**
 * What is at a path below `root` (a folder held open, see rooted-files.ts) as a tar: owners, modes, times, links, hard links among what is packed, devices, the attributes that layers keep. Sockets are left out. A file that
 * becomes shorter meanwhile is filled with zeros; what it grows by is not there. Throws `PATH_NOT_FOUND`, `FILE_UNREADABLE`.
 */
export async function* packFiles(root: number, path: string, o: PackOptions): AsyncGenerator<Uint8Array> {
  try {
    const at = o.follow === true ? followed(root, path) : path;
    using parent = holdParent(root, at);
    const links = new Map<string, string>();
    yield* packed({ fd: parent.fd, name: parent.name, as: o.as, links, wait: o });
  } catch (error) {
    if (!isSystem(error)) throw error;
    const code = hasErrno(error, 'ENOENT', 'ENOTDIR', 'ELOOP') ? 'PATH_NOT_FOUND' : 'FILE_UNREADABLE';
    throw treeError(code, `read "${path}": ${reasonOf(error)}`, { cause: error });
  }
  yield Buffer.alloc(2 * BLOCK);
}

const PIECE = 256 << 10;
const MOST_LINKS = 40;

interface Item {
  readonly fd: number;
  readonly name: string;
  readonly as: string;
  /** What has several names, by device and inode: the first one. */
  readonly links: Map<string, string>;
  readonly wait: Wait;
}

async function* packed(item: Item): AsyncGenerator<Uint8Array> {
  throwIfCancelled(item.wait);
  const { fd, name, as, links } = item;
  const place = inFolder(fd, name);
  const stats = lstatSync(place, { bigint: true });
  const mode = Number(stats.mode);
  const type = typeOf(mode);
  if (type === 'socket') return;
  if (type === 'file') {
    yield* packedFile(item);
    return;
  }
  const identity = `${stats.dev}:${stats.ino}`;
  const first = type !== 'directory' && stats.nlink > 1n ? links.get(identity) : undefined;
  const entry: Entry = {
    path: as,
    type: first === undefined ? type : 'hardlink',
    mode: mode & 0o7777,
    uid: Number(stats.uid),
    gid: Number(stats.gid),
    size: 0,
    ...timesOf(stats.mtimeNs),
    ...(first !== undefined
      ? { link: first }
      : type === 'symlink'
        ? { link: decodePath(readlinkSync(place, { encoding: 'buffer' })) }
        : type === 'character' || type === 'block'
          ? { device: sys.splitDevice(stats.rdev) }
          : {}),
    xattrs: attributesOf(place),
  };
  if (type !== 'directory') {
    if (stats.nlink > 1n) links.set(identity, as);
    yield headerOf(entry, as);
    return;
  }
  if (as !== '') yield headerOf(entry, `${as}/`);
  const folder = openSync(place, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW);
  try {
    for (const below of readdirSync(`/proc/self/fd/${folder}`, { encoding: 'buffer' }).map(decodePath).sort()) {
      try {
        yield* packed({ ...item, fd: folder, name: below, as: as === '' ? below : `${as}/${below}` });
      } catch (error) {
        // It has gone meanwhile.
        if (!hasErrno(error, 'ENOENT')) throw error;
      }
    }
  } finally {
    closeSync(folder);
  }
}

async function* packedFile({ fd, name, as, links, wait }: Item): AsyncGenerator<Uint8Array> {
  const place = inFolder(fd, name);
  const file = openSync(place, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    const stats = fstatSync(file, { bigint: true });
    const identity = `${stats.dev}:${stats.ino}`;
    const first = stats.nlink > 1n ? links.get(identity) : undefined;
    const size = first === undefined ? Number(stats.size) : 0;
    const entry: Entry = {
      path: as,
      type: first === undefined ? 'file' : 'hardlink',
      mode: Number(stats.mode) & 0o7777,
      uid: Number(stats.uid),
      gid: Number(stats.gid),
      size,
      ...timesOf(stats.mtimeNs),
      ...(first === undefined ? {} : { link: first }),
      xattrs: attributesOf(place),
    };
    if (stats.nlink > 1n && first === undefined) links.set(identity, as);
    yield headerOf(entry, as);
    for (let left = size; left > 0;) {
      throwIfCancelled(wait);
      const piece = Buffer.alloc(Math.min(left, PIECE));
      for (let have = 0; have < piece.length;) {
        const got = readSync(file, piece, have, piece.length - have, null);
        if (got === 0) break;
        have += got;
      }
      left -= piece.length;
      yield piece;
    }
    const rest = size % BLOCK;
    if (rest > 0) yield Buffer.alloc(BLOCK - rest);
  } finally {
    closeSync(file);
  }
}

function headerOf(entry: Entry, name: string): Uint8Array {
  const block = Buffer.alloc(BLOCK);
  return writeShortHeader(entry, name, block, 0) ? block : longHeader(entry, name);
}

function timesOf(ns: bigint): Pick<Entry, 'mtime' | 'mtimeNs'> {
  return { mtime: Number(ns / 1_000_000_000n), mtimeNs: 0 };
}

function attributesOf(place: string | Buffer): Entry['xattrs'] {
  const kept = sys.listXattrs(place).filter(isLayerXattr);
  if (kept.length === 0) return undefined;
  return new Map(
    kept.flatMap((name) => {
      const value = sys.getXattr(place, name);
      return value ? [[name, value] as const] : [];
    }),
  );
}

/** Where a path leads, links and all. */
function followed(root: number, path: string): string {
  let at = posix.resolve('/', path);
  for (let steps = 0; steps < MOST_LINKS; steps++) {
    using parent = holdParent(root, at);
    const place = inFolder(parent.fd, parent.name);
    const stats = lstatSync(place, { throwIfNoEntry: false });
    if (!stats?.isSymbolicLink()) return at;
    at = posix.resolve(posix.dirname(at), decodePath(readlinkSync(place, { encoding: 'buffer' })));
  }
  throw treeError('LINK_LOOP', `read "${path}": its links lead in a circle`);
}

function isSystem(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && 'errno' in error;
}
