import { kindOf, type Bytes } from '../base/index.ts';
import type { BlobReader, Digest } from '../blob/index.ts';

/** A reader that tells of every blob that could not be read whole and right. */
export function watchedBlobs(blobs: BlobReader, lost: (digest: Digest) => void): BlobReader {
  const watch = (digest: Digest, error: unknown): unknown => {
    if (kindOf(error) !== 'cancelled') lost(digest);
    return error;
  };
  return {
    has: (descriptor, w) => blobs.has(descriptor, w),
    open: async (descriptor, o) => {
      let content: Bytes;
      try {
        content = await blobs.open(descriptor, o);
      } catch (error) {
        throw watch(descriptor.digest, error);
      }
      return watched(content, (error) => watch(descriptor.digest, error));
    },
  };
}

async function* watched(content: Bytes, failed: (error: unknown) => unknown): Bytes {
  const chunks = content[Symbol.asyncIterator]();
  try {
    for (;;) {
      let next: IteratorResult<Uint8Array>;
      try {
        next = await chunks.next();
      } catch (error) {
        throw failed(error);
      }
      if (next.done) return;
      yield next.value;
    }
  } finally {
    await chunks.return?.();
  }
}
