import type { BlobReader, BlobWriter, Digest } from '../../blob/index.ts';
import type { State, Vertex } from '../../graph/index.ts';
import { messageOf } from '../../base/index.ts';
import { openSession, type OpenSession } from '../../wire/buildkit/index.ts';
import type { BuildHost } from '../../worker/index.ts';
import type { RemoteConnection } from './connection.ts';
import { remoteError } from './errors.ts';
import { ShapeStore } from './shape-store.ts';

/** What a build's session offers, as the build finds out what it needs: the names in its graph. */
export class RemoteSession implements AsyncDisposable {
  /** Fires when the session has ended before the build. */
  readonly gone: AbortSignal;
  readonly shapes = new ShapeStore();
  readonly #open: OpenSession;
  readonly #host: BuildHost;
  // A daemon is told whether there are files and stores when the session opens, and which when it asks.
  readonly #files = ['context', 'dockerfile'];
  readonly #stores: Map<string, BlobReader & Partial<BlobWriter>>;
  readonly #made: ReadonlyMap<string, BlobReader>;
  readonly #seen = new Set<Digest>();

  constructor(
    connection: RemoteConnection,
    o: {
      readonly host: BuildHost;
      readonly id: string;
      readonly sharedKey?: string | undefined;
      /** Names of sinks by the number of their exporter. */
      readonly sinks: readonly (string | undefined)[];
      /** Further stores, by the id that the daemon asks for. */
      readonly stores: ReadonlyMap<string, BlobReader & Partial<BlobWriter>>;
      /** Images made here for this build. */
      readonly made: ReadonlyMap<string, BlobReader>;
    },
  ) {
    this.#host = o.host;
    this.#made = o.made;
    this.#stores = new Map<string, BlobReader & Partial<BlobWriter>>([['export', this.shapes], ...o.stores]);
    this.#open = openSession(connection.grpc, o.host, {
      id: o.id,
      sharedKey: o.sharedKey,
      files: this.#files,
      sinks: o.sinks,
      stores: this.#stores,
      secrets: true,
      agents: true,
      credentials: true,
    });
    const gone = new AbortController();
    this.gone = gone.signal;
    void this.#open.ended.then((fault) =>
      gone.abort(
        remoteError(
          'REMOTE_LOST',
          `build on "${connection.name}": the session has ended${fault ? `: ${messageOf(fault)}` : ''}`,
        ),
      ),
    );
  }

  get id(): string {
    return this.#open.hello.id;
  }

  /** Offers what a graph reads of this side. */
  offer(state: State): void {
    if (state.edge) this.#offerVertex(state.edge.vertex);
  }

  offerStore(name: string): void {
    const id = `oci:${name}`;
    if (!this.#stores.has(id)) this.#stores.set(id, this.#made.get(name) ?? this.#host.blobs(name));
  }

  #offerVertex(vertex: Vertex): void {
    const left = [vertex];
    for (let next = left.pop(); next; next = left.pop()) {
      if (this.#seen.has(next.digest)) continue;
      this.#seen.add(next.digest);
      if (next.op.kind === 'source') {
        const { source } = next.op;
        if (source.type === 'local' && !this.#files.includes(source.name)) this.#files.push(source.name);
        if (source.type === 'oci-layout') this.offerStore(source.store);
      }
      left.push(...next.inputs.map((input) => input.vertex));
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#open[Symbol.asyncDispose]();
  }
}
