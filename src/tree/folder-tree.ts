import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { createHash, hash } from 'node:crypto';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { hasErrno, throwIfCancelled, type Bytes, type CodedError, type Wait } from '../base/index.ts';
import type { Digest } from '../blob/index.ts';
import { absenceIn, type Absence } from './absence.ts';
import { hashOnWorker, workerCount } from './codec-pool.ts';
import type { Entry, EntryType } from './entry.ts';
import { treeError } from './errors.ts';
import type { FileRegion, FileTree, WatchedRegion } from './file-tree.ts';
import { hashJob, isSame, NOFOLLOW } from './hash-files.ts';
import { fsPath } from './path-text.ts';
import type { FileStat, FolderStats, StatTable } from './stat-cache.ts';

/** What a file was when it was walked, and its record in the stat cache, or -1. */
export interface FileIdentity extends FileStat {
  record: number;
  digest: Digest | undefined;
}

type EntryInit = Omit<Entry, 'size' | 'link' | 'device' | 'xattrs'> & Partial<Entry>;

/** An entry that remembers which file it was made from. */
export class FolderEntry implements Entry {
  readonly path: string;
  readonly type: EntryType;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly size: number;
  readonly mtime: number;
  readonly mtimeNs: number;
  readonly link: string | undefined;
  readonly device: Entry['device'];
  readonly xattrs: Entry['xattrs'];
  readonly #identity: FileIdentity | undefined;

  constructor(init: EntryInit, identity?: FileIdentity) {
    this.path = init.path;
    this.type = init.type;
    this.mode = init.mode;
    this.uid = init.uid;
    this.gid = init.gid;
    this.size = init.size ?? 0;
    this.mtime = init.mtime;
    this.mtimeNs = init.mtimeNs;
    this.link = init.link;
    this.device = init.device;
    this.xattrs = init.xattrs;
    this.#identity = identity;
  }

  static identityOf(entry: Entry): FileIdentity | undefined {
    return #identity in entry ? entry.#identity : undefined;
  }
}

const CHUNK = 1 << 20;
/** What a file costs to hash beside its bytes, as so many bytes. */
const OPENING = 16 * 1024;
/** Files of so many bytes in all are worth the start of workers; so many go to one at a time. */
const MANY = 32 << 20;
const BATCH = 4 << 20;

/** A folder of this machine as it was when walked. A file that is no longer what it was then makes `read`, `digests` and `locate` throw `FILE_CHANGED`. */
export class FolderTree implements FileTree {
  readonly root: string;
  readonly #entries: readonly Entry[];
  readonly #stats: FolderStats | undefined;
  readonly #table: StatTable | undefined;
  #byPath: Map<string, Entry> | undefined;
  /** Only of a folder in which nothing changes: a reader that opens a file itself would not see that it has. */
  readonly locate?: (file: Entry) => FileRegion | undefined;
  readonly #exclude: readonly string[] | undefined;

  constructor(
    root: string,
    entries: readonly Entry[],
    o: {
      stats?: FolderStats | undefined;
      table?: StatTable | undefined;
      stable?: boolean | undefined;
      exclude?: readonly string[] | undefined;
    },
  ) {
    this.root = root;
    this.#entries = entries;
    this.#stats = o.stats;
    this.#table = o.table;
    this.#exclude = o.exclude;
    if (o.stable === true)
      this.locate = (file) => ({ path: fsPath(this.root, file.path), offset: 0, length: file.size });
  }

  async entries(w?: Wait): Promise<readonly Entry[]> {
    throwIfCancelled(w);
    return this.#entries;
  }

  watched(file: Entry): WatchedRegion {
    const identity = this.#identity(file);
    return {
      path: fsPath(this.root, file.path),
      offset: 0,
      length: file.size,
      check: (fd) => checkSame(fd, file, identity),
    };
  }

