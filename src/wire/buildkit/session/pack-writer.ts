import { closeSync, openSync, writeSync } from 'node:fs';

const BATCH = 1 << 20;
/** Larger pieces are written as they come. */
const LARGE = 64 * 1024;

/** One file that the contents of many follow each other in: a file of its own for each would cost more than its bytes. */
export class PackWriter implements Disposable {
  readonly path: string;
  /** Without a slash: hexadecimal. */
  readonly name: string;
  readonly #fd: number;
  readonly #batch = Buffer.allocUnsafeSlow(BATCH);
  #filled = 0;
  /** Where the batch begins. */
  #at = 0;
  #closed = false;

  constructor(path: string, name: string) {
    this.path = path;
    this.name = name;
    this.#fd = openSync(path, 'wx', 0o600);
  }

  /** Bytes written and reserved. */
  get size(): number {
    return this.#at + this.#filled;
  }

  /** Where the content begins. */
  append(content: Uint8Array): number {
    const at = this.size;
    if (content.length > LARGE) {
      this.#flush();
      this.#put(content, at);
      this.#at = at + content.length;
      return at;
    }
    if (this.#filled + content.length > BATCH) this.#flush();
    this.#batch.set(content, this.#filled);
    this.#filled += content.length;
    return at;
  }

  /** Makes room for content that comes in pieces. */
  reserve(size: number): number {
    this.#flush();
    const at = this.#at;
    this.#at += size;
    return at;
  }

  /** A piece of what room was made for. */
  writeAt(content: Uint8Array, at: number): void {
    this.#put(content, at);
  }

  [Symbol.dispose](): void {
    if (this.#closed) return;
    this.#closed = true;
    try {
      this.#flush();
    } finally {
      closeSync(this.#fd);
    }
  }

  #flush(): void {
    if (this.#filled === 0) return;
    this.#put(this.#batch.subarray(0, this.#filled), this.#at);
    this.#at += this.#filled;
    this.#filled = 0;
  }

  #put(content: Uint8Array, at: number): void {
    for (let done = 0; done < content.length;)
      done += writeSync(this.#fd, content, done, content.length - done, at + done);
  }
}
