import {
  chmodSync,
  closeSync,
  constants,
  fchmodSync,
  fchownSync,
  ftruncateSync,
  lchownSync,
  linkSync,
  lstatSync,
  mkdirSync,
  openSync,
  symlinkSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { posix } from 'node:path';
import { hasErrno, reasonOf, sys, throwIfCancelled, type Bytes, type Wait } from '../base/index.ts';
import { treeError } from './errors.ts';
import { encodePath } from './path-text.ts';
import { holdFolder, inFolder } from './rooted-files.ts';
import { BLOCK } from './tar-header.ts';
import type { TarMember } from './tar-member.ts';
import { TarParser } from './tar-reader.ts';

export interface UnpackOptions extends Wait {
  /** A folder held open as "/" (see rooted-files.ts), and one below it to unpack into. */
  readonly root: number;
  readonly folder: string;
  /** `keep`: as the archive says; one for all; absent: who runs this. */
  readonly owner?: 'keep' | { readonly uid: number; readonly gid: number } | undefined;
}

/**
 * Unpacks a tar below a folder, as "docker cp" does: folders are joined, files and links take the place of files and links, a folder and something else do not take each other's place. No link leads out of the root. What an
 * ordinary user may not make or give away (devices, owners) is left so. Throws `TAR_CORRUPT`, `PATH_TRAVERSAL`, `EXTRACT_DENIED`, `EXTRACT_FULL`, `EXTRACT_FAILED`.
 */
export async function unpackFiles(tar: Bytes, o: UnpackOptions): Promise<void> {
  const unpacking = new Unpacking(o);
  let current: string | undefined;
  const parser = new TarParser('read the archive', (member) => {
    current = member.path;
    unpacking.begin(member);
  });
  try {
    for await (const chunk of tar) {
      throwIfCancelled(o);
      for (let at = 0; at < chunk.length;) {
        // A header is read block by block, so that its content begins where the parser stops.
        const n = Math.min(
          chunk.length - at,
          parser.skippable > 0 ? parser.skippable : BLOCK - (parser.position % BLOCK),
        );
        const piece = chunk.subarray(at, at + n);
        if (parser.skippable > 0) {
          unpacking.content(piece);
          parser.skip(n);
        } else parser.feed(piece);
        at += n;
      }
    }
    parser.end();
    unpacking.end();
  } catch (error) {
    if (!(error instanceof Error && 'errno' in error)) throw error;
    const code = hasErrno(error, 'EACCES', 'EPERM', 'EROFS')
      ? 'EXTRACT_DENIED'
      : hasErrno(error, 'ENOSPC', 'EDQUOT')
        ? 'EXTRACT_FULL'
        : 'EXTRACT_FAILED';
    throw treeError(code, `write "${posix.join(o.folder, current ?? '')}": ${reasonOf(error)}`, { cause: error });
  } finally {
    unpacking.close();
  }
}

const NEW = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
const OVER = constants.O_WRONLY | constants.O_TRUNC | constants.O_NOFOLLOW | constants.O_NONBLOCK;

class Unpacking {
  readonly #o: UnpackOptions;
  /** The folder that the last entry was in. */
  #parent: ({ readonly path: string; readonly fd: number } & Disposable) | undefined;
  #file:
    | {
        readonly fd: number;
        readonly place: string | Buffer;
        readonly member: TarMember;
        left: number;
        extent: number;
        done: number;
      }
    | undefined;
  /** Get their modes and times last, the deeper ones first. */
  readonly #folders: { readonly path: string; readonly member: TarMember }[] = [];

  constructor(o: UnpackOptions) {
    this.#o = o;
  }

  begin(member: TarMember): void {
    this.#finishFile();
    const path = cleanName(member.path);
    // The folder itself stays as it is.
    if (path === '') return;
    const name = posix.basename(path);
    const fd = this.#folder(posix.dirname(path));
    const place = inFolder(fd, name);
    const there = lstatSync(place, { throwIfNoEntry: false });
    if (there && there.isDirectory() !== (member.type === 'directory'))
      throw treeError(
        'EXTRACT_FAILED',
        `write "${posix.join(this.#o.folder, path)}": ${there.isDirectory() ? 'a folder is there' : 'what is there is no folder'}`,
        { remedy: 'Remove it first, or choose another place.' },
      );
    if (member.type === 'directory') {
      if (!there) mkdirSync(place, 0o700);
      this.#folders.push({ path, member });
      return;
    }
    if (member.type === 'file') {
      const file = openFile(place, there !== undefined);
      this.#file = { fd: file, place, member, left: member.stored, extent: 0, done: 0 };
      if (member.stored === 0) this.#finishFile();
      return;
    }
    if (there) unlinkSync(place);
    if (member.type === 'symlink') symlinkSync(encodePath(member.link), place);
    else if (member.type === 'hardlink') return this.#link(member, place);
    else if (!this.#node(member, place)) return;
    this.#owner(member, place);
    if (member.type !== 'symlink') chmodSync(place, member.mode);
    attributes(member, place);
  }

  /** What follows an entry: its content, and what fills the last block. */
  content(piece: Uint8Array): void {
    const file = this.#file;
    if (!file) return;
    const { fd, member } = file;
    for (let at = 0; at < piece.length && file.left > 0;) {
      const extent = member.sparse?.[file.extent];
      const n = Math.min(piece.length - at, file.left, extent ? extent.length - file.done : Infinity);
      const position = extent ? extent.offset + file.done : member.stored - file.left;
      for (let written = 0; written < n;)
        written += writeSync(fd, piece, at + written, n - written, position + written);
      at += n;
      file.left -= n;
      file.done += n;
      if (extent && file.done === extent.length) {
        file.extent += 1;
        file.done = 0;
      }
    }
    if (file.left === 0) this.#finishFile();
  }

  end(): void {
    this.#finishFile();
    for (const { path, member } of this.#folders.toReversed()) {
      const place = inFolder(this.#folder(posix.dirname(path)), posix.basename(path));
      this.#owner(member, place);
      attributes(member, place);
      chmodSync(place, member.mode);
      time(member, place);
    }
  }

  close(): void {
    if (this.#file) closeSync(this.#file.fd);
    this.#parent?.[Symbol.dispose]();
  }

  #finishFile(): void {
    const file = this.#file;
    if (!file) return;
    this.#file = undefined;
    const { fd, place, member } = file;
    try {
      ftruncateSync(fd, member.size);
      const { owner } = this.#o;
      const ids = owner === 'keep' ? member : owner;
      if (ids) fchownSync(fd, ids.uid, ids.gid);
      attributes(member, place);
      fchmodSync(fd, member.mode);
      time(member, place);
    } finally {
      closeSync(fd);
    }
  }

  /** Held open until another one is asked for; made when it is missing. */
  #folder(path: string): number {
    const full = posix.join('/', this.#o.folder, path);
    if (this.#parent?.path === full) return this.#parent.fd;
    this.#parent?.[Symbol.dispose]();
    this.#parent = undefined;
    const held = holdMade(this.#o.root, full, posix.join('/', this.#o.folder));
    this.#parent = { path: full, ...held };
    return held.fd;
  }

  #link(member: TarMember, place: string | Buffer): void {
    const target = cleanName(member.link);
    using folder = holdFolder(this.#o.root, posix.join('/', this.#o.folder, posix.dirname(target)));
    linkSync(inFolder(folder.fd, posix.basename(target)), place);
  }

  #node(member: TarMember, place: string | Buffer): boolean {
    const kind = member.type === 'character' ? 0o020000 : member.type === 'block' ? 0o060000 : 0o010000;
    try {
      sys.mknod(place, kind | member.mode, { major: member.major, minor: member.minor });
      return true;
    } catch (error) {
      if (hasErrno(error, 'EPERM', 'EACCES')) return false;
      throw error;
    }
  }

  #owner(member: TarMember, place: string | Buffer): void {
    const { owner } = this.#o;
    const ids = owner === 'keep' ? member : owner;
    if (ids) lchownSync(place, ids.uid, ids.gid);
  }
}

/** Replaced; a file that is a mount, as /etc/hosts, is written over. */
function openFile(place: string | Buffer, there: boolean): number {
  if (!there) return openSync(place, NEW, 0o600);
  try {
    unlinkSync(place);
  } catch (error) {
    if (!hasErrno(error, 'EBUSY')) throw error;
    return openSync(place, OVER);
  }
  return openSync(place, NEW, 0o600);
}

function holdMade(root: number, path: string, base: string): { readonly fd: number } & Disposable {
  try {
    return holdFolder(root, path);
  } catch (error) {
    if (!hasErrno(error, 'ENOENT') || path === base || path === '/') throw error;
    using above = holdMade(root, posix.dirname(path), base);
    mkdirSync(inFolder(above.fd, posix.basename(path)), 0o755);
    return holdFolder(root, path);
  }
}

/** Relative, without "." and empty parts. */
function cleanName(name: string): string {
  const parts = name.split('/').filter((part) => part !== '' && part !== '.');
  if (parts.includes('..'))
    throw treeError('PATH_TRAVERSAL', `read the archive: "${name}" leads out of it`, {
      remedy: 'Do not use this archive unless you know who made it, and why.',
    });
  return parts.join('/');
}

function attributes(member: TarMember, place: string | Buffer): void {
  for (const [name, value] of member.xattrs ?? [])
    try {
      sys.setXattr(place, name, value);
    } catch (error) {
      if (!hasErrno(error, 'ENOTSUP', 'EOPNOTSUPP', 'EPERM', 'EACCES', 'ENOSPC', 'EINVAL', 'E2BIG', 'ERANGE'))
        throw error;
    }
}

function time(member: TarMember, place: string | Buffer): void {
  const ns = BigInt(member.mtime) * 1_000_000_000n + BigInt(member.mtimeNs);
  sys.utimes(place, ns, ns);
}
