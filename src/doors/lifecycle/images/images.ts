import type { Wait } from '../../../base/index.ts';
import type { Digest } from '../../../blob/index.ts';
import { configOf, descriptorOf, type Image, type ImageConfig, type Layer } from '../../../image/index.ts';

/** An image whose config was read; layers stay where they are until somebody looks into one. */
export interface OpenImage {
  readonly image: Image;
  readonly config: ImageConfig;
  readonly digest: Digest;
  /** What it is known by without a doubt: `name@digest`, `path@digest`. */
  readonly reference: string;
  readonly labels: Readonly<Record<string, string>>;
  layer(diffId: string, w?: Wait): Promise<Layer | undefined>;
}

/** What an image that was saved is known by. */
export interface SavedImage {
  /** In the log. */
  readonly shown: string;
  /** In report.toml. */
  readonly report: { readonly digest: string; readonly manifestSize: number } | { readonly imageId: string };
}

/** By the manifest, which is the same in all registries. */
export async function savedByManifest(image: Image, w: Wait): Promise<SavedImage> {
  const { digest, size } = await descriptorOf(image, w);
  return { shown: digest.slice(0, 19), report: { digest, manifestSize: size } };
}

/** Where app and run images are read and written. */
export interface Images {
  /** By a name, or by the reference of an image that was opened. Throws `not_found` where there is none. */
  open(name: string, w?: Wait): Promise<OpenImage>;
  /** Throws where an image of this name may not be written. */
  checkWrite(name: string, w?: Wait): Promise<void>;
  /** `near`: an image of the same contents that was saved already. */
  save(image: Image, o: { readonly name: string; readonly near?: string | undefined } & Wait): Promise<SavedImage>;
}

export async function openedImage(
  image: Image,
  o: { readonly referenceOf: (digest: Digest) => string } & Wait,
): Promise<OpenImage> {
  const config = await configOf(image, o);
  const { digest } = await descriptorOf(image, o);
  return {
    image,
    config,
    digest,
    reference: o.referenceOf(digest),
    labels: config.config?.Labels ?? {},
    layer: async (diffId, w) => {
      const at = config.rootfs.diff_ids.indexOf(diffId as Digest);
      return at < 0 ? undefined : (await image.layers(w))[at];
    },
  };
}
