import { kindOf, type Wait } from '../../base/index.ts';
import type { Digest } from '../../blob/index.ts';
import { configOf, descriptorOf, parseReference, type Image, type ImageConfig, type Layer } from '../../image/index.ts';
import type { PhaseContext } from './context.ts';

/** An image of a registry whose config was read; layers stay there until somebody looks into one. */
export interface RemoteImage {
  readonly image: Image;
  readonly config: ImageConfig;
  readonly digest: Digest;
  readonly labels: Readonly<Record<string, string>>;
  layer(diffId: string, w?: Wait): Promise<Layer | undefined>;
}

/** Throws what reaching a registry can bring. */
export async function openImage(name: string, c: PhaseContext): Promise<RemoteImage> {
  const image = await c.registry.image(parseReference(name), { platform: c.platform, signal: c.signal });
  const config = await configOf(image, c);
  const { digest } = await descriptorOf(image, c);
  return {
    image,
    config,
    digest,
    labels: config.config?.Labels ?? {},
    layer: async (diffId, w) => {
      const at = config.rootfs.diff_ids.indexOf(diffId as Digest);
      return at < 0 ? undefined : (await image.layers(w))[at];
    },
  };
}

/** The same, undefined where there is none. */
export async function findImage(name: string, c: PhaseContext): Promise<RemoteImage | undefined> {
  if (name === '') return undefined;
  try {
    return await openImage(name, c);
  } catch (error) {
    if (kindOf(error) === 'not_found') return undefined;
    throw error;
  }
}
