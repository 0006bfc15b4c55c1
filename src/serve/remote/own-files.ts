import type { Clock, Wait } from '../../base/index.ts';
import type { BuildEvent } from '../../engine/index.ts';
import { toldWork } from '../../frontend/index.ts';
import type { LocalSource, State, Vertex } from '../../graph/index.ts';
import { unionOf, type TreeView } from '../../tree/index.ts';
import type { BuildHost } from '../../worker/index.ts';

/** Trees that lie on this side, for a frontend to look into: the daemon need not be sent what is read here. They are told of as the steps that they are. */
export class OwnFiles {
  readonly #host: Pick<BuildHost, 'files'>;
  readonly #clock: Clock;
  readonly #emit: (event: BuildEvent) => void;
  /** By the digest of the source's vertex. */
  readonly #views = new Map<string, Promise<TreeView>>();

  constructor(o: {
    readonly host: Pick<BuildHost, 'files'>;
    readonly clock: Clock;
    readonly emit: (event: BuildEvent) => void;
  }) {
    this.#host = o.host;
    this.#clock = o.clock;
    this.#emit = o.emit;
  }

  /** Walks it at the first call; undefined for a state that is no local source. */
  look(state: State, w: Wait): Promise<TreeView> | undefined {
    const vertex = state.edge?.vertex;
    if (vertex?.op.kind !== 'source' || vertex.op.source.type !== 'local') return undefined;
    let view = this.#views.get(vertex.digest);
    if (!view) {
      view = this.#walk(vertex, vertex.op.source, w);
      view.catch(() => undefined);
      this.#views.set(vertex.digest, view);
    }
    return view;
  }

  async #walk(vertex: Vertex, source: LocalSource, w: Wait): Promise<TreeView> {
    const { digest: id, label } = vertex;
    const { name, include, exclude, follow } = source;
    const emit = this.#emit;
    emit({ kind: 'vertex', id, name: label.name, inputs: [], group: label.group, internal: label.internal });
    return toldWork(id, { emit, clock: this.#clock }, async () => {
      const tree = await this.#host.files(name).tree({ include, exclude, follow }, w);
      let current = 0;
      for (const entry of await tree.entries(w)) current += entry.size;
      const progress = { item: 'transferring context', current, unit: 'bytes', done: true } as const;
      emit({ kind: 'progress', id, at: this.#clock.now(), progress });
      return unionOf([tree], w);
    });
  }
}
