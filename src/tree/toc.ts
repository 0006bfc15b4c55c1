import { closeSync, existsSync, fstatSync, mkdirSync, openSync, readSync, renameSync, writeSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { crc32 } from 'node:zlib';
import { hasErrno, throwIfCancelled, type Wait } from '../base/index.ts';
import { algorithmOf, blobError, hexOf, type Digest, type DiskBlobStore } from '../blob/index.ts';
import type { FileTree } from './file-tree.ts';
import { PlacedTree, type DigestMemory } from './placed-tree.ts';
import type { TarIndex } from './tar-index.ts';
import { indexTar } from './tar-tree.ts';
import { decodeToc, encodeToc, TOC_VERSION } from './toc-format.ts';

/** A file's digest as kept behind the table: 32 bytes of sha256, then their CRC; zeros where none is known. */
const RECORD = 36;

/** The tree of a layer that the store has uncompressed, from its table of contents; a table that is missing, damaged or of another version is made again from the tar. Throws `BLOB_NOT_FOUND`. */
export async function openLayer(store: DiskBlobStore, diffId: Digest, w?: Wait): Promise<FileTree> {
  throwIfCancelled(w);
  const tar = store.pathOf(diffId);
  if (!existsSync(tar)) throw blobError('BLOB_NOT_FOUND', `open layer ${diffId}: not in this store`);
  const path = tocPath(store, diffId);
  const index = readToc(path);
  if (index) return new PlacedTree(tar, index, new DigestsBehind(path, index));
  const made = await indexTar(tar, { what: `read layer ${diffId}`, layer: true, ...w });
  writeToc(store, diffId, made);
  return new PlacedTree(tar, made, new DigestsBehind(path, made));
}

/** True when the layer has a table of contents that can be used. */
export function hasToc(store: DiskBlobStore, diffId: Digest): boolean {
  return existsSync(tocPath(store, diffId));
}

/** Keeps the table of contents of a layer. Not synced: it has a checksum, and can be made again. */
export function writeToc(store: DiskBlobStore, diffId: Digest, index: TarIndex): void {
  const path = tocPath(store, diffId);
  const bytes = encodeToc(index);
  try {
    using file = store.ingest();
    for (let at = 0; at < bytes.length;) at += writeSync(file.fd, bytes, at);
    mkdirSync(dirname(path), { recursive: true });
    renameSync(file.path, path);
  } catch (error) {
    // A store that cannot be written to still answers; the table is made again next time.
    if (!hasErrno(error, 'EACCES', 'EPERM', 'EROFS')) throw error;
  }
}

function tocPath(store: DiskBlobStore, diffId: Digest): string {
  const hex = hexOf(diffId);
  return join(store.folder, 'toc', algorithmOf(diffId), hex.slice(0, 2), hex);
}

function readToc(path: string): TarIndex | undefined {
  let fd: number;
  try {
    fd = openSync(path, 'r');
  } catch (error) {
    if (hasErrno(error, 'ENOENT', 'EACCES')) return undefined;
    throw error;
  }
  try {
    const bytes = Buffer.allocUnsafeSlow(fstatSync(fd).size);
    let at = 0;
    for (let n = -1; n !== 0 && at < bytes.length; at += n) n = readSync(fd, bytes, at, bytes.length - at, at);
    return decodeToc(bytes.subarray(0, at));
  } finally {
    closeSync(fd);
  }
}

/** The digests of a layer's files in `<table>.sha256-<version>`, one record a file, in the order of the table. Any process may add to it: all write the same bytes. */
class DigestsBehind implements DigestMemory {
  readonly #path: string;
  readonly #index: TarIndex;
  #numbers: Map<string, number> | undefined;

  constructor(tocPath: string, index: TarIndex) {
    this.#path = `${tocPath}.sha256-${TOC_VERSION}`;
    this.#index = index;
  }

  known(paths: readonly string[]): readonly (Digest | undefined)[] {
    const none = (): undefined[] => paths.map(() => undefined);
    let fd: number;
    try {
      fd = openSync(this.#path, 'r');
    } catch (error) {
      if (hasErrno(error, 'ENOENT', 'EACCES')) return none();
      throw error;
    }
    try {
      const bytes = Buffer.allocUnsafeSlow(fstatSync(fd).size);
      const length = readSync(fd, bytes, 0, bytes.length, 0);
      return paths.map((path): Digest | undefined => {
        const at = (this.#number(path) ?? Infinity) * RECORD;
        if (at + RECORD > length) return undefined;
        const digest = bytes.subarray(at, at + 32);
        return bytes.readUInt32LE(at + 32) === crc32(digest) ? `sha256:${digest.toString('hex')}` : undefined;
      });
    } finally {
      closeSync(fd);
    }
  }

  remember(found: ReadonlyMap<string, Digest>): void {
    let fd: number;
    try {
      fd = openSync(this.#path, 'a+');
      closeSync(fd);
      fd = openSync(this.#path, 'r+');
    } catch (error) {
      if (hasErrno(error, 'ENOENT', 'EACCES', 'EPERM', 'EROFS', 'ENOSPC', 'EDQUOT')) return;
      throw error;
    }
    try {
      const records = [...found]
        .map(([path, digest]) => ({ number: this.#number(path), digest }))
        .filter((record): record is { number: number; digest: Digest } => record.number !== undefined)
        .sort((a, b) => a.number - b.number);
      for (let i = 0; i < records.length;) {
        const run = [records[i]!];
        while (records[i + run.length]?.number === run[0]!.number + run.length) run.push(records[i + run.length]!);
        const bytes = Buffer.alloc(run.length * RECORD);
        for (const [k, { digest }] of run.entries()) {
          const at = k * RECORD;
          bytes.write(hexOf(digest), at, 'hex');
          bytes.writeUInt32LE(crc32(bytes.subarray(at, at + 32)), at + 32);
        }
        writeSync(fd, bytes, 0, bytes.length, run[0]!.number * RECORD);
        i += run.length;
      }
    } catch (error) {
      if (!hasErrno(error, 'ENOSPC', 'EDQUOT', 'EIO')) throw error;
    } finally {
      closeSync(fd);
    }
  }

  /** Position among the files of the table. */
  #number(path: string): number | undefined {
    if (!this.#numbers) {
      this.#numbers = new Map();
      for (const { type, path: name } of this.#index.entries)
        if (type === 'file') this.#numbers.set(name, this.#numbers.size);
    }
    return this.#numbers.get(path);
  }
}
