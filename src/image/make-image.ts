import { Lazy, type Wait } from '../base/index.ts';
import { digestOf, type Descriptor } from '../blob/index.ts';
import { encodeConfig, parseConfig } from './config-codec.ts';
import type { ImageConfig } from './config.ts';
import { imageError } from './errors.ts';
import type { Image, Layer } from './image.ts';
import { relabel } from './layer-from.ts';
import { encodeManifest } from './manifest.ts';
import { isConfigType, MEDIA, toFamily, type MediaFamily } from './media-types.ts';

export interface ImageParts {
  /**
   * As an object: encoded as BuildKit would, with `rootfs` filled in from the layers. As bytes: taken as they are, and must name these layers.
   */
  readonly config: Uint8Array | ImageConfig;
  readonly layers: readonly Layer[];
  readonly mediaTypes: MediaFamily;
  /** The config's media type where this is an artifact. */
  readonly configType?: string | undefined;
  /** The descriptor of the config carries its bytes, too. */
  readonly embedConfig?: boolean | undefined;
  readonly artifactType?: string | undefined;
  readonly subject?: Descriptor | undefined;
  /** Of the manifest. Docker's has none: `ANNOTATIONS_UNSUPPORTED`. */
  readonly annotations?: Readonly<Record<string, string>> | undefined;
}

/** The image of these parts. Nothing is computed until asked; asking for the manifest may compress layers. */
export function makeImage(parts: ImageParts): Image {
  return makeImageLater(async () => parts);
}

/** `makeImage` of parts that are found out when first needed. */
export function makeImageLater(find: () => Promise<ImageParts>): Image {
  const parts = new Lazy(async () => {
    const found = await find();
    checkAnnotations(found);
    return { ...found, layers: found.layers.map((layer) => relabel(layer, (d) => inFamily(d, found.mediaTypes))) };
  });
  const config = new Lazy(async () => configBytes(await parts.get()));
  const manifest = new Lazy(async () => {
    const { layers, mediaTypes, configType, embedConfig, artifactType, subject, annotations } = await parts.get();
    const bytes = await config.get();
    const descriptors: Descriptor[] = [];
    for (const layer of layers) descriptors.push(await layer.descriptor());
    return encodeManifest({
      kind: 'image',
      mediaType: toFamily(MEDIA.ociManifest, mediaTypes),
      artifactType,
      config: {
        mediaType: configType ?? toFamily(MEDIA.ociConfig, mediaTypes),
        digest: digestOf(bytes),
        size: bytes.length,
        ...(embedConfig ? { data: Buffer.from(bytes).toString('base64') } : {}),
      },
      layers: descriptors,
      subject,
      annotations,
    });
  });
  return {
    kind: 'image',
    manifest: (w?: Wait) => manifest.get(w),
    config: (w?: Wait) => config.get(w),
    layers: async (w?: Wait) => (await parts.get(w)).layers,
  };
}

async function configBytes({ config, layers, configType }: ImageParts): Promise<Uint8Array> {
  if (configType !== undefined && !isConfigType(configType))
    return config instanceof Uint8Array ? config : encodeConfig(config);
  const diffIds = await Promise.all(layers.map((layer) => layer.diffId()));
  if (!(config instanceof Uint8Array))
    return encodeConfig({ ...config, rootfs: { type: 'layers', diff_ids: diffIds } });
  const said = parseConfig(config).rootfs.diff_ids;
  if (said.length !== diffIds.length || said.some((id, at) => id !== diffIds[at]))
    throw imageError(
      'IMAGE_INVALID',
      `make image: its config names the layers ${said.join(', ')}, not ${diffIds.join(', ')}`,
    );
  return config;
}

/** Docker's manifests have no annotations on layers either: they are dropped there, as BuildKit does. */
function inFamily(descriptor: Descriptor, family: MediaFamily): Descriptor {
  const { annotations, ...rest } = descriptor;
  const mediaType = toFamily(descriptor.mediaType, family);
  return family === 'docker' || annotations === undefined
    ? { ...rest, mediaType }
    : { ...rest, mediaType, annotations };
}

function checkAnnotations({ annotations, mediaTypes }: ImageParts): void {
  if (mediaTypes === 'docker' && annotations !== undefined && Object.keys(annotations).length > 0)
    throw imageError(
      'ANNOTATIONS_UNSUPPORTED',
      'make image: a manifest of Docker media types cannot have annotations',
      {
        remedy: 'Write OCI media types, or leave the annotations out.',
      },
    );
}
