import type { Wait } from '../../../base/index.ts';
import type { Platform } from '../../../blob/index.ts';
import type { ImageConfig } from '../../../image/index.ts';
import type { FrontendHost, PlannedImage } from '../../index.ts';
import { packagesRunImage } from './embedded.ts';

/** A run image that strake makes of packages, by itself: what a rebase puts an app image on. */
export interface PlannedRunImage {
  readonly image: PlannedImage;
  /** As a build of an app has it, but for `rootfs`. */
  readonly config: ImageConfig;
  /** Of what it is made of. */
  readonly digest: string;
}

/** Names of run images that strake makes. */
export function isPackages(name: string): boolean {
  return name.startsWith('packages.local/');
}

export async function planRunImage(
  host: FrontendHost,
  name: string,
  { platform, ...w }: { platform: Platform } & Wait,
): Promise<PlannedRunImage> {
  const { base, state, config, digest } = await packagesRunImage(host, name, { platform, ...w });
  const image: PlannedImage = {
    platform,
    layers: [
      { kind: 'base', image: base },
      { kind: 'step', before: base, after: state, dialect: 'oci' },
    ],
    root: state,
    config,
    baseHistory: config.history?.length ?? 0,
    attestations: [],
  };
  return { image, config, digest };
}
