import { existsSync } from 'node:fs';
import { hasCode, Lazy, type Database, type Random, type Wait } from '../base/index.ts';
import { ownProcess, stateOfProcess, type Digest, type ProcessId } from '../blob/index.ts';
import type { Vertex } from '../graph/index.ts';
import type { ActiveSnapshot, SnapshotId, Snapshotter, View } from '../snapshot/index.ts';
import { SharedWork, type Slots } from '../solve/index.ts';
import { writeLayer, type Codec } from '../tree/index.ts';
import type { Ground } from './ground/index.ts';
import type { LayerAccess, LayerService } from './layer-service.ts';
import { chainIds, type RefLayer } from './ref.ts';
import { StepSlots } from './step-slots.ts';

const MIGRATIONS = [
  'CREATE TABLE chains (chain TEXT PRIMARY KEY, snapshot TEXT NOT NULL) STRICT, WITHOUT ROWID;',
  `CREATE INDEX chains_by_snapshot ON chains (snapshot);
   CREATE TABLE temporary_snapshots (snapshot TEXT PRIMARY KEY, pid INTEGER NOT NULL, started_at TEXT NOT NULL, boot_id TEXT NOT NULL, namespace TEXT NOT NULL) STRICT, WITHOUT ROWID;`,
  'CREATE TABLE held_snapshots (name TEXT PRIMARY KEY, snapshot TEXT NOT NULL) STRICT, WITHOUT ROWID;',
];

/** How often a snapshot may be swept away between being found and being used. */
const TRIES = 3;

/** A name for a snapshot that is removed with its scope, or, if the process is killed, when a ground is next opened; unless it was kept. */
export interface TemporarySnapshot extends AsyncDisposable {
  readonly id: SnapshotId;
  keep(): void;
}

/**
 * Where steps run: the ground, opened when the first step needs one, and the snapshots of stacks of layers on it. A stack that a step left behind is found again by its chainID; any other is unpacked from its layers' tars.
 */
export class Stage implements AsyncDisposable, Slots {
  readonly #layers: LayerService;
  readonly #db: Database;
  readonly #random: Random;
  readonly #ground: Lazy<Ground>;
  readonly #folder: string | undefined;
  readonly #slots = new StepSlots();
  readonly #unpacking = new SharedWork<SnapshotId>();
  #opening: Promise<Ground> | undefined;
  #opened: Ground | undefined;

  constructor(o: {
    layers: LayerService;
    database: Database;
    random: Random;
    openGround: () => Promise<Ground>;
    /** Where snapshots lie: without it there are none. */
    groundFolder?: string | undefined;
  }) {
    this.#layers = o.layers;
    this.#db = o.database;
    this.#random = o.random;
    this.#folder = o.groundFolder;
    o.database.migrate('stage', MIGRATIONS);
    this.#ground = new Lazy(() => (this.#opening = this.#open(o.openGround)));
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
    if (vertex.op.kind !== 'exec') return { [Symbol.dispose]: () => undefined };
    const { oneRoot = false } = await this.#ground.get(w);
    return this.#slots.take(vertex, { oneRoot, ...w });
  }

  /** A writable snapshot on top of these layers. */
  async prepare(layers: readonly RefLayer[], access: LayerAccess): Promise<ActiveSnapshot> {
    return this.#onSnapshot(layers, access, (snapshotter, id) => snapshotter.prepare(id, access));
  }

  /** A writable snapshot on what is held under a name; undefined when nothing is, or the machine lost it. */
  async prepareHeld(name: string, w?: Wait): Promise<ActiveSnapshot | undefined> {
    const held = this.#heldBy(name);
    if (held === undefined) return undefined;
    const { snapshotter } = await this.#ground.get(w);
    try {
      return await snapshotter.prepare(held, w);
    } catch (error) {
      if (!hasCode(error, 'SNAPSHOT_NOT_FOUND')) throw error;
      return undefined;
    }
  }

