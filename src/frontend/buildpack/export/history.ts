import type { History } from '../../../image/index.ts';

/** Go's zero time: `created` of a history entry about which nothing is said. */
export const NEVER = '0001-01-01T00:00:00Z';

/** One entry for each layer: those that there are, without those of empty layers; none that say anything where they do not fit (buildpacks/imgutil, NormalizedHistory). */
export function fittingHistory(history: readonly History[] | undefined, layers: number): readonly History[] {
  const own = (history ?? []).filter((entry) => entry.empty_layer !== true);
  return own.length === layers ? own : Array.from({ length: layers }, (): History => ({}));
}
