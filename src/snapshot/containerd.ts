import { readFileSync } from 'node:fs';
import { hasCode, throwIfCancelled, type Random, type Wait } from '../base/index.ts';
import { tarFileTree, type FileTree, type Mount } from '../tree/index.ts';
import {
  Containerd,
  ContainerdLeases,
  ContainerdSnapshots,
  type ContainerdSnapshot,
} from '../wire/containerd/index.ts';
import { overlayChanges } from './changes.ts';
import { DiskTree } from './disk-tree.ts';
import { snapshotError } from './errors.ts';
import { copyFolderMetadata, statOf } from './files.ts';
import { LayerStack, type OverlayXattrs } from './layer-stack.ts';
import type { ActiveSnapshot, LayerTar, SnapshotId, SnapshotInfo, Snapshotter, View } from './snapshotter.ts';
import { unpack } from './unpack.ts';

export interface ContainerdSnapshotterOptions {
  readonly address: string;
  readonly namespace: string;
  /** One of containerd's that keeps overlay folders; `overlayfs` by default. */
  readonly snapshotter?: string | undefined;
  /** Names the store that the snapshots belong to: others in the namespace are neither listed nor removed. */
  readonly store: string;
  /** Names this process among those that use the store: what it leaves unfinished goes with its lease. */
  readonly owner: string;
  /** Added to the options of what is mounted to be written to, but for those that it has (`probeOverlay`). */
  readonly mountOptions?: readonly string[] | undefined;
  /** The boot id; read from the kernel by default. */
  readonly boot?: string | undefined;
  readonly random: Random;
}

/**
 * Snapshots that containerd keeps, by its snapshots service; this process reads and writes their overlay folders itself, so it is on the same machine and root. What is committed is kept until it is removed (`containerd.io/gc.root`);
 * what is active or looked at belongs to a lease of this process.
 */
export class ContainerdSnapshotter implements Snapshotter, AsyncDisposable {
  readonly name: string;
  readonly #o: ContainerdSnapshotterOptions;
  readonly #containerd: Containerd;
  readonly #snapshots: ContainerdSnapshots;
  readonly #leases: ContainerdLeases;
  readonly #labels: Readonly<Record<string, string>>;
  readonly #boot: string;

  private constructor(o: ContainerdSnapshotterOptions, containerd: Containerd) {
    const { snapshotter = 'overlayfs' } = o;
    this.name = snapshotter;
    this.#o = o;
    this.#containerd = containerd;
    this.#snapshots = new ContainerdSnapshots(containerd, snapshotter);
    this.#leases = new ContainerdLeases(containerd);
    this.#boot = o.boot ?? readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim();
    this.#labels = { [STORE]: o.store, [BOOT]: this.#boot };
  }

