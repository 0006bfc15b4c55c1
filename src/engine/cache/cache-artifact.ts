import { mapBounded, type Wait } from '../../base/index.ts';
import { digestOf, type Descriptor, type Digest } from '../../blob/index.ts';
import {
  compressionOf,
  encodeManifest,
  imageError,
  makeImage,
  MEDIA,
  relabel,
  toFamily,
  type Image,
  type ImageStore,
  type Index,
  type Layer,
} from '../../image/index.ts';
import type { Codec } from '../../tree/index.ts';
import type { LayerAccess, RefLayer, Worker } from '../../worker/index.ts';
import { layerIn } from '../layer-in.ts';
import { CACHE_CONFIG_TYPE, CACHE_MOUNT_TYPE, encodeCacheConfig } from './document.ts';
import { layersOfRecords } from './records-of.ts';
import type { CacheContent, CachedLayer, CachedMount, CacheRecord } from './types.ts';

/** Layers compressed or looked at together. */
const AT_ONCE = 4;

export interface ArtifactOptions extends Wait {
  readonly content: CacheContent;
  readonly codec: Codec;
  readonly worker: Worker;
  /** Reads layers that are still in a registry with a build's credentials. */
  readonly images: ImageStore;
  readonly access: LayerAccess;
  /** What cache mounts held. */
  readonly mounts: readonly CachedMount<RefLayer>[];
}

/** Records with their layers as something that is pushed or written as any image: the manifest of an artifact, or BuildKit's older index. Compresses what is not compressed yet. */
export async function cacheArtifact(
  records: readonly CacheRecord<RefLayer>[],
  o: ArtifactOptions,
): Promise<Image | Index> {
  const family = o.content.docker ? 'docker' : 'oci';
  const refs = layersOfRecords(records);
  const held = await mapBounded(o.mounts, AT_ONCE, async ({ layer }) => relabel(await layerOf(layer, o), asMount));
  const layers = [...(await mapBounded(refs, AT_ONCE, async (ref) => layerOf(ref, o))), ...held];
  const descriptors = await mapBounded(layers, AT_ONCE, async (layer) => {
    const { digest, size, mediaType } = await layer.descriptor(o);
    return { digest, size, mediaType: toFamily(mediaType, family) };
  });
  const byDiffId = new Map(refs.map(({ diffId }, at) => [diffId, descriptors[at]]));
  const cached = (layer: RefLayer): CachedLayer => ({
    diffId: layer.diffId,
    compressed: byDiffId.get(layer.diffId) as Descriptor,
    createdAt: layer.createdAt,
  });
  const config = encodeCacheConfig(
    records.map(({ id, keys, outputs }) => ({ id, keys, outputs: outputs?.map((stack) => stack.map(cached)) })),
    o.mounts.map(({ key, layer: { diffId } }, at) => ({
      key,
      layer: { diffId, compressed: descriptors[refs.length + at] as Descriptor },
    })),
  );
  if (!o.content.asIndex) return makeImage({ config, configType: CACHE_CONFIG_TYPE, layers, mediaTypes: family });
  const blobs = new Map(descriptors.map(({ digest }, at) => [digest, layers[at] as Layer]));
  return blobIndex(config, { descriptors, blobs, mediaType: toFamily(MEDIA.ociIndex, family) });
}

/** BuildKit's older form: an index whose members are no manifests but blobs, the config last. */
function blobIndex(
  config: Uint8Array,
  o: { descriptors: readonly Descriptor[]; blobs: ReadonlyMap<Digest, Layer>; mediaType: string },
): Index {
  const last: Descriptor = { mediaType: CACHE_CONFIG_TYPE, digest: digestOf(config), size: config.length };
  const content = encodeManifest({ kind: 'index', mediaType: o.mediaType, manifests: [...o.descriptors, last] });
  return {
    kind: 'index',
    manifest: async () => content,
    member: async ({ digest }) => {
      throw imageError('MANIFEST_UNSUPPORTED', `open member ${digest}: it is a blob`);
    },
    blob: async ({ digest }, w) => {
      const layer = o.blobs.get(digest);
      return layer ? layer.compressed(w) : once(config);
    },
  };
}

/** What a cache mount held is no layer of an image, and is not to be taken for one. */
function asMount(descriptor: Descriptor): Descriptor {
  const compression = compressionOf(descriptor.mediaType);
  const suffix = compression === undefined || compression === 'none' ? '' : `+${compression}`;
  return descriptor.mediaType.startsWith(CACHE_MOUNT_TYPE)
    ? descriptor
    : { ...descriptor, mediaType: `${CACHE_MOUNT_TYPE}${suffix}` };
}

async function layerOf(ref: RefLayer, o: ArtifactOptions): Promise<Layer> {
  return layerIn(o.codec, ref, { ...o, force: o.content.forceCompression === true });
}

async function* once(content: Uint8Array): AsyncIterable<Uint8Array> {
  yield content;
}
