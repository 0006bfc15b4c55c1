import {
  closeSync,
  existsSync,
  fstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  unlinkSync,
  utimesSync,
  writeSync,
} from 'node:fs';
import { opendir } from 'node:fs/promises';
import { join } from 'node:path';
import {
  fileBytes,
  hasCode,
  hasErrno,
  throwIfCancelled,
  type Bytes,
  type Clock,
  type Random,
  type Wait,
} from '../base/index.ts';
import type { BlobInfo, BlobStore } from './blob-store.ts';
import type { Descriptor } from './descriptor.ts';
import { algorithmOf, blobError, Digester, hexOf, isDigest, type Digest } from './digest.ts';
import { keepSyncMark } from './sync-mark.ts';
import { verified } from './verified.ts';

/** A blob being written: bytes go to `fd`, then `commit` names it, or the end of the scope throws it away. */
export interface Ingest extends Disposable {
  readonly fd: number;
  readonly path: string;
  /** The caller vouches that the bytes written have this digest. Renamed into place, also over a blob of another size, which cannot be whole; returns the path of the blob. */
  commit(digest: Digest): string;
}

/** Kinds of what is kept about blobs: tables of contents. */
const COMPANIONS: readonly string[] = ['toc'];

/**
 * Blobs as files `<folder>/<algorithm>/<first two digits>/<hex>`, mode 0444. A blob is written to `<folder>/ingest/` and renamed, so that one that is there is whole; several processes may share the folder. No blob is waited for
 * to reach the disk: `recover`, called before a store is used, makes up for a machine that went down (see `sync-mark.ts`).
 */
export class DiskBlobStore implements BlobStore {
  readonly folder: string;
  readonly #clock: Clock;
  readonly #random: Random;

  constructor(folder: string, o: { clock: Clock; random: Random }) {
    this.folder = folder;
    this.#clock = o.clock;
    this.#random = o.random;
  }

  /**
   * To be called before the store is used. After another boot of the machine, blobs that may not have reached the disk are read and dropped if they are not whole; a store that is in use is marked, so that the next boot knows.
   */
  async recover(w?: Wait): Promise<readonly Digest[]> {
    const dropped: Digest[] = [];
    await keepSyncMark(this.folder, {
      clock: this.#clock,
      suspect: async (since) => {
        for await (const { digest, size, storedAt } of this.list(w)) {
          if (storedAt < since) continue;
          try {
            for await (const chunk of await this.open({ mediaType: '', digest, size }, w)) void chunk;
          } catch (error) {
            throwIfCancelled(w);
            if (!hasCode(error, 'BLOB_CORRUPT') && !hasErrno(error, 'EIO')) throw error;
            await this.delete(digest);
            dropped.push(digest);
          }
        }
        for (const name of COMPANIONS) rmSync(join(this.folder, name), { recursive: true, force: true });
      },
    });
    return dropped;
  }

  /** Where the blob lies, or would. */
  pathOf(digest: Digest): string {
    const hex = hexOf(digest);
    return join(this.folder, algorithmOf(digest), hex.slice(0, 2), hex);
  }

  /** The size in bytes of a blob that is stored, else undefined. */
  sizeOf(digest: Digest): number | undefined {
    return statSync(this.pathOf(digest), { throwIfNoEntry: false })?.size;
  }

  async has(descriptor: Descriptor, w?: Wait): Promise<boolean> {
    throwIfCancelled(w);
    return existsSync(this.pathOf(descriptor.digest));
  }

  async open(descriptor: Descriptor, options: { offset?: number; length?: number } & Wait = {}): Promise<Bytes> {
    throwIfCancelled(options);
    const path = this.pathOf(descriptor.digest);
    const size = this.sizeOf(descriptor.digest);
    if (size === undefined) throw blobError('BLOB_NOT_FOUND', `open blob ${descriptor.digest}: not in this store`);
    const { offset = 0, length } = options;
    if (offset === 0 && length === undefined) return verified(fileBytes(path, options), { ...descriptor, size });
    return fileBytes(path, {
      offset,
      length: Math.min(length ?? size, Math.max(0, size - offset)),
      signal: options.signal,
    });
  }