  /** Throws `CONTAINERD_UNAVAILABLE`, `CONTAINERD_DENIED`, and `SNAPSHOT_LIMIT` for a snapshotter that it does not have or that keeps no overlay folders. */
  static async open(o: ContainerdSnapshotterOptions & Wait): Promise<ContainerdSnapshotter> {
    const containerd = new Containerd({ ...o, lease: leaseOf(o.owner) });
    try {
      const { snapshotter = 'overlayfs' } = o;
      const plugins = await containerd.plugins('type==io.containerd.snapshotter.v1', o);
      if (!plugins.some(({ id, works }) => works && id === snapshotter))
        throw snapshotError(
          'SNAPSHOT_LIMIT',
          `use containerd's snapshotter "${snapshotter}": it has ${plugins.flatMap(({ id, works }) => (works ? [`"${id}"`] : [])).join(', ') || 'none'}`,
        );
      const opened = new ContainerdSnapshotter(o, containerd);
      await opened.#leases.create(leaseOf(o.owner), { labels: { [STORE]: o.store }, signal: o.signal });
      if (snapshotter !== 'overlayfs') await opened.#checkOverlay(o);
      return opened;
    } catch (error) {
      await containerd[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Throws for a snapshotter that keeps whole copies or disks: what a step changed could not be told from what was there. */
  async #checkOverlay(w: Wait): Promise<void> {
    const [below, base, above] = [this.#key('probe'), this.#key('probe'), this.#key('probe')];
    const labels = this.#labels;
    try {
      await this.#snapshots.prepare(below, { labels, signal: w.signal });
      await this.#snapshots.commit(below, { name: base, labels, signal: w.signal });
      const mounts = await this.#snapshots.prepare(above, { parent: base, labels, signal: w.signal });
      if (mounts.length === 1 && mounts[0]?.type === 'overlay') return;
      const types = mounts.map(({ type }) => `"${type}"`).join(', ');
      throw snapshotError(
        'SNAPSHOT_LIMIT',
        `use containerd's snapshotter "${this.name}": it gives snapshots as mounts of type ${types}, not as overlays, so that what a step changed cannot be told from what was there`,
        { remedy: 'Use "overlayfs", or another one that keeps overlay folders.' },
      );
    } finally {
      for (const key of [above, base, below]) await this.#drop(key);
    }
  }

  async has(id: SnapshotId, w?: Wait): Promise<boolean> {
    const info = await this.#snapshots.stat(id, w);
    return info?.kind === 'committed' && this.#isSound(info);
  }

  async prepare(parent: SnapshotId | undefined, w?: Wait): Promise<ActiveSnapshot> {
    return this.#begin(parent, { action: 'prepare a snapshot on', ...w });
  }

  /** What a process that is gone had prepared, to go on with it. */
  async adopt(key: string, o: Wait = {}): Promise<ActiveSnapshot | undefined> {
    const info = await this.#snapshots.stat(key, o);
    if (info?.kind !== 'active') return undefined;
    await this.#leases.add(leaseOf(this.#o.owner), { type: `snapshots/${this.name}`, id: key }, o);
    const mounts = await this.#snapshots.mounts(key, o);
    return this.#active(key, { parent: info.parent, mounts });
  }

  /** The name by which another process may adopt it. */
  keyOf(active: ActiveSnapshot): string {
    return this.#own(active, 'find').key;
  }

  async commit(active: ActiveSnapshot, id: SnapshotId, w?: Wait): Promise<void> {
    throwIfCancelled(w);
    await this.#commit(this.#own(active, 'commit'), id, { notes: [], ...w });
  }

  async apply(parent: SnapshotId | undefined, layer: LayerTar, id: SnapshotId, w?: Wait): Promise<void> {
    if (await this.has(id, w)) return;
    await using active = await this.#begin(parent, { action: 'prepare a snapshot on', ...w });
    const { at, layers, xattrs } = active.folders;
    const tree = await tarFileTree(layer.path, w);
    const below = layers.length === 0 ? {} : { below: new LayerStack(layers, xattrs) };
    const notes = await unpack(tree, { folder: at, xattrs, ids: 'all', ...below }, w);
    throwIfCancelled(w);
    await this.#commit(active, id, { notes, ...w });
  }

  async view(id: SnapshotId, w?: Wait): Promise<View> {
    const key = this.#key('view');
    const mounts = await this.#found(id, 'look at', () =>
      this.#snapshots.view(key, { parent: id, labels: this.#labels, ...w }),
    );
    let open = true;
    return {
      mounts,
      [Symbol.asyncDispose]: async () => {
        if (open) await this.#drop(key);
        open = false;
      },
    };
  }

  async changes(id: SnapshotId, w?: Wait): Promise<FileTree> {
    let folders: Folders;
    {
      await using view = await this.#found(id, 'read the changes of', () => this.view(id, w));
      folders = foldersOf(view.mounts);
    }
    const [at = '', ...below] = folders.layers;
    const { xattrs } = folders;
    return new DiskTree(at, await overlayChanges(at, new LayerStack(below, xattrs), { xattrs, ...w }));
  }

  async remove(id: SnapshotId, w?: Wait): Promise<void> {
    try {
      await this.#snapshots.remove(id, w);
    } catch (error) {
      if (hasCode(error, 'GRPC_NOT_FOUND')) return;
      if (!hasCode(error, 'GRPC_FAILED_PRECONDITION')) throw error;
      throw snapshotError('SNAPSHOT_IN_USE', `remove snapshot "${id}": another one stands on it, or a step reads it`);
    }
  }

  async list(w?: Wait): Promise<readonly SnapshotInfo[]> {
    return (await this.#ours(w)).filter(({ kind }) => kind === 'committed').map(infoOf);
  }

  async usage(id: SnapshotId, w?: Wait): Promise<{ readonly bytes: number; readonly inodes: number }> {
    return this.#found(id, 'measure', () => this.#snapshots.usage(id, w));
  }

  /** Gives up what processes that are gone left unfinished: their leases with all that only these spared; and what was made before the machine was switched off. Returns how many. */
  async recover(isAlive: (owner: string) => boolean, w?: Wait): Promise<number> {
    let given = 0;
    for (const info of (await this.#ours(w)).toReversed()) {
      if (info.kind !== 'committed' || this.#isSound(info)) continue;
      // What another stands on that is still used is not ours alone.
      await this.remove(info.name, w).catch(() => undefined);
      given += 1;
    }
    for (const { id } of await this.#leases.list(`labels."${STORE}"==${this.#o.store}`, w)) {
      const owner = id.slice(leaseOf('').length);
      if (owner === this.#o.owner || isAlive(owner)) continue;
      await this.release(owner, w);
      given += 1;
    }
    return given;
  }

  /** Gives the lease of a process that is gone back, with what it left unfinished. */
  async release(owner: string, w?: Wait): Promise<void> {
    // Its collector takes what no other lease spares: a step that somebody goes on with is spared by two.
    await this.#leases.delete(leaseOf(owner), { sync: true, ...w });
  }

  /** Gives up what is still active. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.release(this.#o.owner).catch(() => undefined);
    await this.#containerd[Symbol.asyncDispose]();
  }

  /** The oldest first. */
  async #ours(w?: Wait): Promise<readonly ContainerdSnapshot[]> {
    const all = await this.#snapshots.list(`labels."${STORE}"==${this.#o.store}`, w);
    return [...all].sort((a, b) => a.createdAt - b.createdAt);
  }

  /** Nothing is synced, so what was made before another boot may not be whole. */
  #isSound({ labels }: ContainerdSnapshot): boolean {
    const boot = labels[BOOT];
    return boot === undefined || boot === this.#boot;
  }

  async #begin(parent: SnapshotId | undefined, o: { action: string } & Wait): Promise<Active> {
    const key = this.#key('active');
    const prepare = (): Promise<readonly Mount[]> =>
      this.#snapshots.prepare(key, { parent, labels: this.#labels, signal: o.signal });
    const mounts = parent === undefined ? await prepare() : await this.#found(parent, o.action, prepare);
    const active = this.#active(key, { parent, mounts });
    try {
      const { at, layers } = active.folders;
      if (!statOf(at)) throw outOfReach(`there is no "${at}" here`);
      const [top] = layers;
      const stat = top === undefined ? undefined : statOf(top);
      // The root of an overlay is its uppermost folder.
      if (top !== undefined && stat) copyFolderMetadata(top, at, stat);
      return active;
    } catch (error) {
      await active[Symbol.asyncDispose]();
      throw error;
    }
  }

  #active(key: string, o: { parent: string | undefined; mounts: readonly Mount[] }): Active {
    const mounts = o.mounts.map((mount) => this.#writable(mount));
    return new Active({ key, parent: o.parent, mounts, folders: foldersOf(mounts), drop: () => this.#drop(key) });
  }

  #writable(mount: Mount): Mount {
    if (mount.type !== 'overlay') return mount;
    const has = new Set(mount.options.map(nameOfOption));
    const more = (this.#o.mountOptions ?? []).filter((option) => !has.has(nameOfOption(option)));
    return { ...mount, options: [...more, ...mount.options] };
  }

  async #commit(active: Active, id: SnapshotId, o: { notes: readonly string[] } & Wait): Promise<void> {
    active.close(`commit snapshot "${id}"`);
    const labels = { ...this.#labels, [ROOT]: 'strake', ...notesLabel(o.notes) };
    try {
      await this.#snapshots.commit(active.key, { name: id, labels, signal: o.signal });
    } catch (error) {
      await this.#drop(active.key);
      if (!hasCode(error, 'GRPC_ALREADY_EXISTS')) throw error;
    }
  }

  #own(active: ActiveSnapshot, action: string): Active {
    if (active instanceof Active) return active;
    throw snapshotError('SNAPSHOT_CLOSED', `${action} a snapshot: not of this store`);
  }

  /** Away with what is not committed, whatever stands in the way. */
  async #drop(key: string): Promise<void> {
    try {
      await this.#snapshots.remove(key);
    } catch (error) {
      // Its lease spares it no longer than this process runs.
      if (!hasCode(error, 'GRPC_NOT_FOUND', 'GRPC_FAILED_PRECONDITION', 'CONTAINERD_UNAVAILABLE')) throw error;
    }
  }

  async #found<T>(id: SnapshotId, action: string, work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      if (hasCode(error, 'GRPC_NOT_FOUND', 'SNAPSHOT_NOT_FOUND'))
        throw snapshotError('SNAPSHOT_NOT_FOUND', `${action} snapshot "${id}": there is none`, { cause: error });
      throw error;
    }
  }

  #key(kind: string): string {
    return `strake-${kind}-${this.#o.random.hex(12)}`;
  }
}

