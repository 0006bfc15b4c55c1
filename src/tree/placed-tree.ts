import { hash, createHash } from 'node:crypto';
import { closeSync, openSync, readSync } from 'node:fs';
import { setImmediate } from 'node:timers/promises';
import { hasErrno, throwIfCancelled, type Bytes, type Wait } from '../base/index.ts';
import type { Digest } from '../blob/index.ts';
import type { Entry } from './entry.ts';
import { treeError } from './errors.ts';
import type { FileRegion, FileTree } from './file-tree.ts';
import type { Place, TarIndex } from './tar-index.ts';
import type { Extent } from './tar-member.ts';

/** Digests of files that are kept somewhere, by the path of the entry. */
export interface DigestMemory {
  known(paths: readonly string[]): readonly (Digest | undefined)[];
  remember(found: ReadonlyMap<string, Digest>): void;
}

const CHUNK = 1 << 20;

/** A tree whose contents lie in one file on this machine: an uncompressed tar. */
export class PlacedTree implements FileTree {
  readonly #file: string;
  readonly #index: TarIndex;
  readonly #memory: DigestMemory | undefined;

  constructor(file: string, index: TarIndex, memory?: DigestMemory) {
    this.#file = file;
    this.#index = index;
    this.#memory = memory;
  }

  async entries(w?: Wait): Promise<readonly Entry[]> {
    throwIfCancelled(w);
    return this.#index.entries;
  }

  locate(file: Entry): FileRegion | undefined {
    const place = this.#index.places.get(file.path);
    return typeof place === 'number' ? { path: this.#file, offset: place, length: file.size } : undefined;
  }

  async *read(files: readonly Entry[], w?: Wait): Bytes {
    let left = files.reduce((sum, { size }) => sum + size, 0);
    if (left === 0) return;
    const fd = this.#open();
    try {
      let chunk = Buffer.allocUnsafeSlow(Math.min(left, CHUNK));
      let at = 0;
      for (const file of files)
        for (const { offset, length } of partsOf(this.#place(file), file.size))
          for (let done = 0; done < length;) {
            const n = Math.min(length - done, chunk.length - at);
            if (offset < 0) chunk.fill(0, at, at + n);
            else this.#fill(fd, chunk.subarray(at, at + n), offset + done, file);
            done += n;
            at += n;
            left -= n;
            if (at < chunk.length) continue;
            throwIfCancelled(w);
            yield chunk;
            chunk = Buffer.allocUnsafeSlow(Math.min(left, CHUNK));
            at = 0;
          }
    } finally {
      closeSync(fd);
    }
  }

  async digests(files: readonly Entry[], w?: Wait): Promise<readonly Digest[]> {
    const results: (Digest | undefined)[] = [
      ...(this.#memory?.known(files.map(({ path }) => path)) ?? files.map(() => undefined)),
    ];
    const found = new Map<string, Digest>();
    if (results.includes(undefined)) {
      const fd = this.#open();
      try {
        const buffer = Buffer.allocUnsafeSlow(
          Math.min(
            CHUNK,
            Math.max(1, ...files.slice(0, 1000).map(({ size }) => size), files.length > 1000 ? CHUNK : 1),
          ),
        );
        let hashed = 0;
        for (const [i, file] of files.entries()) {
          if (results[i] !== undefined) continue;
          const digest = this.#digest(fd, file, buffer);
          results[i] = digest;
          found.set(file.path, digest);
          hashed += file.size + 1024;
          if (hashed < 32 * CHUNK) continue;
          hashed = 0;
          throwIfCancelled(w);
          await setImmediate();
        }
      } finally {
        closeSync(fd);
      }
      this.#memory?.remember(found);
    }
    return results as Digest[];
  }

  #digest(fd: number, file: Entry, buffer: Buffer): Digest {
    const place = this.#place(file);
    if (typeof place === 'number' && file.size <= buffer.length) {
      const content = buffer.subarray(0, file.size);
      this.#fill(fd, content, place, file);
      return `sha256:${hash('sha256', content, 'hex')}`;
    }
    const digester = createHash('sha256');
    for (const { offset, length } of partsOf(place, file.size)) {
      if (offset < 0) buffer.fill(0);
      for (let done = 0; done < length;) {
        const piece = buffer.subarray(0, Math.min(length - done, buffer.length));
        if (offset >= 0) this.#fill(fd, piece, offset + done, file);
        digester.update(piece);
        done += piece.length;
      }
    }
    return `sha256:${digester.digest('hex')}`;
  }

  #place(file: Entry): Place {
    const place = this.#index.places.get(file.path);
    if (place === undefined && file.size > 0)
      throw treeError('FILE_CHANGED', `read "${file.path}" of "${this.#file}": there is no such file in it`);
    return place ?? 0;
  }

  #open(): number {
    try {
      return openSync(this.#file, 'r');
    } catch (error) {
      if (!hasErrno(error, 'ENOENT')) throw error;
      throw treeError('FILE_CHANGED', `read archive "${this.#file}": it is gone`, { cause: error });
    }
  }

  #fill(fd: number, into: Buffer, offset: number, file: Entry): void {
    for (let at = 0; at < into.length;) {
      const n = readSync(fd, into, at, into.length - at, offset + at);
      if (n === 0)
        throw treeError('FILE_CHANGED', `read "${file.path}" of "${this.#file}": the archive has become shorter`);
      at += n;
    }
  }
}

/** A file's content in order: pieces of the archive, and zeros (offset -1). */
function partsOf(place: Place, size: number): readonly Extent[] {
  if (typeof place === 'number') return [{ offset: place, length: size }];
  const parts: Extent[] = [];
  let end = 0;
  let at = place.at;
  for (const { offset, length } of place.extents) {
    if (offset > end) parts.push({ offset: -1, length: offset - end });
    parts.push({ offset: at, length });
    at += length;
    end = offset + length;
  }
  if (end < size) parts.push({ offset: -1, length: size - end });
  return parts;
}