  /** Starts a blob whose bytes the caller writes to `fd` itself. */
  ingest(): Ingest {
    const folder = join(this.folder, 'ingest');
    mkdirSync(folder, { recursive: true });
    const path = join(folder, `${process.pid}-${this.#random.hex(8)}`);
    let fd: number | undefined = openSync(path, 'wx+', 0o444);
    const close = (): void => {
      if (fd !== undefined) closeSync(fd);
      fd = undefined;
    };
    return {
      fd,
      path,
      commit: (digest) => {
        const target = this.pathOf(digest);
        if (fd === undefined)
          throw blobError('BLOB_MISMATCH', `store blob ${digest}: it was stored or given up before`);
        if (statSync(target, { throwIfNoEntry: false })?.size === fstatSync(fd).size) {
          this.#touch(target);
          close();
          unlinkSync(path);
          return target;
        }
        close();
        mkdirSync(join(target, '..'), { recursive: true });
        renameSync(path, target);
        return target;
      },
      [Symbol.dispose]: () => {
        if (fd === undefined) return;
        close();
        rmSync(path, { force: true });
      },
    };
  }

  async put(content: Bytes, options: { mediaType: string; expect?: Descriptor } & Wait): Promise<Descriptor> {
    const { expect } = options;
    const known = expect && this.sizeOf(expect.digest);
    if (expect && known === expect.size) {
      this.#touch(this.pathOf(expect.digest));
      return { mediaType: options.mediaType, digest: expect.digest, size: expect.size };
    }
    using ingest = this.ingest();
    const digester = new Digester(expect ? algorithmOf(expect.digest) : 'sha256');
    for await (const chunk of content) {
      throwIfCancelled(options);
      digester.update(chunk);
      if (expect && digester.size > expect.size) break;
      for (let at = 0; at < chunk.length;) at += writeSync(ingest.fd, chunk, at);
    }
    throwIfCancelled(options);
    const stored: Descriptor = { mediaType: options.mediaType, size: digester.size, digest: digester.digest() };
    if (expect && (expect.digest !== stored.digest || expect.size !== stored.size))
      throw blobError(
        'BLOB_MISMATCH',
        `store blob ${expect.digest}: the content is ${stored.digest}, ${stored.size} bytes`,
      );
    ingest.commit(stored.digest);
    return stored;
  }

  async *list(w?: Wait): AsyncIterable<BlobInfo> {
    for await (const algorithm of foldersIn(this.folder)) {
      if (algorithm === 'ingest') continue;
      for await (const prefix of foldersIn(join(this.folder, algorithm)))
        for await (const hex of foldersIn(join(this.folder, algorithm, prefix), true)) {
          throwIfCancelled(w);
          const digest = `${algorithm}:${hex}`;
          const stat = statSync(join(this.folder, algorithm, prefix, hex), { throwIfNoEntry: false });
          if (isDigest(digest) && stat) yield { digest, size: stat.size, storedAt: stat.mtimeMs };
        }
    }
  }

  async delete(digest: Digest): Promise<boolean> {
    try {
      unlinkSync(this.pathOf(digest));
      this.#deleteCompanions(digest);
      return true;
    } catch (error) {
      if (hasErrno(error, 'ENOENT')) return false;
      throw error;
    }
  }

  /** Removes what writers that are gone left in `ingest/`: files of no live process, by the pid in their name. Returns how many. */
  async clean(isAlive: (pid: number) => boolean): Promise<number> {
    let removed = 0;
    for await (const name of foldersIn(join(this.folder, 'ingest'), true)) {
      if (isAlive(Number.parseInt(name, 10))) continue;
      rmSync(join(this.folder, 'ingest', name), { force: true });
      removed += 1;
    }
    return removed;
  }

  /** What other rooms keep about a blob in `<folder>/<kind>/<algorithm>/<first two digits>/<hex>*` goes with it. */
  #deleteCompanions(digest: Digest): void {
    const hex = hexOf(digest);
    for (const kind of COMPANIONS) {
      const folder = join(this.folder, kind, algorithmOf(digest), hex.slice(0, 2));
      for (const name of existsSync(folder) ? readdirSync(folder) : [])
        if (name.startsWith(hex)) rmSync(join(folder, name), { force: true });
    }
  }

  /** A blob asked for again counts as new, so that a sweep that began before spares it. */
  #touch(path: string): void {
    const now = this.#clock.now() / 1000;
    try {
      utimesSync(path, now, now);
    } catch (error) {
      if (!hasErrno(error, 'EPERM', 'EACCES', 'EROFS')) throw error;
    }
  }
}

async function* foldersIn(path: string, files = false): AsyncIterable<string> {
  try {
    for await (const entry of await opendir(path)) if (entry.isDirectory() !== files) yield entry.name;
  } catch (error) {
    if (!hasErrno(error, 'ENOENT')) throw error;
  }
}
