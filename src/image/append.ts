import type { ImageConfig, History } from './config.ts';
import { configOf, manifestOf } from './image-from.ts';
import type { Image, Layer } from './image.ts';
import { makeImageLater } from './make-image.ts';
import { familyOf } from './media-types.ts';

/** A layer to put on an image, with the entry that the config's history gets for it. */
export interface Addition {
  readonly layer: Layer;
  readonly history?: History | undefined;
}

/** `base` with layers on top, one history entry for each. Nothing is read until asked. */
export function append(base: Image, ...additions: readonly (Layer | Addition)[]): Image {
  const added = additions.map((one): Addition => ('layer' in one ? one : { layer: one }));
  return remake(base, async (config) => ({
    config: {
      ...config,
      ...(config.history || added.length === 0
        ? { history: [...(config.history ?? []), ...added.map(({ history }) => history ?? {})] }
        : {}),
    },
    layers: added.map(({ layer }) => layer),
  }));
}

/** `base` with its config changed; `rootfs` follows the layers whatever `change` says. */
export function withConfig(base: Image, change: (config: ImageConfig) => ImageConfig): Image {
  return remake(base, async (config) => ({ config: change(config), layers: [] }));
}

function remake(
  base: Image,
  change: (config: ImageConfig) => Promise<{ config: ImageConfig; layers: readonly Layer[] }>,
): Image {
  return makeImageLater(async () => {
    const manifest = await manifestOf(base);
    const changed = await change(await configOf(base));
    return {
      config: changed.config,
      layers: [...(await base.layers()), ...changed.layers],
      mediaTypes: familyOf(manifest.mediaType) ?? 'oci',
      annotations: manifest.annotations,
      artifactType: manifest.artifactType,
      subject: manifest.subject,
    };
  });
}
