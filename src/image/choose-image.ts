import type { Wait } from '../base/index.ts';
import type { Descriptor, Platform } from '../blob/index.ts';
import { platformOf } from './config-codec.ts';
import { imageError } from './errors.ts';
import { configOf, indexManifestOf } from './image-from.ts';
import type { Image, Index } from './image.ts';
import { formatPlatform, isAttestation, matchPlatform, platformRuns } from './platform.ts';

/** An image that was chosen, and the descriptor it has in the index it came from. */
export interface ChosenImage {
  readonly image: Image;
  /** Absent when there was no index to choose from. */
  readonly descriptor?: Descriptor | undefined;
}

/**
 * The image to run on `platform`: `x` itself when it is one, else the best member, also of indexes within. Throws `PLATFORM_NOT_FOUND`, naming `what` and the platforms there are.
 */
export async function chooseImage(
  x: Image | Index,
  platform: Platform,
  o: { what: string } & Wait,
): Promise<ChosenImage> {
  if (x.kind === 'image') return { image: x };
  const { manifests } = await indexManifestOf(x, o);
  const descriptor = matchPlatform(platform, manifests);
  if (descriptor) {
    const member = await x.member(descriptor, o);
    const chosen = await chooseImage(member, platform, o);
    if (descriptor.platform || chosen.descriptor || (await runs(chosen.image, platform, o)))
      return { image: chosen.image, descriptor: chosen.descriptor ?? descriptor };
  }
  const there = manifests
    .filter((member) => member.platform && !isAttestation(member))
    .map((member) => formatPlatform(member.platform as Platform));
  throw imageError(
    'PLATFORM_NOT_FOUND',
    `choose an image of "${o.what}" for ${formatPlatform(platform)}: ${there.length === 0 ? 'it has no image with a platform' : `it is there for ${[...new Set(there)].join(', ')}`}`,
    { remedy: 'Ask for one of these with --platform, or take another image.' },
  );
}

async function runs(image: Image, platform: Platform, w: Wait): Promise<boolean> {
  return platformRuns(platform, platformOf(await configOf(image, w)));
}
