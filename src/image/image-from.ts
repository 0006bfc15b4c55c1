import { bytesOf, Lazy, type Wait } from '../base/index.ts';
import { digestOf, type BlobReader, type Descriptor, type Digest } from '../blob/index.ts';
import { collectConfig, parseConfig } from './config-codec.ts';
import type { ImageConfig } from './config.ts';
import { imageError } from './errors.ts';
import type { Image, Index, Layer, LayerSource } from './image.ts';
import { layerFromBlob } from './layer-from.ts';
import {
  collectManifest,
  parseImageManifest,
  parseIndexManifest,
  parseManifest,
  type ImageManifest,
  type IndexManifest,
} from './manifest.ts';
import { isConfigType, isIndexType, isManifestType } from './media-types.ts';

/** The least a source of images must know. */
export interface ImageCore {
  /** The manifest's bytes as they are. Called once. */
  manifest(): Promise<Uint8Array>;
  /** What the manifest is announced as, where that is known. */
  readonly mediaType?: string | undefined;
  /** Where config, layers and members are. */
  readonly blobs: BlobReader;
  /** Set when the blobs are in a registry. */
  readonly source?: LayerSource | undefined;
  /** Makes the layer of a descriptor where `layerFromBlob` will not do. */
  readonly layer?:
    | ((descriptor: Descriptor, o: { at: number; diffId: (w?: Wait) => Promise<Digest> }) => Layer)
    | undefined;
}

/** The image of a core. Manifest and config are read when first asked for, then kept; layers are read each time. */
export function imageFrom(core: ImageCore): Image {
  const bytes = new Lazy(() => core.manifest());
  const manifest = new Lazy(async () => parseImageManifest(await bytes.get(), { mediaType: core.mediaType }));
  const config = new Lazy(async () => {
    const { config } = await manifest.get();
    const content =
      config.data === undefined ? await core.blobs.open(config) : bytesOf(Buffer.from(config.data, 'base64'));
    return collectConfig(content, `config ${config.digest}`);
  });
  const diffIds = new Lazy(async () => {
    const { config: descriptor, layers } = await manifest.get();
    if (!isConfigType(descriptor.mediaType)) return undefined;
    const ids = parseConfig(await config.get(), `config ${descriptor.digest}`).rootfs.diff_ids;
    if (ids.length !== layers.length)
      throw imageError(
        'IMAGE_INVALID',
        `read image: its config ${descriptor.digest} has ${ids.length} diffIDs for ${layers.length} layers`,
      );
    return ids;
  });
  const layers = new Lazy(async () => {
    const { config: configDescriptor, layers } = await manifest.get();
    const isImage = isConfigType(configDescriptor.mediaType);
    return layers.map((descriptor, at) => {
      const diffId = async (w?: Wait): Promise<Digest> => (await diffIds.get(w))?.[at] ?? descriptor.digest;
      if (isImage && core.layer) return core.layer(descriptor, { at, diffId });
      return layerFromBlob(descriptor, {
        blobs: core.blobs,
        source: core.source,
        diffId: isImage ? diffId : undefined,
      });
    });
  });
  return {
    kind: 'image',
    manifest: (w) => bytes.get(w),
    config: (w) => config.get(w),
    layers: (w) => layers.get(w),
  };
}

/** The index of a core. Members are opened as images and indexes of the same blobs. */
export function indexFrom(core: ImageCore): Index {
  const bytes = new Lazy(() => core.manifest());
  return {
    kind: 'index',
    manifest: (w) => bytes.get(w),
    member: async (descriptor) => openMember(descriptor, core),
    blob: (descriptor, w) => core.blobs.open(descriptor, w),
  };
}

/** The image or index that `descriptor` names in `blobs`. Nothing is read yet where the media type tells which it is. */
export async function openImageOrIndex(
  descriptor: Descriptor,
  core: Omit<ImageCore, 'manifest' | 'mediaType'>,
): Promise<Image | Index> {
  return openMember(descriptor, core);
}

async function openMember(
  descriptor: Descriptor,
  core: Omit<ImageCore, 'manifest' | 'mediaType'>,
): Promise<Image | Index> {
  const { mediaType } = descriptor;
  const what = `manifest ${descriptor.digest}`;
  const manifest = async (): Promise<Uint8Array> =>
    collectManifest(
      descriptor.data === undefined
        ? await core.blobs.open(descriptor)
        : bytesOf(Buffer.from(descriptor.data, 'base64')),
      what,
    );
  if (isIndexType(mediaType)) return indexFrom({ ...core, mediaType, manifest });
  if (isManifestType(mediaType)) return imageFrom({ ...core, mediaType, manifest });
  const bytes = await manifest();
  const parsed = parseManifest(bytes, { mediaType, what });
  const known = { ...core, mediaType: parsed.mediaType, manifest: async () => bytes };
  return parsed.kind === 'index' ? indexFrom(known) : imageFrom(known);
}

/** The parsed manifest of an image. */
export async function manifestOf(image: Image, w?: Wait): Promise<ImageManifest> {
  return parseImageManifest(await image.manifest(w));
}

/** The parsed manifest of an index. */
export async function indexManifestOf(index: Index, w?: Wait): Promise<IndexManifest> {
  return parseIndexManifest(await index.manifest(w));
}

/** The parsed config of an image. Throws `CONFIG_INVALID`, also for an artifact, which has none. */
export async function configOf(image: Image, w?: Wait): Promise<ImageConfig> {
  const bytes = await image.config(w);
  try {
    return parseConfig(bytes);
  } catch (error) {
    const { config } = await manifestOf(image, w);
    if (isConfigType(config.mediaType)) throw error;
    throw imageError('CONFIG_INVALID', `read image config: this is an artifact, whose config is "${config.mediaType}"`);
  }
}

/** What names an image or index: type, digest and size of its manifest. */
export async function descriptorOf(x: Image | Index, w?: Wait): Promise<Descriptor> {
  const bytes = await x.manifest(w);
  return { mediaType: parseManifest(bytes).mediaType, digest: digestOf(bytes), size: bytes.length };
}

/** The image ID: the digest of its config, the same whatever its layers are compressed with. No layer is compressed for it. */
export async function imageId(image: Image, w?: Wait): Promise<Digest> {
  return digestOf(await image.config(w));
}
