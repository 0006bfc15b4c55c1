import type { Wait } from '../base/index.ts';
import { layerFromBlob, layerFromTar, layerType, type Layer } from '../image/index.ts';
import { compressLayer, type Codec } from '../tree/index.ts';
import type { LayerAccess, RefLayer, Worker } from '../worker/index.ts';

/**
 * A layer as an image value. A base's layer goes as it came; others are compressed by `codec` when their descriptor is first asked for, once for ever: the store keeps a row of it, so that every push and save gives the same manifest.
 */
export function layerValue(layer: RefLayer, o: { worker: Worker; codec: Codec; access: LayerAccess }): Layer {
  const { worker, codec, access } = o;
  const { store } = worker;
  if (layer.compressed && codec.name !== 'none')
    return layerFromBlob(layer.compressed, {
      blobs: worker.reader(layer, access),
      diffId: async () => layer.diffId,
      source: layer.source === undefined ? undefined : { reference: layer.source },
    });
  const size = store.sizeOf(layer.diffId) ?? 0;
  return layerFromTar(layer.diffId, {
    size,
    blobs: store,
    compress: async (w?: Wait) => {
      await worker.layers.tarOf(layer, access);
      if (codec.name === 'none') return { mediaType: layerType('oci', 'none'), digest: layer.diffId, size: store.sizeOf(layer.diffId) ?? size };
      const known = worker.images.compressedOf(layer.diffId, codec);
      if (known && store.sizeOf(known.digest) === known.size) return known;
      const made = await compressLayer(store, layer.diffId, codec, { signal: w?.signal ?? access.signal });
      worker.layers.rememberCompressed(layer.diffId, { codec, descriptor: made });
      return made;
    },
  });
}
