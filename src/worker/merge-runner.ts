import type { Clock } from '../base/index.ts';
import { digestOf } from '../blob/index.ts';
import type { DiffOp, MergeOp } from '../graph/index.ts';
import type { CacheKey, OpRunner, StepContext } from '../solve/index.ts';
import { changesBetween, writeLayer } from '../tree/index.ts';
import { accessOf, type FetchFor } from './access.ts';
import type { LayerService } from './layer-service.ts';
import type { LayersRef, Ref } from './ref.ts';
import type { Session } from './session.ts';

/** Merging is stacking: the layers of each input, in order. Nothing is read. */
export class MergeRunner implements OpRunner<MergeOp, Ref, Session> {
  readonly #layers: LayerService;

  constructor(o: { layers: LayerService }) {
    this.#layers = o.layers;
  }

  async cacheKey(): Promise<CacheKey> {
    return { digest: digestOf('merge'), inputs: [], parts: [], unrecorded: true };
  }

  async run(_op: MergeOp, inputs: readonly Ref[], context: StepContext<Session>): Promise<readonly Ref[]> {
    const stacks: LayersRef[] = [];
    for (const input of inputs) stacks.push(await this.#layers.stacked(input, context));
    return [{ kind: 'layers', layers: stacks.flatMap(({ layers }) => layers) }];
  }
}

/** What the upper input has and the lower has not: its further layers where it stands on the lower one, else one layer of what differs. */
export class DiffRunner implements OpRunner<DiffOp, Ref, Session> {
  readonly #layers: LayerService;
  readonly #fetchFor: FetchFor;
  readonly #clock: Clock;

  constructor(o: { layers: LayerService; fetchFor: FetchFor; clock: Clock }) {
    this.#layers = o.layers;
    this.#fetchFor = o.fetchFor;
    this.#clock = o.clock;
  }

  async cacheKey(): Promise<CacheKey> {
    return { digest: digestOf('diff'), inputs: [], parts: [] };
  }

  async run(_op: DiffOp, inputs: readonly Ref[], context: StepContext<Session>): Promise<readonly Ref[]> {
    const lower = await this.#layers.stacked(inputs[0], context);
    const upper = await this.#layers.stacked(inputs[1], context);
    if (lower.layers.every((layer, i) => upper.layers[i]?.diffId === layer.diffId))
      return [{ kind: 'layers', layers: upper.layers.slice(lower.layers.length) }];
    const access = accessOf(context, this.#fetchFor);
    const [below, above] = await this.#layers.viewsOf([lower, upper], access);
    if (!below || !above) throw new TypeError('run a diff step: it has no inputs');
    const changes = await changesBetween(below, above, { signal: context.signal });
    const { diffId } = await writeLayer(changes, { store: this.#layers.store, dialect: 'oci', signal: context.signal });
    return [{ kind: 'layers', layers: [{ diffId, createdAt: this.#clock.now() }] }];
  }
}
