import type { Bytes, Wait } from '../base/index.ts';
import type { Descriptor } from './descriptor.ts';
import type { Digest } from './digest.ts';

/** Only `digest` decides which blob is meant; `size` and `mediaType` help those who fetch. */
export interface BlobReader {
  has(descriptor: Descriptor, w?: Wait): Promise<boolean>;
  /**
   * The bytes `offset`..`offset+length`, by default all. A read of the whole blob is verified: its last pull throws `BLOB_CORRUPT` when size or digest differ.
   * Throws `BLOB_NOT_FOUND`.
   */
  open(descriptor: Descriptor, options?: { offset?: number; length?: number } & Wait): Promise<Bytes>;
}

export interface BlobWriter {
  /**
   * Stores content; returns once "is stored" holds, whoever stored it. Throws `BLOB_MISMATCH`, storing nothing, when the bytes are not those of `expect`. `resume` names an upload:
   * a writer that can go on with a broken one asks the content from where it stopped; others ignore it.
   */
  put(content: Bytes, options: { mediaType: string; expect?: Descriptor; resume?: string } & Wait): Promise<Descriptor>;
}

export interface BlobInfo {
  readonly digest: Digest;
  readonly size: number;
  /** Milliseconds since the epoch when it was stored or last asked to be stored. */
  readonly storedAt: number;
}

/** A whole store of blobs: what can be listed and given up, too. */
export interface BlobStore extends BlobReader, BlobWriter {
  list(w?: Wait): AsyncIterable<BlobInfo>;
  /** True when there was such a blob. It is gone when this returns, before the promise settles, so that a sweep can delete inside a transaction. */
  delete(digest: Digest, w?: Wait): Promise<boolean>;
}
