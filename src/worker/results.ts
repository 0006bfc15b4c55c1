import { digestOf } from '../blob/index.ts';
import type { Content, ResultRecord, Results, Selector, StepContext } from '../solve/index.ts';
import { selectionContent, type SelectedPath, type Selection } from '../tree/index.ts';
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

  async content(ref: Ref, select: Selector, context: StepContext<Session>): Promise<Content> {
    const view = await this.#layers.viewOf(ref, accessOf(context, this.#fetchFor));
    const selections = select['selections'] as unknown as readonly Selection[];
    const contents: Awaited<ReturnType<typeof selectionContent>>[] = [];
    for (const selection of selections) contents.push(await selectionContent(view, selection, context));
    const [only] = contents;
    return {
      digest: contents.length === 1 && only ? only.digest : digestOf(contents.map(({ digest }) => digest).join(' ')),
      members: () => once(contents.map((content) => content.paths())),
    };
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

/** What several selections have in common is told once. */
function* once(lists: readonly Iterable<SelectedPath>[]): Iterable<SelectedPath> {
  const [only] = lists;
  if (only && lists.length === 1) {
    yield* only;
    return;
  }
  const seen = new Set<string>();
  for (const list of lists)
    for (const member of list) {
      if (seen.has(member.path)) continue;
      seen.add(member.path);
      yield member;
    }
}
