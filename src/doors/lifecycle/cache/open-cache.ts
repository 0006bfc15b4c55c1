import type { PhaseContext } from '../context.ts';
import type { BuildCache } from './build-cache.ts';

/** The cache that a phase was given: an image, else a folder, else none. */
export async function openCache(c: PhaseContext): Promise<BuildCache | undefined> {
  const image = c.inputs.text('cache-image');
  if (image !== '') {
    const { ImageCache } = await import('./image-cache.ts');
    return new ImageCache(image, c);
  }
  const folder = c.inputs.path('cache-dir');
  if (folder === '') return undefined;
  const { VolumeCache } = await import('./volume-cache.ts');
  return new VolumeCache(folder);
}
