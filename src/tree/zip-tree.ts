import { createHash } from 'node:crypto';
import { closeSync, openSync, realpathSync } from 'node:fs';
import { Readable } from 'node:stream';
import { crc32, createInflateRaw } from 'node:zlib';
import { collect, fileBytes, throwIfCancelled, type Bytes, type Wait } from '../base/index.ts';
import type { Digest } from '../blob/index.ts';
import { sortEntries } from './compare-entries.ts';
import type { Entry } from './entry.ts';
import { treeError } from './errors.ts';
import type { FileRegion, FileTree } from './file-tree.ts';
import { zipContentOffset, zipMembers, type ZipMember } from './zip-directory.ts';

const S_IFMT = 0o170000;
const S_IFLNK = 0o120000;
const S_IFDIR = 0o040000;
/** Bytes of a symbolic link's target. */
const LINK_LIMIT = 4096;

/**
 * The tree of a zip archive (also a jar or war): files, folders, symbolic links where Unix wrote it; everything 0:0, folders that nothing states added. Of two of one name the last is taken. Contents are read when asked for and checked.
 * Throws `ZIP_INVALID`, `ZIP_UNSUPPORTED`, `PATH_TRAVERSAL`.
 */
export async function zipTree(path: string, w?: Wait): Promise<FileTree> {
  throwIfCancelled(w);
  const real = realpathSync(path);
  const members = new Map<string, ZipMember>();
  const entries = new Map<string, Entry>();
  for (const member of zipMembers(real)) {
    const name = cleanName(member.name, path);
    if (name === '') continue;
    for (let slash = name.indexOf('/'); slash > 0; slash = name.indexOf('/', slash + 1))
      if (!entries.has(name.slice(0, slash)))
        entries.set(name.slice(0, slash), folder(name.slice(0, slash), member.mtime));
    entries.set(name, await entryOf(name, member, { real, path, ...w }));
    members.set(name, member);
  }
  return new ZipTree(real, sortEntries([...entries.values()]), members);
}

class ZipTree implements FileTree {
  readonly #path: string;
  readonly #entries: readonly Entry[];
  readonly #members: ReadonlyMap<string, ZipMember>;

  constructor(path: string, entries: readonly Entry[], members: ReadonlyMap<string, ZipMember>) {
    this.#path = path;
    this.#entries = entries;
    this.#members = members;
  }

  async entries(w?: Wait): Promise<readonly Entry[]> {
    throwIfCancelled(w);
    return this.#entries;
  }

  async *read(files: readonly Entry[], w?: Wait): Bytes {
    for (const file of files) yield* contentOf(this.#path, this.#member(file), w);
  }

  async digests(files: readonly Entry[], w?: Wait): Promise<readonly Digest[]> {
    const found: Digest[] = [];
    for (const file of files) {
      const hash = createHash('sha256');
      for await (const chunk of contentOf(this.#path, this.#member(file), w)) hash.update(chunk);
      found.push(`sha256:${hash.digest('hex')}`);
    }
    return found;
  }

  /** What is stored as it is can be read in place. */
  locate(file: Entry): FileRegion | undefined {
    const member = this.#member(file);
    if (member.method !== 'stored') return undefined;
    return { path: this.#path, offset: offsetOf(this.#path, member), length: member.size };
  }

  #member(file: Entry): ZipMember {
    const member = this.#members.get(file.path);
    if (member) return member;
    throw treeError('PATH_NOT_FOUND', `read "${file.path}": not a file of this archive`);
  }
}

/** The bytes of a member; the size and checksum of its directory must hold. */
async function* contentOf(path: string, member: ZipMember, w?: Wait): Bytes {
  const bad = (detail: string, cause?: unknown): Error =>
    treeError('ZIP_INVALID', `read zip "${path}": "${member.name}" ${detail}`, { cause });
  const packed = fileBytes(path, { offset: offsetOf(path, member), length: member.compressed, signal: w?.signal });
  let size = 0;
  let crc = 0;
  const inflated =
    member.method === 'stored' ? packed : inflate(packed, (error) => bad('cannot be decompressed', error));
  for await (const chunk of inflated) {
    size += chunk.length;
    if (size > member.size) break;
    crc = crc32(chunk, crc);
    yield chunk;
  }
  if (size !== member.size || crc !== member.crc) throw bad('is damaged');
}

async function* inflate(packed: Bytes, fail: (error: unknown) => Error): Bytes {
  const source = Readable.from(packed, { objectMode: false });
  const target = createInflateRaw();
  source.on('error', (error) => target.destroy(error));
  try {
    for await (const chunk of source.pipe(target)) yield chunk as Buffer;
  } catch (error) {
    throw error instanceof Error && 'errno' in error ? fail(error) : error;
  } finally {
    source.destroy();
    target.destroy();
  }
}

function offsetOf(path: string, member: ZipMember): number {
  const fd = openSync(path, 'r');
  try {
    return zipContentOffset(fd, member, path);
  } finally {
    closeSync(fd);
  }
}

async function entryOf(name: string, member: ZipMember, o: { real: string; path: string } & Wait): Promise<Entry> {
  const { mode, mtime, size } = member;
  const type = (mode ?? 0) & S_IFMT;
  if (member.name.endsWith('/') || type === S_IFDIR)
    return { ...folder(name, mtime), mode: mode === undefined || mode === 0 ? 0o755 : mode & 0o7777 };
  const file: Entry = { path: name, type: 'file', mode: 0o644, uid: 0, gid: 0, size, mtime, mtimeNs: 0 };
  if (type === S_IFLNK) {
    if (size > LINK_LIMIT) throw treeError('ZIP_INVALID', `read zip "${o.path}": the link "${name}" is too long`);
    const target = await collect(contentOf(o.real, member, o));
    return { ...file, type: 'symlink', mode: 0o777, size: 0, link: Buffer.from(target).toString() };
  }
  return mode === undefined || mode === 0 ? file : { ...file, mode: mode & 0o7777 };
}

function folder(path: string, mtime: number): Entry {
  return { path, type: 'directory', mode: 0o755, uid: 0, gid: 0, size: 0, mtime, mtimeNs: 0 };
}

/** A name relative to the root; one that leads out of it is refused. */
function cleanName(name: string, path: string): string {
  const parts = name.split('/').filter((part) => part !== '' && part !== '.');
  if (parts.includes('..') || name.includes('\0'))
    throw treeError('PATH_TRAVERSAL', `read zip "${path}": its name "${name}" leads out of the archive`);
  return parts.join('/');
}
