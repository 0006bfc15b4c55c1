import { createHash } from 'node:crypto';
import { writeSync } from 'node:fs';
import { setImmediate } from 'node:timers/promises';
import { throwIfCancelled, type Wait } from '../base/index.ts';
import type { Digest, DiskBlobStore, Ingest } from '../blob/index.ts';
import { blockSize } from './block-codec.ts';
import { BlockCompressor } from './block-compressor.ts';
import { layerMediaType } from './codec.ts';
import type { Codec, WrittenLayer } from './layer.ts';

export interface SinkOptions extends Wait {
  readonly store: DiskBlobStore;
  readonly codec?: Codec | undefined;
  /** Store the tar under its diffID: by default true. */
  readonly keepTar?: boolean | undefined;
  /** Told the bytes of the tar so far. */
  readonly onProgress?: ((bytes: number) => void) | undefined;
}

/**
 * Takes the bytes of a layer tar block by block: digest, store, compressor, in one pass. The caller fills `block` and calls `next` when it is full and more is to come, `finish` at the end. Given up at the end of the scope unless finished.
 */
export class LayerSink implements Disposable {
  readonly #o: SinkOptions;
  readonly #hash = createHash('sha256');
  readonly #tar: Ingest | undefined;
  readonly #compressor: BlockCompressor | undefined;
  #block: Buffer;
  #size = 0;
  #turns = 0;

  private constructor(o: SinkOptions, compressor: BlockCompressor | undefined, block: Buffer) {
    this.#o = o;
    this.#compressor = compressor;
    this.#block = block;
    if (o.keepTar !== false || o.codec?.name === 'none') this.#tar = o.store.ingest();
  }

  static async open(o: SinkOptions): Promise<LayerSink> {
    throwIfCancelled(o);
    const compressor = o.codec && o.codec.name !== 'none' ? new BlockCompressor(o.codec, o.store) : undefined;
    return new LayerSink(
      o,
      compressor,
      compressor ? await compressor.acquire(o) : Buffer.allocUnsafeSlow(blockSize('none')),
    );
  }

  /** The block to be filled, a multiple of 512 bytes. */
  get block(): Buffer {
    return this.#block;
  }

  /** Bytes of the blocks before this one. */
  get size(): number {
    return this.#size;
  }

  async next(): Promise<Buffer> {
    throwIfCancelled(this.#o);
    this.#take(this.#block, false);
    if (this.#compressor) this.#block = await this.#compressor.acquire(this.#o);
    if (++this.#turns % 16 === 0) await setImmediate();
    return this.#block;
  }

  /** `used` bytes of the last block belong to the layer, at least one. `vouch` is asked before anything is stored, and throws when the diffID is not what it should be. */
  async finish(used: number, vouch?: (diffId: Digest) => void): Promise<WrittenLayer> {
    throwIfCancelled(this.#o);
    this.#take(this.#block.subarray(0, used), true);
    const diffId: Digest = `sha256:${this.#hash.digest('hex')}`;
    vouch?.(diffId);
    const { codec } = this.#o;
    const compressed = await this.#compressor?.finish(this.#o);
    this.#tar?.commit(diffId);
    if (!codec) return { diffId, size: this.#size };
    const blob = compressed ?? { digest: diffId, size: this.#size };
    return {
      diffId,
      size: this.#size,
      compressed: { codec, descriptor: { mediaType: layerMediaType(codec), ...blob } },
    };
  }

  [Symbol.dispose](): void {
    this.#tar?.[Symbol.dispose]();
    this.#compressor?.[Symbol.dispose]();
  }

  #take(bytes: Buffer, last: boolean): void {
    this.#hash.update(bytes);
    if (this.#tar) for (let at = 0; at < bytes.length;) at += writeSync(this.#tar.fd, bytes, at);
    this.#compressor?.submit(bytes.length, last);
    this.#size += bytes.length;
    this.#o.onProgress?.(this.#size);
  }
}
