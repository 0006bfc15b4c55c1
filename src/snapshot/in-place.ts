import { mkdirSync, realpathSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { Semaphore, throwIfCancelled, type Clock, type Random, type Wait } from '../base/index.ts';
import { changesBetween, tarFileTree, unionOf, type Entry, type FileTree, type TreeView } from '../tree/index.ts';
import { makeMark } from './copy.ts';
import { DiskTree } from './disk-tree.ts';
import { snapshotError } from './errors.ts';
import { GuardedPaths, guardedHere } from './guarded-paths.ts';
import { KnownRoot } from './known-root.ts';
import type { ActiveSnapshot, LayerTar, SnapshotId, SnapshotInfo, Snapshotter, View } from './snapshotter.ts';
import { syncRoot } from './sync-root.ts';
import { Trash } from './trash.ts';
import { checkPath, unpack } from './unpack.ts';

export interface InPlaceOptions {
  /** For what is unpacked to be looked at. */
  readonly folder: string;
  /** The one root that steps are run in: "/", or a folder that stands for it. */
  readonly root?: string | undefined;
  /** Paths of the root that never change and never enter a layer, besides /proc, /sys, /dev and what is mounted. */
  readonly guarded: readonly string[];
  /** The tar of the layer that the root is already when it is first taken: then nothing of it is unpacked. */
  readonly adopted?: (() => string | undefined) | undefined;
  /** Called before the root is first changed. */
  readonly onTake?: (() => void) | undefined;
  readonly clock: Clock;
  readonly random: Random;
}

interface Record {
  readonly parent: SnapshotId | undefined;
  /** Absent for what a step has made and no layer is known of yet: it can only be had while the root is as it left it. */
  tar?: string | undefined;
  readonly createdAt: number;
  usedAt: number;
  notes: readonly string[];
}

/**
 * Snapshots of this machine's own root, for a container that may neither mount nor make namespaces. A snapshot is a list of layers, and nothing is unpacked until a step needs it: then the root is made that tree, and keeps it for the steps
 * that go on from there. One step at a time has the root. What a step has changed is found by comparing inodes and change times with what they were. All records end with the process: the next one starts from the layers in the store.
 */
export class InPlaceSnapshotter implements Snapshotter, AsyncDisposable {
  readonly name = 'in place';
  readonly #o: InPlaceOptions;
  readonly #root: string;
  readonly #known: KnownRoot;
  readonly #records = new Map<SnapshotId, Record>();
  readonly #trees = new Map<string, FileTree>();
  readonly #trash: Trash;
  readonly #ending = new AbortController();
  #tidying: Promise<unknown> | undefined;
  readonly #turns = new Semaphore(1);
  readonly #changes = new Map<SnapshotId, readonly Entry[]>();
  #isTaken = false;
  /** What the root is; absent while that is not known for sure. */
  #current: { readonly id: SnapshotId | undefined } | undefined;

  constructor(o: InPlaceOptions) {
    this.#o = o;
    this.#root = realpathSync(o.root ?? '/').replace(/\/$/, '') + '/.';
    mkdirSync(o.folder, { recursive: true, mode: 0o700 });
    this.#trash = new Trash(join(o.folder, 'trash'), o.random);
    this.#known = new KnownRoot(this.#root);
  }

  async has(id: SnapshotId, w?: Wait): Promise<boolean> {
    throwIfCancelled(w);
    return this.#records.has(id) && (this.#current?.id === id || this.#layers(id) !== undefined);
  }

  async prepare(parent: SnapshotId | undefined, w: Wait = {}): Promise<ActiveSnapshot> {
    const turn = await this.#turns.take(w);
    try {
      if (parent !== undefined) this.#find(parent, 'prepare a snapshot on').usedAt = this.#o.clock.now();
      if (!this.#current || this.#current.id !== parent) await this.#become(parent, w);
      this.#current = undefined;
      // From the clock's next tick on, every change shows in a file's change time.
      makeMark(join(this.#o.folder, `mark-${this.#o.random.hex(8)}`), { keep: false });
      return new Active(this.#root, { parent, turn });
    } catch (error) {
      turn[Symbol.dispose]();
      throw error;
    }
  }

  async commit(active: ActiveSnapshot, id: SnapshotId, w?: Wait): Promise<void> {
    throwIfCancelled(w);
    if (!(active instanceof Active) || !active.open)
      throw snapshotError('SNAPSHOT_CLOSED', `commit snapshot "${id}": it was committed or given up before`);
    active.open = false;
    const changes = await this.#known.changes(this.#guard(), w);
    if (this.#records.has(id)) return;
    this.#changes.set(id, changes);
    this.#add(id, { parent: active.parent });
    this.#current = { id };
  }

  async apply(parent: SnapshotId | undefined, layer: LayerTar, id: SnapshotId, w?: Wait): Promise<void> {
    if (await this.has(id, w)) return;
    const below = parent === undefined ? [] : this.#layersOf(parent, 'apply a layer to');
    // Whatever is wrong with it shows now.
    for (const entry of await (await this.#tree(layer.path, w)).entries(w)) checkPath(entry.path, entry.path);
    for (const _ of (await this.#union([...below, layer.path], w)).walk('')) continue;
    this.#add(id, { parent, tar: layer.path });
  }

  /** Tells which layer the changes of a snapshot were written to: it can be made again from then on. */
  async keepLayer(id: SnapshotId, layer: LayerTar, w?: Wait): Promise<void> {
    const record = this.#records.get(id);
    if (!record || record.tar !== undefined) return;
    const tree = await this.#tree(layer.path, w);
    record.tar = layer.path;
    this.#changes.delete(id);
    if (this.#current?.id !== id) return;
    const entries = await tree.entries(w);
    const files = new Map(entries.map((entry) => [entry.path, entry]));
    for (const entry of entries) {
      const source = entry.type === 'hardlink' ? files.get(entry.link ?? '') : entry;
      const known = this.#known.find(entry.path);
      if (known && source && !known.inside) known.origin = { inode: source, place: { tree, entry: source } };
    }
  }

  /** Unpacked beside the root. */
  async view(id: SnapshotId, w?: Wait): Promise<View> {
    const layers = this.#layersOf(id, 'look at');
    const at = join(this.#o.folder, `view-${this.#o.random.hex(8)}`);
    const remove = (): void => rmSync(at, { recursive: true, force: true });
    mkdirSync(at, { mode: 0o755 });
    try {
      for (const path of layers) await unpack(await this.#tree(path, w), { folder: at, xattrs: 'user', ids: 'all' }, w);
      return {
        mounts: [{ type: 'bind', source: at, options: ['rbind', 'ro'] }],
        [Symbol.asyncDispose]: async () => remove(),
      };
    } catch (error) {
      remove();
      throw error;
    }
  }

  async changes(id: SnapshotId, w?: Wait): Promise<FileTree> {
    const { parent, tar } = this.#find(id, 'read the changes of');
    const changes = this.#changes.get(id);
    if (tar === undefined) {
      if (changes && this.#current?.id === id) return new DiskTree(this.#root, changes);
      throw notThere(id, 'read the changes of');
    }
    const layers = this.#layersOf(id, 'read the changes of');
    const lower = parent === undefined ? [] : layers.slice(0, -1);
    return changesBetween(await this.#union(lower, w), await this.#union(layers, w), w);
  }

  async remove(id: SnapshotId, w?: Wait): Promise<void> {
    throwIfCancelled(w);
    for (const { parent } of this.#records.values())
      if (parent === id) throw snapshotError('SNAPSHOT_IN_USE', `remove snapshot "${id}": another one stands on it`);
    this.#records.delete(id);
    this.#changes.delete(id);
    if (this.#current?.id === id) this.#current = undefined;
  }

  async list(w?: Wait): Promise<readonly SnapshotInfo[]> {
    throwIfCancelled(w);
    return [...this.#records].map(([id, { parent, createdAt, usedAt, notes }]) => ({
      id,
      parent,
      createdAt,
      usedAt,
      ...(notes.length === 0 ? {} : { notes }),
    }));
  }

  /** Nothing beyond its layer, which is the store's. */
  async usage(id: SnapshotId): Promise<{ readonly bytes: number; readonly inodes: number }> {
    this.#find(id, 'measure');
    return { bytes: 0, inodes: 0 };
  }

  /** Takes all files away that are not guarded: what the last stage left. */
  async clear(w: Wait = {}): Promise<void> {
    using _ = await this.#turns.take(w);
    await this.#become(undefined, w);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#ending.abort();
    await this.#tidying;
    rmSync(this.#o.folder, { recursive: true, force: true });
  }

  /** Makes the root what a snapshot is. */
  async #become(id: SnapshotId | undefined, w: Wait): Promise<void> {
    const layers = id === undefined ? [] : this.#layersOf(id, 'prepare a snapshot on');
    const view = await this.#union(layers, w);
    const guard = this.#guard();
    this.#o.onTake?.();
    // A step that failed, or the machine before the first one, has left what nobody knows.
    if (!this.#current) await this.#known.read(guard, { originOf: await this.#adopted(layers, w), signal: w.signal });
    this.#current = undefined;
    try {
      const notes = await syncRoot(this.#root, view, { known: this.#known, guard, trash: this.#trash, ...w });
      const record = id === undefined ? undefined : this.#records.get(id);
      if (record) record.notes = notes;
    } catch (error) {
      this.#known.forget();
      throw error;
    }
    this.#current = { id };
    this.#tidying ??= this.#trash
      .empty(this.#ending.signal)
      .catch(() => undefined)
      .finally(() => (this.#tidying = undefined));
  }

  /** Where the files of a root that was a layer from the start have come from. */
  async #adopted(layers: readonly string[], w: Wait): Promise<Parameters<KnownRoot['read']>[1]['originOf']> {
    const tar = this.#isTaken ? undefined : this.#o.adopted?.();
    this.#isTaken = true;
    if (tar === undefined || layers[0] !== tar) return undefined;
    const view = await this.#union([tar], w);
    return (path, entry) => {
      const node = view.stat(path);
      return node?.entry.type === entry.type ? { inode: node.inode, place: node.from } : undefined;
    };
  }

  #guard(): GuardedPaths {
    const own = [...this.#o.guarded, this.#o.folder];
    if (this.#root === '/.') return guardedHere(own);
    const prefix = this.#root.slice(0, -1);
    return new GuardedPaths(own.flatMap((path) => (path.startsWith(prefix) ? [path.slice(prefix.length)] : [])));
  }

  #add(id: SnapshotId, o: Pick<Record, 'parent' | 'tar'>): void {
    const now = this.#o.clock.now();
    this.#records.set(id, { ...o, createdAt: now, usedAt: now, notes: [] });
  }

  /** The tars of a snapshot, lowest first; undefined when one is not known. */
  #layers(id: SnapshotId): string[] | undefined {
    const tars: string[] = [];
    for (let at: SnapshotId | undefined = id; at !== undefined;) {
      const record: Record | undefined = this.#records.get(at);
      if (record?.tar === undefined) return undefined;
      tars.unshift(record.tar);
      at = record.parent;
    }
    return tars;
  }

  #layersOf(id: SnapshotId, action: string): string[] {
    this.#find(id, action);
    const layers = this.#layers(id);
    if (!layers) throw notThere(id, action);
    return layers;
  }

  #find(id: SnapshotId, action: string): Record {
    const record = this.#records.get(id);
    if (!record) throw notThere(id, action);
    return record;
  }

  async #union(tars: readonly string[], w?: Wait): Promise<TreeView> {
    const trees: FileTree[] = [];
    for (const path of tars) trees.push(await this.#tree(path, w));
    return unionOf(trees, w);
  }

  async #tree(path: string, w?: Wait): Promise<FileTree> {
    let tree = this.#trees.get(path);
    if (!tree) this.#trees.set(path, (tree = await tarFileTree(path, w)));
    return tree;
  }
}

function notThere(id: SnapshotId, action: string): Error {
  return snapshotError('SNAPSHOT_NOT_FOUND', `${action} snapshot "${id}": there is none`);
}

/** The root while a step has it; whoever waits for it gets it at the end of the scope, when what was committed has been read. */
class Active implements ActiveSnapshot {
  readonly parent: SnapshotId | undefined;
  readonly mounts: ActiveSnapshot['mounts'];
  readonly #turn: Disposable;
  open = true;

  constructor(root: string, o: { parent: SnapshotId | undefined; turn: Disposable }) {
    this.parent = o.parent;
    this.mounts = [{ type: 'bind', source: root.slice(0, -2) || '/', options: ['rbind', 'rw'] }];
    this.#turn = o.turn;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.open = false;
    this.#turn[Symbol.dispose]();
  }
}
