import { createHash, hash } from 'node:crypto';
import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import { setImmediate } from 'node:timers/promises';
import { throwIfCancelled, type Bytes, type Wait } from '../base/index.ts';
import { treeError, type Entry, type FileRegion, type FileTree } from '../tree/index.ts';
import { below, native } from './files.ts';

type Digests = Awaited<ReturnType<FileTree['digests']>>;

const CHUNK = 1 << 20;

/** Entries whose contents are files below one folder, at the entries' own paths. */
export class DiskTree implements FileTree {
  readonly #folder: string;
  readonly #entries: readonly Entry[];

  constructor(folder: string, entries: readonly Entry[]) {
    this.#folder = folder;
    this.#entries = entries;
  }

  async entries(w?: Wait): Promise<readonly Entry[]> {
    throwIfCancelled(w);
    return this.#entries;
  }

  locate(file: Entry): FileRegion {
    return { path: native(below(this.#folder, file.path)), offset: 0, length: file.size };
  }

  async *read(files: readonly Entry[], w?: Wait): Bytes {
    let left = files.reduce((sum, { size }) => sum + size, 0);
    let chunk = Buffer.allocUnsafeSlow(Math.min(left, CHUNK));
    let at = 0;
    for (const file of files) {
      if (file.size === 0) continue;
      const fd = this.#open(file);
      try {
        for (let todo = file.size; todo > 0;) {
          const n = readSync(fd, chunk, at, Math.min(todo, chunk.length - at), null);
          if (n === 0) throw this.#changed(file);
          todo -= n;
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
  }

  async digests(files: readonly Entry[], w?: Wait): Promise<Digests> {
    const buffer = Buffer.allocUnsafeSlow(CHUNK);
    const digests: `sha256:${string}`[] = [];
    let hashed = 0;
    for (const file of files) {
      digests.push(`sha256:${this.#hash(file, buffer)}`);
      hashed += file.size + 1024;
      if (hashed < 32 * CHUNK) continue;
      hashed = 0;
      throwIfCancelled(w);
      await setImmediate();
    }
    return digests;
  }

  #hash(file: Entry, buffer: Buffer): string {
    const fd = this.#open(file);
    try {
      const digester = file.size > buffer.length ? createHash('sha256') : undefined;
      let at = 0;
      for (let left = file.size; left > 0;) {
        const n = readSync(fd, buffer, at, Math.min(left, buffer.length - at), null);
        if (n === 0) throw this.#changed(file);
        left -= n;
        if (digester) digester.update(buffer.subarray(0, n));
        else at += n;
      }
      return digester ? digester.digest('hex') : hash('sha256', buffer.subarray(0, at), 'hex');
    } finally {
      closeSync(fd);
    }
  }

  #open(file: Entry): number {
    const fd = openSync(native(below(this.#folder, file.path)), constants.O_RDONLY | constants.O_NOFOLLOW);
    if (fstatSync(fd).size === file.size) return fd;
    closeSync(fd);
    throw this.#changed(file);
  }

  #changed(file: Entry): Error {
    return treeError('FILE_CHANGED', `read "${file.path}" of a snapshot: it has changed`);
  }
}
