import { kindOf, type Wait } from '../../../base/index.ts';
import type { Digest, Platform } from '../../../blob/index.ts';
import { sourceState, type ImageSource, type State } from '../../../graph/index.ts';
import { canonicalReference, parseConfig, parseReference, type ImageConfig } from '../../../image/index.ts';
import type { FrontendHost } from '../../index.ts';

/** An image that was there before: an app image, a cache. */
export interface EarlierImage {
  readonly config: ImageConfig;
  readonly labels: Readonly<Record<string, string>>;
  /** One of its layers as it is. Nothing is fetched until somebody looks into it. */
  layer(diffId: Digest): State;
}

/** The image of that name, if there is one; one that cannot be reached is an error, one that is not there is none. */
export async function earlierImage(
  host: FrontendHost,
  name: string | undefined,
  o: { pull: ImageSource['pull']; platform: Platform } & Wait,
): Promise<EarlierImage | undefined> {
  if (name === undefined) return undefined;
  const reference = canonicalReference(parseReference(name));
  const source: ImageSource = { type: 'image', reference, platform: o.platform, pull: o.pull };
  try {
    const resolved = await host.find({ kind: 'source', source }, o);
    if (!resolved) return undefined;
    const pinned = resolved.source.source;
    const config = parseConfig(resolved.config ?? Buffer.from('{}'));
    return {
      config,
      labels: config.config?.Labels ?? {},
      layer: (layer) =>
        sourceState(pinned.type === 'image' ? { ...pinned, layer } : { ...source, layer }, {
          name: `[restore] layer ${layer.slice(7, 19)} of ${name}`,
          group: 'restore',
        }),
    };
  } catch (error) {
    // A registry that does not know a repository says so in either way (distribution-spec, Pulling manifests).
    if (o.pull === 'always' && kindOf(error) === 'denied') return undefined;
    throw error;
  }
}
