import type { Bytes, Wait } from '../../../base/index.ts';
import type { Digest, DiskBlobStore } from '../../../blob/index.ts';
import { MEDIA, type Layer } from '../../../image/index.ts';
import { lifecycleError } from '../errors.ts';

/** A layer that is not compressed. */
export function plainLayer(diffId: Digest, o: { size: number; open: (w?: Wait) => Promise<Bytes> }): Layer {
  const descriptor = { mediaType: MEDIA.dockerLayer, digest: diffId, size: o.size };
  return {
    descriptor: async () => descriptor,
    diffId: async () => diffId,
    compressed: (w) => o.open(w),
    uncompressed: (w) => o.open(w),
  };
}

/** A layer brought into a store, checked on its way. Throws `LIFECYCLE_CACHE_FAILED` where it is another. */
export async function openableLayer(
  layer: Layer,
  { diffId, store }: { diffId: Digest; store: DiskBlobStore },
): Promise<Layer> {
  if (store.sizeOf(diffId) === undefined) {
    const { digest } = await store.put(await layer.uncompressed(), { mediaType: MEDIA.ociLayer });
    if (digest !== diffId)
      throw lifecycleError('LIFECYCLE_CACHE_FAILED', `read layer ${diffId}: its content has digest ${digest}`);
  }
  return storedLayer(store, diffId);
}

/** A layer of a store as it lies there. Throws where its content is not what its digest says. */
export function storedLayer(store: DiskBlobStore, diffId: Digest): Layer {
  const size = store.sizeOf(diffId);
  if (size === undefined) throw new TypeError(`layer ${diffId} is not in the store`);
  return plainLayer(diffId, { size, open: (w) => store.open({ mediaType: MEDIA.ociLayer, digest: diffId, size }, w) });
}
