import { closeSync, openSync, readSync } from 'node:fs';
import { hasErrno, throwIfCancelled, type Bytes, type Wait } from '../../../base/index.ts';
import type { Digest } from '../../../blob/index.ts';
import type { Entry, FileRegion, FileTree } from '../../../tree/index.ts';
import { sessionError } from './errors.ts';
import type { Place, Received } from './receive-files.ts';

const CHUNK = 1 << 20;

/** What a client has sent, its contents in packs on this machine's disk. They go with the session. */
export class ReceivedTree implements FileTree {
  readonly #entries: readonly Entry[];
  readonly #places: ReadonlyMap<string, Place>;
  readonly travelled: number;

  constructor({ entries, places, bytes }: Pick<Received, 'entries' | 'places' | 'bytes'>) {
    this.#entries = entries;
    this.#places = places;
    this.travelled = bytes;
  }

  async entries(w?: Wait): Promise<readonly Entry[]> {
    throwIfCancelled(w);
    return this.#entries;
  }

  async digests(files: readonly Entry[]): Promise<readonly Digest[]> {
    return files.map((file) => this.#place(file).digest);
  }

  locate(file: Entry): FileRegion {
    const { path, offset, size } = this.#place(file);
    return { path, offset, length: size };
  }

  async *read(files: readonly Entry[], w?: Wait): Bytes {
    let open: { path: string; fd: number } | undefined;
    let chunk = Buffer.allocUnsafeSlow(CHUNK);
    let filled = 0;
    try {
      for (const file of files) {
        const { path, offset, size } = this.#place(file);
        if (size > 0 && open?.path !== path) {
          if (open) closeSync(open.fd);
          open = undefined;
          open = { path, fd: openPack(path) };
        }
        for (let done = 0; done < size;) {
          const n = readSync(open!.fd, chunk, filled, Math.min(CHUNK - filled, size - done), offset + done);
          if (n === 0) throw sessionError('SESSION_GONE', `read "${file.path}": it is no longer there`);
          done += n;
          filled += n;
          if (filled < CHUNK) continue;
          throwIfCancelled(w);
          yield chunk;
          chunk = Buffer.allocUnsafeSlow(CHUNK);
          filled = 0;
        }
      }
      if (filled > 0) yield chunk.subarray(0, filled);
    } finally {
      if (open) closeSync(open.fd);
    }
  }

  #place(file: Entry): Place {
    const place = this.#places.get(file.path);
    if (!place) throw new TypeError(`"${file.path}" is no file of this tree`);
    return place;
  }
}

function openPack(path: string): number {
  try {
    return openSync(path, 'r');
  } catch (error) {
    if (!hasErrno(error, 'ENOENT')) throw error;
    throw sessionError('SESSION_GONE', 'read the files of a client: it has gone, and its files with it');
  }
}
