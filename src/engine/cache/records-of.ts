import type { Digest } from '../../blob/index.ts';
import type { KeyStore, RecordedKey, RecordedStep } from '../../solve/index.ts';
import type { RefLayer } from '../../worker/index.ts';
import type { CacheRecord } from './types.ts';

/**
 * The steps of a build as records for a cache, inputs first. With `within` only results whose layers are all among those are kept whole, of all others only the id: what keys of later steps are made of.
 */
export function recordsOf(
  steps: readonly RecordedStep[],
  o: {
    keys: Pick<KeyStore, 'get'>;
    /** Further keys that are known to lead to a result. */
    furtherKeys: (id: Digest) => readonly RecordedKey[];
    /** False for a layer whose bytes nobody has. */
    isReachable: (layer: RefLayer) => boolean;
    within?: ReadonlySet<Digest> | undefined;
  },
): readonly CacheRecord<RefLayer>[] {
  const records = new Map<Digest, CacheRecord<RefLayer>>();
  for (const { id, keys } of steps) {
    if (records.has(id)) continue;
    const outputs = o.keys.get(id)?.outputs.map((output) => output['layers'] as unknown as readonly RefLayer[]);
    const isKept = (layer: RefLayer): boolean =>
      o.isReachable(layer) && (o.within === undefined || o.within.has(layer.diffId));
    const byDigest = new Map([...o.furtherKeys(id), ...keys].map((key) => [key.digest, key]));
    records.set(id, {
      id,
      keys: [...byDigest.values()],
      outputs: outputs?.length && outputs.every((layers) => layers.every(isKept)) ? outputs : undefined,
    });
  }
  return [...records.values()];
}

/** The layers of all records, each once. */
export function layersOfRecords(records: readonly CacheRecord<RefLayer>[]): readonly RefLayer[] {
  const layers = records.flatMap(({ outputs = [] }) => outputs.flat());
  return [...new Map(layers.map((layer) => [layer.diffId, layer])).values()];
}
