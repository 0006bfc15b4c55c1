import { existsSync } from 'node:fs';
import { messageOf, type Wait } from '../../../base/index.ts';
import { openLayout, type Image } from '../../../image/index.ts';
import { lifecycleError } from '../errors.ts';
import { writeSparse } from './sparse-layout.ts';

/** The volume that restorer and extender share (its name is kaniko's, whose place strake takes). */
export const KANIKO = '/kaniko';

const folderOf = (digest: string): string => `${KANIKO}/cache/base/${digest}`;

/** Keeps what the extender, which knows no registry, has to know of an image: manifest and config. Where the platform gave no such volume nothing is kept. */
export async function keepBase(image: Image, digest: string, w: Wait): Promise<void> {
  if (existsSync(KANIKO)) await writeSparse(folderOf(digest), image, w);
}

/** The image that a reference of analyzed.toml is by its digest, without layers. Throws `LIFECYCLE_IMAGE_MISSING`. */
export async function keptBase(reference: string, kind: string): Promise<Image> {
  const digest = /@(sha256:[0-9a-f]{64})$/.exec(reference)?.[1] ?? '';
  const folder = folderOf(digest);
  let cause: unknown;
  try {
    const image = await openLayout(folder).images[0]?.open();
    if (image?.kind === 'image') return image;
  } catch (error) {
    cause = error;
  }
  throw lifecycleError(
    'LIFECYCLE_IMAGE_MISSING',
    `getting ${kind} image to extend: ${reference === '' ? 'analyzed.toml names none' : `"${folder}" does not have it${cause === undefined ? '' : `: ${messageOf(cause)}`}`}`,
    {
      cause,
      remedy: `Run the restorer${kind === 'build' ? ' with -build-image' : ''} before, with the same volume at ${KANIKO}.`,
    },
  );
}
