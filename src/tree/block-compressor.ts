import { createHash } from 'node:crypto';
import { writeSync } from 'node:fs';
import { crc32 } from 'node:zlib';
import { throwIfCancelled, unlessCancelled, type Wait } from '../base/index.ts';
import type { Digest, DiskBlobStore, Ingest } from '../blob/index.ts';
import { blockSize, compressBlock, layoutOf } from './block-codec.ts';
import { compressOnWorker, workerCount } from './codec-pool.ts';
import { DEFLATE_WINDOW, GZIP_HEADER, gzipTrailer } from './deflate.ts';
import type { Codec } from './layer.ts';

interface Slot {
  readonly memory: SharedArrayBuffer;
  readonly block: Buffer;
  readonly result: Buffer;
  /** Where the dictionary goes. */
  readonly before: Buffer;
}

/** Of one compressor; what two workers need to be busy all the time, and no more with many. */
const MEMORY_LIMIT = 64 << 20;

/**
 * Compresses a stream block by block on the codec workers into a blob. The caller asks for memory (`acquire`), fills it, hands it over (`submit`); results are written in order. A stream of one block never leaves the
 * calling thread. The result does not depend on the number of workers. Given up at the end of the scope unless finished.
 */
export class BlockCompressor implements Disposable {
  readonly #codec: Codec & { name: 'gzip' | 'zstd' };
  readonly #blob: Ingest;
  readonly #hash = createHash('sha256');
  readonly #free: Slot[] = [];
  readonly #done = new Map<number, { slot: Slot; size: number }>();
  #slots = 0;
  #current: Slot | undefined;
  /** The last bytes of the block before. */
  #window: Buffer = Buffer.alloc(0);
  #submitted = 0;
  #written = 0;
  #crc = 0;
  #bytesIn = 0;
  #bytesOut = 0;
  #error: unknown;
  #wake: (() => void) | undefined;

  constructor(codec: Codec, store: DiskBlobStore) {
    if (codec.name === 'none') throw new TypeError('a codec that compresses');
    this.#codec = { ...codec, name: codec.name };
    this.#blob = store.ingest();
    if (codec.name === 'gzip') this.#emit(GZIP_HEADER);
  }

  /** Memory for the next block. Waits until there is some. */
  async acquire(w?: Wait): Promise<Buffer> {
    const slot = this.#free.pop() ?? this.#newSlot() ?? (await this.#wait(() => this.#free.pop(), w));
    this.#window.copy(slot.before, DEFLATE_WINDOW - this.#window.length);
    this.#current = slot;
    return slot.block;
  }

  /** Takes the first `length` bytes of the block acquired last. */
  submit(length: number, last: boolean): void {
    const slot = this.#current!;
    this.#current = undefined;
    const { name, level } = this.#codec;
    const job = { codec: name, level, memory: slot.memory, dictionary: this.#window.length, length, last };
    if (name === 'gzip') {
      this.#crc = crc32(slot.block.subarray(0, length), this.#crc);
      if (!last) this.#window = Buffer.from(slot.block.subarray(Math.max(0, length - DEFLATE_WINDOW), length));
    }
    this.#bytesIn += length;
    const number = this.#submitted++;
    if (last && number === 0) {
      this.#settle(number, slot, compressBlock(job));
      return;
    }
    compressOnWorker(job).then(
      (size) => this.#settle(number, slot, size),
      (error: unknown) => {
        this.#error ??= error;
        this.#wake?.();
      },
    );
  }

  /** Waits for all blocks, stores the blob. */
  async finish(w?: Wait): Promise<{ readonly digest: Digest; readonly size: number }> {
    await this.#wait(() => (this.#written === this.#submitted ? true : undefined), w);
    if (this.#codec.name === 'gzip') this.#emit(gzipTrailer(this.#crc, this.#bytesIn));
    const digest: Digest = `sha256:${this.#hash.digest('hex')}`;
    this.#blob.commit(digest);
    return { digest, size: this.#bytesOut };
  }

  [Symbol.dispose](): void {
    this.#blob[Symbol.dispose]();
    this.#error ??= new Error('given up');
  }

  #newSlot(): Slot | undefined {
    const { block, result, size } = layoutOf(this.#codec.name);
    if (this.#slots >= Math.max(3, Math.min(2 * workerCount() + 2, Math.floor(MEMORY_LIMIT / size)))) return undefined;
    this.#slots += 1;
    const memory = new SharedArrayBuffer(size);
    return {
      memory,
      before: Buffer.from(memory, block - DEFLATE_WINDOW, DEFLATE_WINDOW),
      block: Buffer.from(memory, block, blockSize(this.#codec.name)),
      result: Buffer.from(memory, result),
    };
  }

  /** Writes what has come, in order. */
  #settle(number: number, slot: Slot, size: number): void {
    this.#done.set(number, { slot, size });
    try {
      for (
        let next = this.#done.get(this.#written);
        next && this.#error === undefined;
        next = this.#done.get(this.#written)
      ) {
        this.#done.delete(this.#written++);
        this.#emit(next.slot.result.subarray(0, next.size));
        this.#free.push(next.slot);
      }
    } catch (error) {
      this.#error ??= error;
    }
    this.#wake?.();
  }

  #emit(bytes: Buffer): void {
    this.#hash.update(bytes);
    this.#bytesOut += bytes.length;
    for (let at = 0; at < bytes.length;) at += writeSync(this.#blob.fd, bytes, at);
  }

  async #wait<T>(ready: () => T | undefined, w?: Wait): Promise<T> {
    for (;;) {
      throwIfCancelled(w);
      if (this.#error !== undefined) throw this.#error as Error;
      const value = ready();
      if (value !== undefined) return value;
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#wake = resolve;
      await unlessCancelled(promise, w);
    }
  }
}
