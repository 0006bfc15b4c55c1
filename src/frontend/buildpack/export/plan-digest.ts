import type { Digest } from '../../../blob/index.ts';
import type { LayerPlan } from '../model/types.ts';

/** The diffID of a planned layer: what was found when it was written, or that of the layer it is taken from. */
export function digestOfPlan(plan: LayerPlan, digests: ReadonlyMap<string, Digest>): Digest {
  const digest = digests.get(plan.key) ?? plan.reuse;
  if (digest === undefined) throw new TypeError(`export layer "${plan.key}": its digest is not known`);
  return digest;
}
