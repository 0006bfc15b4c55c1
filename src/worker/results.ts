import { digestOf, type Digest } from '../blob/index.ts';
import type { ResultRecord, Results, Selector, StepContext } from '../solve/index.ts';
import { contentDigest, type Selection } from '../tree/index.ts';
import { accessOf, type FetchFor } from './access.ts';
import type { LayerService } from './layer-service.ts';
import { blobsOf, type Ref, type RefLayer } from './ref.ts';
import type { Session } from './session.ts';

/** Results of steps, as the solver handles them: a record is the list of layers. Whatever a build takes up is spared from sweeps until it ends. */
export class RefResults implements Results<Ref, Session> {
  readonly #layers: LayerService;
  readonly #fetchFor: FetchFor;

  constructor(layers: LayerService, fetchFor: FetchFor) {
    this.#layers = layers;
    this.#fetchFor = fetchFor;
  }

  async content(ref: Ref, select: Selector, context: StepContext<Session>): Promise<Digest> {
    const view = await this.#layers.viewOf(ref, accessOf(context, this.#fetchFor));
    const selections = select['selections'] as unknown as readonly Selection[];
    const digests: Digest[] = [];
    for (const selection of selections) digests.push(await contentDigest(view, selection, { signal: context.signal }));
    return digests.length === 1 && digests[0] ? digests[0] : digestOf(digests.join(' '));
  }

  async save(ref: Ref): Promise<ResultRecord> {
    if (ref.kind === 'files') throw new TypeError('record a result: files of the asking side are never kept on record');
    return { layers: ref.layers as unknown as ResultRecord[] };
  }

  async load(record: ResultRecord, { host }: StepContext<Session>): Promise<Ref | undefined> {
    const layers = record['layers'] as unknown as readonly RefLayer[];
    host.spare(...blobsOf(layers));
    if ((await host.offers?.(layers)) === false) return undefined;
    return layers.every((layer) => this.#layers.isReachable(layer)) ? { kind: 'layers', layers } : undefined;
  }

  async share(ref: Ref, { host }: StepContext<Session>): Promise<void> {
    if (ref.kind === 'layers') host.spare(...blobsOf(ref.layers));
  }

  async release(): Promise<void> {
    // Layers are kept by leases and records, not by who holds a reference.
  }
}
