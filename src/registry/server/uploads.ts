import { closeSync, mkdirSync, openSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { bytesOf, fileBytes, type Bytes, type Clock, type Random } from '../../base/index.ts';

/** The bytes of an upload that have come so far. */
export interface Upload extends Disposable {
  readonly id: string;
  readonly repository: string;
  readonly size: number;
  append(chunk: Uint8Array): void;
  read(): Bytes;
}

/** Milliseconds after which an upload that nobody goes on with is thrown away. */
const PATIENCE = 60 * 60 * 1000;

/** The uploads in progress: in files of `folder`, or in memory where there is none. */
export class Uploads implements Disposable {
  readonly #folder: string | undefined;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #open = new Map<string, { readonly upload: Upload; touched: number }>();

  constructor(o: { folder?: string | undefined; clock: Clock; random: Random }) {
    this.#folder = o.folder;
    this.#clock = o.clock;
    this.#random = o.random;
  }

  start(repository: string): Upload {
    const now = this.#clock.now();
    for (const { upload, touched } of this.#open.values()) if (now - touched > PATIENCE) upload[Symbol.dispose]();
    const id = this.#random.hex(16);
    const data = this.#folder === undefined ? inMemory() : inFile(join(this.#folder, id));
    const upload: Upload = {
      id,
      repository,
      get size() {
        return data.size;
      },
      append: (chunk) => data.append(chunk),
      read: () => data.read(),
      [Symbol.dispose]: () => {
        if (this.#open.delete(id)) data.close();
      },
    };
    this.#open.set(id, { upload, touched: now });
    return upload;
  }

  get(repository: string, id: string): Upload | undefined {
    const known = this.#open.get(id);
    if (known?.upload.repository !== repository) return undefined;
    known.touched = this.#clock.now();
    return known.upload;
  }

  [Symbol.dispose](): void {
    for (const { upload } of this.#open.values()) upload[Symbol.dispose]();
  }
}

interface Data {
  readonly size: number;
  append(chunk: Uint8Array): void;
  read(): Bytes;
  close(): void;
}

function inMemory(): Data {
  let chunks: Uint8Array[] = [];
  let size = 0;
  return {
    get size() {
      return size;
    },
    append: (chunk) => {
      chunks.push(chunk.slice());
      size += chunk.length;
    },
    read: () => bytesOf(...chunks),
    close: () => {
      chunks = [];
    },
  };
}

function inFile(path: string): Data {
  mkdirSync(join(path, '..'), { recursive: true });
  const fd = openSync(path, 'wx+', 0o600);
  let size = 0;
  return {
    get size() {
      return size;
    },
    append: (chunk) => {
      for (let at = 0; at < chunk.length;) {
        const n = writeSync(fd, chunk, at, chunk.length - at, size);
        at += n;
        size += n;
      }
    },
    read: () => fileBytes(path, { length: size }),
    close: () => {
      closeSync(fd);
      rmSync(path, { force: true });
    },
  };
}
