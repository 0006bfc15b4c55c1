import { Lazy, type Wait } from '../base/index.ts';
import type { Descriptor } from '../blob/index.ts';
import { imageError } from './errors.ts';
import type { Image, Index } from './image.ts';
import { relabel } from './layer-from.ts';
import { encodeManifest, parseImageManifest, parseManifest } from './manifest.ts';
import { familyOf, toFamily, type MediaFamily } from './media-types.ts';

/** `x` with these annotations on its manifest, added to those it has. The config, and so the image ID, stays. Throws `ANNOTATIONS_UNSUPPORTED` when asked for the manifest of an image of Docker media types. */
export function annotate<T extends Image | Index>(x: T, annotations: Readonly<Record<string, string>>): T {
  const manifest = new Lazy(async () => {
    const parsed = parseManifest(await x.manifest());
    if (familyOf(parsed.mediaType) === 'docker')
      throw imageError(
        'ANNOTATIONS_UNSUPPORTED',
        `annotate ${x.kind}: a manifest of Docker media types cannot have annotations`,
        {
          remedy: 'Convert the image to OCI media types first.',
        },
      );
    return encodeManifest({ ...parsed, annotations: { ...parsed.annotations, ...annotations } });
  });
  return withManifest(x, manifest);
}

/** The same image in a family of media types: same config, same layers, another manifest. One that is in that family keeps its manifest's bytes. Throws `ANNOTATIONS_UNSUPPORTED` when asked for a Docker manifest of an annotated image. */
export function withMediaTypes(image: Image, family: MediaFamily): Image {
  const manifest = new Lazy(async () => {
    const bytes = await image.manifest();
    const parsed = parseImageManifest(bytes);
    if (familyOf(parsed.mediaType) === family) return bytes;
    if (family === 'docker' && Object.keys(parsed.annotations ?? {}).length > 0)
      throw imageError(
        'ANNOTATIONS_UNSUPPORTED',
        'convert image: a manifest of Docker media types cannot have annotations',
        {
          remedy: 'Keep the OCI media types.',
        },
      );
    return encodeManifest({
      ...parsed,
      mediaType: toFamily(parsed.mediaType, family),
      config: convert(parsed.config),
      layers: parsed.layers.map((layer) => convert(layer)),
    });
  });
  const convert = (d: Descriptor): Descriptor => ({ ...d, mediaType: toFamily(d.mediaType, family) });
  return {
    kind: 'image',
    manifest: (w) => manifest.get(w),
    config: (w) => image.config(w),
    layers: async (w) => (await image.layers(w)).map((layer) => relabel(layer, convert)),
  };
}

/** `x` under another manifest. */
function withManifest<T extends Image | Index>(x: T, manifest: Lazy<Uint8Array>): T {
  const bytes = (w?: Wait): Promise<Uint8Array> => manifest.get(w);
  if (x.kind === 'image')
    return { kind: 'image', manifest: bytes, config: (w) => x.config(w), layers: (w) => x.layers(w) } as Image as T;
  return {
    kind: 'index',
    manifest: bytes,
    member: (descriptor, w) => x.member(descriptor, w),
    ...(x.blob ? { blob: (descriptor, w) => (x.blob as NonNullable<Index['blob']>)(descriptor, w) } : {}),
  } as Index as T;
}
