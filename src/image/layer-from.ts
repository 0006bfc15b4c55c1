import { bytesOf, Lazy, type Bytes, type Wait } from '../base/index.ts';
import { algorithmOf, Digester, digestOf, type BlobReader, type Descriptor, type Digest } from '../blob/index.ts';
import { decompressed } from '../tree/index.ts';
import { imageError } from './errors.ts';
import type { Layer, LayerSource } from './image.ts';
import { isLayerType } from './media-types.ts';

/**
 * The layer that `descriptor` names in `blobs`. Without `diffId` it is found by reading the layer once. What is no tar layer (an artifact's content) is its own diffID. Whether and how a layer is compressed is told by its content, since media types lie.
 */
export function layerFromBlob(
  descriptor: Descriptor,
  o: {
    blobs: BlobReader;
    diffId?: ((w?: Wait) => Promise<Digest>) | undefined;
    source?: LayerSource | undefined;
  },
): Layer {
  const isTar = isLayerType(descriptor.mediaType);
  const what = `read layer ${descriptor.digest}`;
  const compressed = async (w?: Wait): Promise<Bytes> =>
    descriptor.data === undefined ? o.blobs.open(descriptor, w) : bytesOf(Buffer.from(descriptor.data, 'base64'));
  const computed = new Lazy(async () => {
    if (!isTar) return descriptor.digest;
    const digester = new Digester();
    for await (const chunk of await decompressed(await compressed(), { what })) digester.update(chunk);
    return digester.digest();
  });
  const diffId = o.diffId ?? ((w?: Wait) => computed.get(w));
  return {
    source: o.source,
    descriptor: async () => descriptor,
    diffId,
    compressed,
    uncompressed: async (w) => {
      const expected = await diffId(w);
      const content = await compressed(w);
      if (!isTar || expected === descriptor.digest) return content;
      return matching(await decompressed(content, { what, signal: w?.signal }), { expected, what });
    },
  };
}

/**
 * A layer whose tar lies in `blobs` under its diffID. `compress` gives its descriptor, and from then on the compressed blob is in `blobs`, too; it is called once, when first needed.
 */
export function layerFromTar(
  diffId: Digest,
  o: { size: number; blobs: BlobReader; compress: (w?: Wait) => Promise<Descriptor>; source?: LayerSource | undefined },
): Layer {
  const descriptor = new Lazy(() => o.compress());
  return {
    source: o.source,
    descriptor: (w) => descriptor.get(w),
    diffId: async () => diffId,
    compressed: async (w) => o.blobs.open(await descriptor.get(w), w),
    uncompressed: (w) => o.blobs.open({ mediaType: 'application/x-tar', digest: diffId, size: o.size }, w),
  };
}

/** A layer of bytes that are at hand, stored as they are. */
export function layerFromBytes(
  content: Uint8Array,
  o: { mediaType: string; annotations?: Readonly<Record<string, string>> },
): Layer {
  const descriptor: Descriptor = { mediaType: o.mediaType, digest: digestOf(content), size: content.length };
  const blobs: BlobReader = {
    has: async (d) => d.digest === descriptor.digest,
    open: async (_, range = {}) =>
      bytesOf(
        content.slice(range.offset ?? 0, range.length === undefined ? undefined : (range.offset ?? 0) + range.length),
      ),
  };
  return layerFromBlob(o.annotations ? { ...descriptor, annotations: o.annotations } : descriptor, { blobs });
}

/** The same layer under a changed descriptor: another media type for the same bytes, or annotations. */
export function relabel(layer: Layer, change: (descriptor: Descriptor) => Descriptor): Layer {
  return {
    source: layer.source,
    descriptor: async (w) => change(await layer.descriptor(w)),
    diffId: (w) => layer.diffId(w),
    compressed: (w) => layer.compressed(w),
    uncompressed: (w) => layer.uncompressed(w),
  };
}

/** Passes a stream on; throws `LAYER_CORRUPT` at its end when it has another digest. */
async function* matching(content: Bytes, { expected, what }: { expected: Digest; what: string }): Bytes {
  const digester = new Digester(algorithmOf(expected));
  for await (const chunk of content) {
    digester.update(chunk);
    yield chunk;
  }
  const digest = digester.digest();
  if (digest !== expected)
    throw imageError(
      'LAYER_CORRUPT',
      `${what}: its content has digest ${digest}, but the image's config says ${expected}`,
    );
}
