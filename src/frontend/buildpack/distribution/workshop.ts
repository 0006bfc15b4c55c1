import { Lazy, type Wait } from '../../../base/index.ts';
import type { Digest, DiskBlobStore } from '../../../blob/index.ts';
import { MEDIA, type Layer } from '../../../image/index.ts';
import { GZIP, openLayer, writeLayer, type Dialect, type FileTree } from '../../../tree/index.ts';

/** Where images are put together: blobs made on the way lie in `store`, files of archives in `scratch`, as long as the work lasts. */
export interface Workshop {
  readonly store: DiskBlobStore;
  readonly scratch: string;
  /** Keeps blobs from being swept. */
  spare(...digests: readonly Digest[]): void;
}

/** A tree as a layer, written when first asked for. */
export function layerOfTree(
  tree: () => Promise<FileTree>,
  o: { shop: Workshop; dialect?: Dialect | undefined },
): Layer {
  const { store } = o.shop;
  const written = new Lazy(async () => {
    const layer = await writeLayer(await tree(), { store, dialect: o.dialect ?? 'lifecycle', codec: GZIP });
    const { compressed, diffId, size } = layer;
    if (!compressed) throw new Error('a layer was not compressed');
    o.shop.spare(diffId, compressed.descriptor.digest);
    return { diffId, size, descriptor: compressed.descriptor };
  });
  return {
    descriptor: async (w) => (await written.get(w)).descriptor,
    diffId: async (w) => (await written.get(w)).diffId,
    compressed: async (w) => store.open((await written.get(w)).descriptor, w),
    uncompressed: async (w) => {
      const { diffId, size } = await written.get(w);
      return store.open({ mediaType: MEDIA.ociLayer, digest: diffId, size }, w);
    },
  };
}

/** What is in a layer, brought into the store uncompressed where it is not there. */
export async function treeOfLayer(layer: Layer, o: { shop: Workshop } & Wait): Promise<FileTree> {
  const { store } = o.shop;
  const diffId = await layer.diffId(o);
  o.shop.spare(diffId);
  if (store.sizeOf(diffId) === undefined)
    await store.put(await layer.uncompressed(o), { mediaType: MEDIA.ociLayer, signal: o.signal });
  return openLayer(store, diffId, o);
}