  /** Commits what was changed and holds it under a name, whatever is pruned and whoever ends, until it is released; what was held under it before lies below, or is forgotten. */
  async hold(active: ActiveSnapshot, name: string, w?: Wait): Promise<void> {
    const { snapshotter } = await this.#ground.get(w);
    await using snapshot = this.temporary(heldPrefix(name));
    await snapshotter.commit(active, snapshot.id, w);
    this.#db.transaction(() => {
      this.#db.run(
        'INSERT INTO held_snapshots VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET snapshot = excluded.snapshot',
        name,
        snapshot.id,
      );
      snapshot.keep();
    });
  }

  /** Gives up what is held under a name. */
  async release(name: string, w?: Wait): Promise<void> {
    const held = this.#heldBy(name);
    if (held === undefined) return;
    const { snapshotter } = await this.#ground.get(w);
    const parents = new Map((await snapshotter.list(w)).map(({ id, parent }) => [id, parent]));
    this.#db.run('DELETE FROM held_snapshots WHERE name = ?', name);
    // What cannot be removed now goes with the next prune.
    for (let at: string | undefined = held; at?.startsWith(heldPrefix(name)) === true; at = parents.get(at))
      if (!(await removed(snapshotter, at))) break;
  }

  /** These layers, of which there is one at least, as a tree to read. */
  async view(layers: readonly RefLayer[], access: LayerAccess): Promise<View> {
    return this.#onSnapshot(layers, access, (snapshotter, id) => snapshotter.view(id ?? '', access));
  }

  async #onSnapshot<T>(
    layers: readonly RefLayer[],
    access: LayerAccess,
    use: (snapshotter: Snapshotter, id: SnapshotId | undefined) => Promise<T>,
  ): Promise<T> {
    const { snapshotter } = await this.#ground.get(access);
    for (let tries = 1; ; tries++) {
      try {
        return await use(snapshotter, await this.#snapshotOf(layers, snapshotter, access));
      } catch (error) {
        if (!hasCode(error, 'SNAPSHOT_NOT_FOUND') || tries === TRIES) throw error;
      }
    }
  }

  /** Commits what was changed, writes it as a layer, and remembers the snapshot for the stack that this makes. */
  async commit(
    active: ActiveSnapshot,
    below: readonly RefLayer[],
    o: { codec?: Codec | undefined; onProgress?: (bytes: number) => void } & Wait,
  ): Promise<Digest> {
    const { snapshotter } = await this.#ground.get(o);
    await using snapshot = this.temporary('step');
    await snapshotter.commit(active, snapshot.id, o);
    const changes = await snapshotter.changes(snapshot.id, o);
    const { diffId, compressed } = await writeLayer(changes, {
      store: this.#layers.store,
      dialect: 'oci',
      codec: o.codec,
      signal: o.signal,
      onProgress: o.onProgress,
    });
    if (compressed) this.#layers.rememberCompressed(diffId, compressed);
    await snapshotter.keepLayer?.(snapshot.id, { path: this.#layers.store.pathOf(diffId) }, o);
    const chain = chainIds([...below, { diffId }]).at(-1) ?? diffId;
    this.#db.transaction(() => {
      this.#db.run(
        'INSERT INTO chains VALUES (?, ?) ON CONFLICT (chain) DO UPDATE SET snapshot = excluded.snapshot',
        chain,
        snapshot.id,
      );
      snapshot.keep();
    });
    return diffId;
  }

  /** What is in a tree that stands on nothing, as a layer; nothing of it is kept on the ground. */
  async writeOut(active: ActiveSnapshot, w: Wait): Promise<Digest> {
    const { snapshotter } = await this.#ground.get(w);
    await using snapshot = this.temporary('pack');
    await snapshotter.commit(active, snapshot.id, w);
    const changes = await snapshotter.changes(snapshot.id, w);
    const { diffId } = await writeLayer(changes, { store: this.#layers.store, dialect: 'oci', signal: w.signal });
    return diffId;
  }

  /** A snapshot to be made under `id`, spared by `prune` for as long as this process may need it. */
  temporary(prefix: string): TemporarySnapshot {
    const id = `${prefix}-${this.#random.hex(16)}`;
    const { pid, startedAt, bootId, namespace } = ownProcess();
    this.#db.run('INSERT INTO temporary_snapshots VALUES (?, ?, ?, ?, ?)', id, pid, startedAt, bootId, namespace);
    let kept = false;
    const forget = (): void => void this.#db.run('DELETE FROM temporary_snapshots WHERE snapshot = ?', id);
    return {
      id,
      keep: () => {
        forget();
        kept = true;
      },
      [Symbol.asyncDispose]: async () => {
        // What cannot be removed now stays noted, and is when a ground is next opened.
        if (!kept && (await removed(this.#opened?.snapshotter, id))) forget();
      },
    };
  }

  /** Removes the snapshots that belong to none of these stacks of layers, unless a step uses them. Opens the ground, if there ever was one: only it may touch them. */
  async prune(
    o: { keep: readonly (readonly RefLayer[])[]; dryRun?: boolean | undefined } & Wait,
  ): Promise<{ removed: number; bytes: number }> {
    if (!this.#hasSnapshots()) return { removed: 0, bytes: 0 };
    const ground = await this.#ground.get(o);
    const { snapshotter } = ground;
    if (o.dryRun !== true) await ground.recover(o);
    const wanted = this.#wanted(o.keep);
    const all = await snapshotter.list(o);
    const parents = new Map(all.map(({ id, parent }) => [id, parent]));
    const kept = new Set<string>();
    for (const { id } of all)
      if (wanted.has(id))
        for (let at: string | undefined = id; at !== undefined && !kept.has(at); at = parents.get(at)) kept.add(at);
    let count = 0;
    let bytes = 0;
    for (const id of childrenFirst(all.filter((one) => !kept.has(one.id)))) {
      const usage = await snapshotter.usage(id, o).catch(() => ({ bytes: 0 }));
      if (!o.dryRun) {
        // Only when it is gone: a step that is about to use it finds it, or knows that it is not there.
        if (!(await removed(snapshotter, id))) continue;
        this.#db.run('DELETE FROM chains WHERE snapshot = ?', id);
      }
      count += 1;
      bytes += usage.bytes;
    }
    return { removed: count, bytes };
  }

  async usage(w: Wait = {}): Promise<{ snapshots: number; bytes: number }> {
    if (!this.#hasSnapshots()) return { snapshots: 0, bytes: 0 };
    const { snapshotter } = await this.#ground.get(w);
    const all = await snapshotter.list(w);
    let bytes = 0;
    for (const { id } of all) bytes += (await snapshotter.usage(id, w)).bytes;
    return { snapshots: all.length, bytes };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#opening?.catch(() => undefined);
    await this.#opened?.[Symbol.asyncDispose]();
  }

  async #open(openGround: () => Promise<Ground>): Promise<Ground> {
    const ground = await openGround();
    this.#opened = ground;
    for (const row of this.#db.all('SELECT * FROM temporary_snapshots')) {
      const id = row['snapshot'] as string;
      if (stateOfProcess(ownerOf(row)) !== 'ended' || !(await removed(ground.snapshotter, id))) continue;
      this.#db.run('DELETE FROM temporary_snapshots WHERE snapshot = ?', id);
    }
    return ground;
  }

  /** The snapshot of a stack of layers; undefined for the empty one. Unpacked from the highest stack that there is. */
  async #snapshotOf(
    layers: readonly RefLayer[],
    snapshotter: Snapshotter,
    access: LayerAccess,
  ): Promise<SnapshotId | undefined> {
    const chains = chainIds(layers);
    let have = layers.length;
    let parent: SnapshotId | undefined;
    for (; have > 0; have--) {
      parent = await this.#find(chains[have - 1] as Digest, snapshotter, access);
      if (parent !== undefined) break;
    }
    if (have === layers.length) return parent;
    await this.#layers.ensure(layers.slice(have), access);
    for (const [i, layer] of layers.entries()) {
      if (i < have) continue;
      const chain = chains[i] as Digest;
      const below = parent;
      parent = await this.#unpacking.run(
        chain,
        (w) => this.#unpack(layer, { chain, below, snapshotter }, { ...access, ...w }),
        {
          signal: access.signal,
          again: () => true,
        },
      );
    }
    return parent;
  }

  async #find(chain: Digest, snapshotter: Snapshotter, w: Wait): Promise<SnapshotId | undefined> {
    const row = this.#db.get('SELECT snapshot FROM chains WHERE chain = ?', chain);
    const known = row?.['snapshot'];
    if (typeof known === 'string' && (await snapshotter.has(known, w))) return known;
    return (await snapshotter.has(chain, w)) ? chain : undefined;
  }

  async #unpack(
    layer: RefLayer,
    o: { chain: Digest; below: SnapshotId | undefined; snapshotter: Snapshotter },
    access: LayerAccess,
  ): Promise<SnapshotId> {
    const { chain, below, snapshotter } = o;
    await snapshotter.apply(below, { path: await this.#layers.tarOf(layer, access) }, chain, access);
    this.#db.run('DELETE FROM chains WHERE chain = ?', chain);
    return chain;
  }

  /** Snapshots of these stacks and of what is below them, and those that a process is making. */
  #wanted(stacks: readonly (readonly RefLayer[])[]): Set<string> {
    const wanted = new Set<string>();
    const snapshots = new Map(
      this.#db.all('SELECT chain, snapshot FROM chains').map((row) => [row['chain'], row['snapshot']]),
    );
    for (const layers of stacks)
      for (const chain of chainIds(layers)) wanted.add((snapshots.get(chain) as string | undefined) ?? chain);
    for (const row of this.#db.all('SELECT snapshot FROM held_snapshots')) wanted.add(row['snapshot'] as string);
    for (const row of this.#db.all('SELECT * FROM temporary_snapshots'))
      if (stateOfProcess(ownerOf(row)) !== 'ended') wanted.add(row['snapshot'] as string);
    return wanted;
  }

  #heldBy(name: string): SnapshotId | undefined {
    return this.#db.get('SELECT snapshot FROM held_snapshots WHERE name = ?', name)?.['snapshot'] as
      | SnapshotId
      | undefined;
  }

  #hasSnapshots(): boolean {
    return this.#opened !== undefined || (this.#folder !== undefined && existsSync(this.#folder));
  }
}

/** Removes a snapshot; false when it could not be, because something uses it or it cannot be got at. */
async function removed(snapshotter: Snapshotter | undefined, id: SnapshotId): Promise<boolean> {
  try {
    await snapshotter?.remove(id);
    return snapshotter !== undefined;
  } catch {
    return false;
  }
}

function heldPrefix(name: string): string {
  return `held-${name}`;
}

function ownerOf(row: Readonly<Record<string, unknown>>): ProcessId {
  return {
    pid: row['pid'] as number,
    startedAt: row['started_at'] as string,
    bootId: row['boot_id'] as string,
    namespace: row['namespace'] as string,
  };
}

/** Ids of snapshots, each before its parent. */
function childrenFirst(snapshots: readonly { readonly id: string; readonly parent: string | undefined }[]): string[] {
  const children = Map.groupBy(snapshots, ({ parent }) => parent);
  const ids = new Set(snapshots.map(({ id }) => id));
  const roots = snapshots.filter(({ parent }) => parent === undefined || !ids.has(parent));
  const order = roots.map(({ id }) => id);
  for (let at = 0; at < order.length; at++) order.push(...(children.get(order[at]) ?? []).map(({ id }) => id));
  return order.toReversed();
}