/** containerd keeps what has it. */
const ROOT = 'containerd.io/gc.root';
const STORE = 'strake.store';
const BOOT = 'strake.boot';
const NOTES = 'strake.notes';
/** Of a label, name and value together (containerd's labels.Validate). */
const MOST_LABEL = 4096;

export function leaseOf(owner: string): string {
  return `strake-${owner}`;
}

/** Where the parts of an overlay lie. */
interface Folders {
  /** What is written to; for a view, nothing. */
  readonly at: string;
  /** Below it, uppermost first. */
  readonly layers: readonly string[];
  readonly xattrs: OverlayXattrs;
}

function foldersOf(mounts: readonly Mount[]): Folders {
  const [mount, ...more] = mounts;
  if (!mount || more.length > 0 || (mount.type !== 'bind' && mount.type !== 'overlay'))
    throw outOfReach(`its mounts are of type ${mounts.map(({ type }) => `"${type}"`).join(', ')}`);
  const option = (name: string): string | undefined =>
    mount.options.find((text) => text.startsWith(`${name}=`))?.slice(name.length + 1);
  if (mount.type === 'bind') {
    const readonly = mount.options.includes('ro');
    return { at: readonly ? '' : mount.source, layers: readonly ? [mount.source] : [], xattrs: 'trusted' };
  }
  return {
    at: option('upperdir') ?? '',
    layers: (option('lowerdir') ?? '').split(':'),
    xattrs: mount.options.includes('userxattr') ? 'user' : 'trusted',
  };
}

