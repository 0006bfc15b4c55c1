import { kindOf, type Wait } from '../../../base/index.ts';
import type { ImageSource } from '../../../graph/index.ts';
import type { FrontendHost, Resolved } from '../../index.ts';

/** Pins an image. With `pull: 'always'` one that its registry does not have is taken from the store, as pack takes it from its daemon. */
export async function resolveImage(host: FrontendHost, source: ImageSource, w?: Wait): Promise<Resolved> {
  try {
    return await host.resolve({ kind: 'source', source }, w);
  } catch (error) {
    // A registry that does not know a repository says so in either way (distribution-spec, Pulling manifests).
    const absent = kindOf(error) === 'not_found' || kindOf(error) === 'denied';
    if (source.pull !== 'always' || !absent) throw error;
    const stored = await host.find({ kind: 'source', source: { ...source, pull: 'never' } }, w);
    if (stored) return stored;
    throw error;
  }
}
