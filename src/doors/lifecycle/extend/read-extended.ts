import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { hasErrno } from '../../../base/index.ts';
import type { Digest } from '../../../blob/index.ts';
import { configOf, openLayout, type ImageConfig, type Layer } from '../../../image/index.ts';
import type { PhaseContext } from '../context.ts';
import { lifecycleError } from '../errors.ts';
import type { OpenImage } from '../images/images.ts';

/** A run image that the extender extended: its config, and the layers that it got. */
export interface ExtendedRun {
  readonly config: ImageConfig;
  readonly layers: readonly Layer[];
  readonly added: readonly { readonly diffId: Digest; readonly createdBy: string }[];
}

/** What `extender -kind run` left in the folder of extended images: an OCI layout with the layers above those of the run image (platform.md, extender). Throws `LIFECYCLE_FILE_MISSING`. */
export async function readExtended(c: PhaseContext, run: OpenImage): Promise<ExtendedRun> {
  const folder = join(c.inputs.path('extended'), 'run');
  const [name] = namesIn(folder);
  const image = name === undefined ? undefined : await openLayout(join(folder, name)).images[0]?.open();
  if (image?.kind !== 'image')
    throw lifecycleError('LIFECYCLE_FILE_MISSING', `export on the extended run image: there is none in "${folder}"`, {
      remedy: 'Run "extender -kind run" before, in a container of the run image.',
    });
  const config = await configOf(image, c);
  const below = run.config.rootfs.diff_ids;
  const isSame = below.every((diffId, at) => config.rootfs.diff_ids[at] === diffId);
  if (!isSame)
    throw lifecycleError(
      'LIFECYCLE_IMAGE_MISSING',
      `export on the extended run image: it does not extend "${run.reference}"`,
      {
        remedy: 'Run restorer and extender again.',
      },
    );
  const layers = (await image.layers(c)).slice(below.length);
  const history = (config.history ?? []).filter(({ empty_layer: empty }) => empty !== true);
  const added = config.rootfs.diff_ids.slice(below.length).map((diffId, at) => ({
    diffId,
    createdBy: history[below.length + at]?.created_by ?? '',
  }));
  const { history: _history, ...rest } = config;
  return { config: { ...rest, history: history.slice(0, below.length) }, layers, added };
}

function namesIn(folder: string): readonly string[] {
  try {
    return readdirSync(folder).sort();
  } catch (error) {
    if (hasErrno(error, 'ENOENT')) return [];
    throw error;
  }
}