function outOfReach(detail: string): Error {
  return snapshotError('SNAPSHOT_LIMIT', `reach the files of a snapshot of containerd: ${detail}`, {
    remedy: 'Run strake where containerd runs, as root, and use its snapshotter "overlayfs".',
  });
}

function nameOfOption(option: string): string {
  return option.split('=')[0] ?? '';
}

function notesLabel(notes: readonly string[]): Record<string, string> {
  const kept: string[] = [];
  for (const note of notes) {
    if (JSON.stringify([...kept, note]).length + NOTES.length > MOST_LABEL) break;
    kept.push(note);
  }
  return kept.length === 0 ? {} : { [NOTES]: JSON.stringify(kept) };
}

function infoOf({ name, parent, createdAt, updatedAt, labels }: ContainerdSnapshot): SnapshotInfo {
  const notes = labels[NOTES];
  return {
    id: name,
    parent,
    createdAt,
    usedAt: updatedAt,
    ...(notes === undefined ? {} : { notes: JSON.parse(notes) as string[] }),
  };
}

class Active implements ActiveSnapshot {
  readonly key: string;
  readonly parent: SnapshotId | undefined;
  readonly mounts: readonly Mount[];
  readonly folders: Folders;
  readonly #drop: () => Promise<void>;
  #open = true;

  constructor(o: {
    key: string;
    parent: SnapshotId | undefined;
    mounts: readonly Mount[];
    folders: Folders;
    drop: () => Promise<void>;
  }) {
    this.key = o.key;
    this.parent = o.parent;
    this.mounts = o.mounts;
    this.folders = o.folders;
    this.#drop = o.drop;
  }

  close(action: string): void {
    if (!this.#open) throw snapshotError('SNAPSHOT_CLOSED', `${action}: it was committed or given up before`);
    this.#open = false;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#open) return;
    this.#open = false;
    await this.#drop();
  }
}