  absence(path: string): Absence {
    return absenceIn(this.root, path, this.#exclude);
  }

  async *read(files: readonly Entry[], w?: Wait): Bytes {
    let left = 0;
    for (const file of files) left += file.size;
    let chunk = Buffer.allocUnsafeSlow(Math.min(CHUNK, left));
    let at = 0;
    for (const file of files) {
      using open = this.#open(file);
      for (let done = 0; done < file.size;) {
        const n = open.read(chunk, at, Math.min(chunk.length - at, file.size - done));
        done += n;
        at += n;
        left -= n;
        if (at < chunk.length) continue;
        if (done === file.size) open.check();
        throwIfCancelled(w);
        yield chunk;
        chunk = Buffer.allocUnsafeSlow(Math.min(CHUNK, left));
        at = 0;
      }
      open.check();
    }
  }

  async digests(files: readonly Entry[], w?: Wait): Promise<readonly Digest[]> {
    await this.#hashTogether(files, w);
    const out: Digest[] = [];
    let buffer: Buffer | undefined;
    let since = 0;
    for (const file of files) {
      const identity = this.#identity(file);
      if (identity && identity.record >= 0) identity.digest ??= this.#table!.digest(identity.record);
      if (identity?.digest !== undefined) {
        out.push(identity.digest);
        continue;
      }
      buffer ??= Buffer.allocUnsafeSlow(CHUNK);
      const digest = await this.#hash(file, buffer, w);
      if (identity) identity.digest = digest;
      out.push(digest);
      since += file.size + 8192;
      if (since < 64 * CHUNK) continue;
      since = 0;
      await nextTurn();
      throwIfCancelled(w);
    }
    if (buffer) this.#stats?.save();
    return out;
  }

  /** Hashes what is not known on all cores, where that is much; what a worker does not find as it was is left to be looked at again. */
  async #hashTogether(files: readonly Entry[], w?: Wait): Promise<void> {
    const stats = this.#stats;
    if (!stats || workerCount() < 2) return;
    const unknown: { readonly file: Entry; readonly path: string; readonly stat: FileIdentity }[] = [];
    let cost = 0;
    for (const file of files) {
      const identity = this.#identity(file);
      if (!identity) continue;
      if (identity.record >= 0) identity.digest ??= this.#table!.digest(identity.record);
      if (identity.digest !== undefined) continue;
      unknown.push({ file, path: file.path, stat: identity });
      cost += file.size + OPENING;
    }
    if (cost < MANY) return;
    let next = 0;
    const work = async (): Promise<void> => {
      while (next < unknown.length) {
        throwIfCancelled(w);
        const from = next;
        for (let size = 0; next < unknown.length && size < BATCH; next++) size += unknown[next]!.file.size + OPENING;
        const batch = unknown.slice(from, next);
        const readAt = stats.now();
        const digests = await hashOnWorker(hashJob(this.root, batch)).catch(() => []);
        for (const [i, { file, stat }] of batch.entries()) {
          const hex = digests[i];
          if (hex === undefined || hex === '') continue;
          stat.digest = `sha256:${hex}`;
          stats.add(file.path, stat, { digest: stat.digest, xattrs: (file.xattrs?.size ?? 0) > 0, readAt });
        }
      }
    };
    await Promise.all(Array.from({ length: 2 * workerCount() }, work));
    stats.save();
  }

  async #hash(file: Entry, buffer: Buffer, w?: Wait): Promise<Digest> {
    const readAt = this.#stats?.now() ?? 0;
    using open = this.#open(file);
    let hex: string;
    if (file.size <= buffer.length) {
      for (let at = 0; at < file.size;) at += open.read(buffer, at, file.size - at);
      hex = hash('sha256', buffer.subarray(0, file.size), 'hex');
    } else {
      const digester = createHash('sha256');
      for (let at = 0; at < file.size;) {
        const n = open.read(buffer, 0, Math.min(buffer.length, file.size - at));
        digester.update(buffer.subarray(0, n));
        at += n;
        if (at % (64 * CHUNK) !== 0) continue;
        await nextTurn();
        throwIfCancelled(w);
      }
      hex = digester.digest('hex');
    }
    open.check();
    const digest: Digest = `sha256:${hex}`;
    const identity = this.#identity(file);
    if (identity) this.#stats?.add(file.path, identity, { digest, xattrs: (file.xattrs?.size ?? 0) > 0, readAt });
    return digest;
  }

  #identity(file: Entry): FileIdentity | undefined {
    const own = FolderEntry.identityOf(file);
    if (own) return own;
    this.#byPath ??= new Map(this.#entries.map((entry) => [entry.path, entry]));
    const entry = this.#byPath.get(file.path);
    return entry && FolderEntry.identityOf(entry);
  }

  #open(file: Entry): OpenFile {
    return new OpenFile(this.root, file, this.#identity(file));
  }
}

class OpenFile {
  readonly #file: Entry;
  readonly #identity: FileIdentity | undefined;
  readonly #fd: number;

  constructor(root: string, file: Entry, identity: FileIdentity | undefined) {
    this.#file = file;
    this.#identity = identity;
    try {
      this.#fd = openSync(fsPath(root, file.path), NOFOLLOW);
    } catch (error) {
      if (hasErrno(error, 'ENOENT', 'ENOTDIR', 'ELOOP')) throw changed(file);
      throw fileError('read', file.path, error);
    }
  }

  /** At least one byte. */
  read(buffer: Buffer, at: number, length: number): number {
    let n: number;
    try {
      n = readSync(this.#fd, buffer, at, length, null);
    } catch (error) {
      throw fileError('read', this.#file.path, error);
    }
    if (n === 0) throw changed(this.#file);
    return n;
  }

  /** Throws `FILE_CHANGED` when the file is not what it was when walked. */
  check(): void {
    checkSame(this.#fd, this.#file, this.#identity);
  }

  [Symbol.dispose](): void {
    closeSync(this.#fd);
  }
}

function checkSame(fd: number, file: Entry, identity: FileIdentity | undefined): void {
  if (identity && !isSame(fstatSync(fd, { bigint: true }), identity)) throw changed(file);
}

function changed(file: Entry): CodedError {
  return treeError('FILE_CHANGED', `read "${file.path}": it changed while it was being read`, {
    remedy: 'Run the build again once nothing writes to this file any more, or leave it out by .dockerignore.',
  });
}

/** What a failure of the file system means, for the person whose folder it is. Other failures are given back as they are. */
export function fileError(action: string, path: string, error: unknown): unknown {
  if (hasErrno(error, 'EACCES', 'EPERM'))
    return treeError('FILE_UNREADABLE', `${action} "${path}": permission denied`, {
      remedy: 'Make it readable for the user who builds, or leave it out by .dockerignore.',
      cause: error,
    });
  if (hasErrno(error, 'ENOENT', 'ENOTDIR'))
    return treeError('PATH_NOT_FOUND', `${action} "${path}": not found`, {
      remedy: 'Check the path.',
      cause: error,
    });
  return error;
}
