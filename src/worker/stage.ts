import { Flight, Lazy, Semaphore, type Database, type Random, type Wait } from '../base/index.ts';
import { digestOf, type Digest } from '../blob/index.ts';
import type { Vertex } from '../graph/index.ts';
import type { ActiveSnapshot, SnapshotId } from '../snapshot/index.ts';
import type { Slots } from '../solve/index.ts';
import { writeLayer, type Codec } from '../tree/index.ts';
import type { Ground } from './ground/index.ts';
import type { LayerAccess, LayerService } from './layer-service.ts';
import { chainId, type RefLayer } from './ref.ts';

const MIGRATIONS = ['CREATE TABLE chains (chain TEXT PRIMARY KEY, snapshot TEXT NOT NULL) STRICT, WITHOUT ROWID;'];

/** Steps that run at once. They mostly wait (for the network, for a compiler's own processes), so more than there are cores. */
const STEPS_AT_ONCE = 16;

/**
 * Where steps run: the ground, opened when the first step needs one, and the snapshots of stacks of layers on it. A stack that a step left behind is found again by its chainID; any other is unpacked from its layers' tars.
 */
export class Stage implements AsyncDisposable, Slots {
  readonly #layers: LayerService;
  readonly #db: Database;
  readonly #random: Random;
  readonly #ground: Lazy<Ground>;
  readonly #slots = new Semaphore(STEPS_AT_ONCE);
  readonly #unpacking = new Flight<SnapshotId>();
  #opened: Ground | undefined;

  constructor(o: { layers: LayerService; database: Database; random: Random; openGround: () => Promise<Ground> }) {
    this.#layers = o.layers;
    this.#db = o.database;
    this.#random = o.random;
    o.database.migrate('stage', MIGRATIONS);
    this.#ground = new Lazy(async () => {
      this.#opened = await o.openGround();
      return this.#opened;
    });
  }

  ground(w?: Wait): Promise<Ground> {
    return this.#ground.get(w);
  }

  /** The ground, if a step has needed one. */
  get opened(): Ground | undefined {
    return this.#opened;
  }

  /** Only processes take a slot; reading and writing files is bounded where it is done. */
  async take(vertex: Vertex, w?: Wait): Promise<Disposable> {
    return vertex.op.kind === 'exec' ? this.#slots.take(w) : { [Symbol.dispose]: () => undefined };
  }

  /** A writable snapshot on top of these layers. */
  async prepare(layers: readonly RefLayer[], access: LayerAccess): Promise<ActiveSnapshot> {
    const ground = await this.#ground.get(access);
    const parent = await this.#snapshotOf(layers, access);
    return ground.snapshotter.prepare(parent, access);
  }

  /** Commits what was changed, writes it as a layer, and remembers the snapshot for the stack that this makes. */
  async commit(
    active: ActiveSnapshot,
    below: readonly RefLayer[],
    o: { codec?: Codec | undefined; onProgress?: (bytes: number) => void } & Wait,
  ): Promise<Digest> {
    const { snapshotter } = await this.#ground.get(o);
    const id: SnapshotId = `step-${this.#random.hex(16)}`;
    await snapshotter.commit(active, id, o);
    const changes = await snapshotter.changes(id, o);
    const { diffId, compressed } = await writeLayer(changes, {
      store: this.#layers.store,
      dialect: 'oci',
      codec: o.codec,
      signal: o.signal,
      onProgress: o.onProgress,
    });
    if (compressed) this.#layers.rememberCompressed(diffId, compressed);
    const chain = chainId([...below, { diffId }]) ?? diffId;
    this.#db.run(
      'INSERT INTO chains VALUES (?, ?) ON CONFLICT (chain) DO UPDATE SET snapshot = excluded.snapshot',
      chain,
      id,
    );
    return diffId;
  }

  /** The snapshot of a stack of layers; undefined for the empty one. Unpacked from the highest stack that there is. */
  async #snapshotOf(layers: readonly RefLayer[], access: LayerAccess): Promise<SnapshotId | undefined> {
    const chain = chainId(layers);
    if (chain === undefined) return undefined;
    return this.#unpacking.run(chain, async () => {
      const { snapshotter } = await this.#ground.get(access);
      const row = this.#db.get('SELECT snapshot FROM chains WHERE chain = ?', chain);
      const known = typeof row?.['snapshot'] === 'string' ? row['snapshot'] : chain;
      if (await snapshotter.has(known, access)) return known;
      const top = layers.at(-1);
      if (!top) return digestOf('');
      const bring = this.#layers.ensure(layers, access);
      bring.catch(() => undefined);
      const parent = await this.#snapshotOf(layers.slice(0, -1), access);
      await bring;
      await snapshotter.apply(parent, { path: await this.#layers.tarOf(top, access) }, chain, access);
      this.#db.run('DELETE FROM chains WHERE chain = ?', chain);
      return chain;
    });
  }

  /** Removes the snapshots that belong to none of these stacks of layers. Opens the ground: only it may touch them. */
  async prune(
    o: { keep: readonly (readonly RefLayer[])[]; dryRun?: boolean | undefined } & Wait,
  ): Promise<{ removed: number; bytes: number }> {
    const { snapshotter } = await this.#ground.get(o);
    const wanted = new Set<string>();
    for (const layers of o.keep)
      for (let n = 1; n <= layers.length; n++) {
        const chain = chainId(layers.slice(0, n));
        const row =
          chain === undefined ? undefined : this.#db.get('SELECT snapshot FROM chains WHERE chain = ?', chain);
        if (chain !== undefined) wanted.add(typeof row?.['snapshot'] === 'string' ? row['snapshot'] : chain);
      }
    const all = await snapshotter.list(o);
    const parents = new Map(all.map(({ id, parent }) => [id, parent]));
    const kept = new Set<string>();
    for (const { id } of all)
      if (wanted.has(id))
        for (let at: string | undefined = id; at !== undefined && !kept.has(at); at = parents.get(at)) kept.add(at);
    const gone = all.filter(({ id }) => !kept.has(id));
    const depth = (id: string | undefined): number => (id === undefined ? 0 : 1 + depth(parents.get(id)));
    let bytes = 0;
    for (const { id } of gone.toSorted((a, b) => depth(b.id) - depth(a.id))) {
      bytes += (await snapshotter.usage(id, o)).bytes;
      if (o.dryRun) continue;
      this.#db.run('DELETE FROM chains WHERE snapshot = ?', id);
      await snapshotter.remove(id, o);
    }
    return { removed: gone.length, bytes };
  }

  async usage(w: Wait = {}): Promise<{ snapshots: number; bytes: number }> {
    const { snapshotter } = await this.#ground.get(w);
    const all = await snapshotter.list(w);
    let bytes = 0;
    for (const { id } of all) bytes += (await snapshotter.usage(id, w)).bytes;
    return { snapshots: all.length, bytes };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#opened?.[Symbol.asyncDispose]();
  }
}
