import { compressionOf, type ImageStore, type Layer } from '../image/index.ts';
import type { Codec } from '../tree/index.ts';
import { toLayerRecord, type LayerAccess, type RefLayer, type Worker } from '../worker/index.ts';

/** A layer as a value. One from outside stays as it came; with `force` one in another compression is fetched and compressed anew. */
export async function layerIn(
  codec: Codec,
  layer: RefLayer,
  o: {
    readonly force: boolean;
    readonly images: ImageStore;
    readonly worker: Worker;
    readonly access: LayerAccess;
  },
): Promise<Layer> {
  const { compressed, diffId } = layer;
  const isOther = compressed !== undefined && compressionOf(compressed.mediaType) !== codec.name;
  if (!o.force || !isOther) return o.images.layer(toLayerRecord(layer), codec);
  await o.worker.layers.tarOf(layer, o.access);
  return o.images.layer({ diffId }, codec);
}
