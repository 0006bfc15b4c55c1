import { bytesOf, collect, systemClock, throwIfCancelled, type Bytes, type Clock, type Wait } from '../base/index.ts';
import type { BlobInfo, BlobStore } from './blob-store.ts';
import type { Descriptor } from './descriptor.ts';
import { algorithmOf, blobError, Digester, type Digest } from './digest.ts';
import { verified } from './verified.ts';

/** A blob store that lives as long as the object does. */
export class MemoryBlobStore implements BlobStore {
  readonly #blobs = new Map<Digest, { content: Uint8Array; storedAt: number }>();
  readonly #clock: Clock;

  constructor(o: { clock?: Clock } = {}) {
    this.#clock = o.clock ?? systemClock;
  }

  async has(descriptor: Descriptor, w?: Wait): Promise<boolean> {
    throwIfCancelled(w);
    return this.#blobs.has(descriptor.digest);
  }

  async open(descriptor: Descriptor, options: { offset?: number; length?: number } & Wait = {}): Promise<Bytes> {
    throwIfCancelled(options);
    const blob = this.#blobs.get(descriptor.digest);
    if (!blob) throw blobError('BLOB_NOT_FOUND', `open blob ${descriptor.digest}: not in this store`);
    const { offset = 0, length } = options;
    if (offset === 0 && length === undefined)
      return verified(bytesOf(blob.content.slice()), { ...descriptor, size: blob.content.length });
    return bytesOf(blob.content.slice(offset, length === undefined ? undefined : offset + length));
  }

  async put(content: Bytes, options: { mediaType: string; expect?: Descriptor } & Wait): Promise<Descriptor> {
    const bytes = await collect(content);
    throwIfCancelled(options);
    const digester = new Digester(options.expect ? algorithmOf(options.expect.digest) : 'sha256');
    digester.update(bytes);
    const stored: Descriptor = { mediaType: options.mediaType, digest: digester.digest(), size: bytes.length };
    if (options.expect && (options.expect.digest !== stored.digest || options.expect.size !== stored.size))
      throw blobError(
        'BLOB_MISMATCH',
        `store blob ${options.expect.digest}: the content is ${stored.digest}, ${stored.size} bytes`,
      );
    this.#blobs.set(stored.digest, { content: bytes.slice(), storedAt: this.#clock.now() });
    return stored;
  }

  async *list(): AsyncIterable<BlobInfo> {
    for (const [digest, { content, storedAt }] of this.#blobs) yield { digest, size: content.length, storedAt };
  }

  async delete(digest: Digest): Promise<boolean> {
    return this.#blobs.delete(digest);
  }
}
