import { createHash } from 'node:crypto';
import { collect, throwIfCancelled, type Bytes, type Clock, type Wait } from '../base/index.ts';
import { comparePaths, tarFileTree, type Entry, type FileTree, type Mount } from '../tree/index.ts';
import { settle, whiteout, type ChangeNode } from './changes.ts';
import { snapshotError } from './errors.ts';
import { parentOf } from './files.ts';
import { MemoryTree, type MemoryFile } from './memory-tree.ts';
import type { ActiveSnapshot, LayerTar, SnapshotId, SnapshotInfo, Snapshotter, View } from './snapshotter.ts';

interface Kept extends SnapshotInfo {
  usedAt: number;
  readonly tree: MemoryTree;
  views: number;
}

/** Snapshots in memory, for tests of what uses snapshots: nothing is mounted. A fake executor finds the tree of its root by `treeOf(mounts)`. */
export class MemorySnapshotter implements Snapshotter {
  readonly name = 'memory';
  readonly #clock: Clock;
  readonly #kept = new Map<SnapshotId, Kept>();
  readonly #actives = new Map<ActiveSnapshot, MemoryTree>();
  readonly #mounted = new Map<string, MemoryTree>();
  #mounts = 0;

  constructor(o: { clock: Clock }) {
    this.#clock = o.clock;
  }

  /** The tree that these mounts are the root of. */
  treeOf(mounts: readonly Mount[]): MemoryTree {
    const tree = this.#mounted.get(mounts[0]?.source ?? '');
    if (!tree) throw snapshotError('SNAPSHOT_CLOSED', 'look at a snapshot in memory: it is not open');
    return tree;
  }

  async has(id: SnapshotId, w?: Wait): Promise<boolean> {
    throwIfCancelled(w);
    return this.#kept.has(id);
  }

  async prepare(parent: SnapshotId | undefined, w?: Wait): Promise<ActiveSnapshot> {
    throwIfCancelled(w);
    const tree = new MemoryTree(parent === undefined ? undefined : this.#find(parent).tree.files);
    const mounts = this.#mount(tree);
    const active: ActiveSnapshot = {
      parent,
      mounts,
      [Symbol.asyncDispose]: async () => {
        this.#actives.delete(active);
        this.#unmount(mounts);
      },
    };
    this.#actives.set(active, tree);
    return active;
  }

  async commit(active: ActiveSnapshot, id: SnapshotId, w?: Wait): Promise<void> {
    throwIfCancelled(w);
    const tree = this.#actives.get(active);
    if (!tree) throw snapshotError('SNAPSHOT_CLOSED', `commit snapshot "${id}": it was committed or given up before`);
    await active[Symbol.asyncDispose]();
    this.#keep(id, active.parent, tree);
  }

  async apply(parent: SnapshotId | undefined, layer: LayerTar, id: SnapshotId, w?: Wait): Promise<void> {
    if (await this.has(id, w)) return;
    const tree = new MemoryTree(parent === undefined ? undefined : this.#find(parent).tree.files);
    const content = await tarFileTree(layer.path, w);
    const own = new Set<string>();
    for (const entry of await content.entries(w))
      tree.apply(entry, entry.type === 'file' ? await collect(content.read([entry], w)) : new Uint8Array(), own);
    this.#keep(id, parent, tree);
  }

  async view(id: SnapshotId, w?: Wait): Promise<View> {
    throwIfCancelled(w);
    const kept = this.#find(id);
    const mounts = this.#mount(new MemoryTree(kept.tree.files, { readonly: true }));
    kept.views += 1;
    return {
      mounts,
      [Symbol.asyncDispose]: async () => {
        if (this.#unmount(mounts)) kept.views -= 1;
      },
    };
  }

  async changes(id: SnapshotId, w?: Wait): Promise<FileTree> {
    throwIfCancelled(w);
    const kept = this.#find(id);
    const lower = kept.parent === undefined ? new MemoryTree() : this.#find(kept.parent).tree;
    return new MemoryChanges(kept.tree, lower);
  }

  async remove(id: SnapshotId, w?: Wait): Promise<void> {
    throwIfCancelled(w);
    const kept = this.#kept.get(id);
    if (!kept) return;
    const above = [...this.#kept.values(), ...this.#actives.keys()].some(({ parent }) => parent === id);
    if (above || kept.views > 0)
      throw snapshotError('SNAPSHOT_IN_USE', `remove snapshot "${id}": another one stands on it, or a step reads it`);
    this.#kept.delete(id);
  }

  async list(w?: Wait): Promise<readonly SnapshotInfo[]> {
    throwIfCancelled(w);
    return [...this.#kept.values()].map(({ id, parent, createdAt, usedAt }) => ({ id, parent, createdAt, usedAt }));
  }

  async usage(id: SnapshotId, w?: Wait): Promise<{ readonly bytes: number; readonly inodes: number }> {
    const tree = await this.changes(id, w);
    const entries = await tree.entries(w);
    return { bytes: entries.reduce((sum, { size }) => sum + size, 0), inodes: entries.length };
  }

  #keep(id: SnapshotId, parent: SnapshotId | undefined, tree: MemoryTree): void {
    if (this.#kept.has(id)) return;
    const now = this.#clock.now();
    this.#kept.set(id, { id, parent, createdAt: now, usedAt: now, tree, views: 0 });
  }

  #find(id: SnapshotId): Kept {
    const kept = this.#kept.get(id);
    if (!kept) throw snapshotError('SNAPSHOT_NOT_FOUND', `find snapshot "${id}": there is none`);
    kept.usedAt = this.#clock.now();
    return kept;
  }

  #mount(tree: MemoryTree): readonly Mount[] {
    const source = `${++this.#mounts}`;
    this.#mounted.set(source, tree);
    return [{ type: 'memory', source, options: tree.readonly ? ['ro'] : [] }];
  }

  #unmount(mounts: readonly Mount[]): boolean {
    return this.#mounted.delete(mounts[0]?.source ?? '');
  }
}

class MemoryChanges implements FileTree {
  readonly #tree: MemoryTree;
  readonly #entries: readonly Entry[];

  constructor(tree: MemoryTree, lower: MemoryTree) {
    this.#tree = tree;
    this.#entries = settle(differences(tree, lower));
  }

  async entries(w?: Wait): Promise<readonly Entry[]> {
    throwIfCancelled(w);
    return this.#entries;
  }

  async *read(files: readonly Entry[], w?: Wait): Bytes {
    for (const file of files) {
      throwIfCancelled(w);
      if (file.size > 0) yield Buffer.from(this.#content(file));
    }
  }

  async digests(files: readonly Entry[]): ReturnType<FileTree['digests']> {
    return files.map((file): `sha256:${string}` => {
      const digest = createHash('sha256').update(this.#content(file)).digest('hex');
      return `sha256:${digest}`;
    });
  }

  #content(file: Entry): Uint8Array {
    return this.#tree.get(file.path)?.content ?? new Uint8Array();
  }
}

function differences(tree: MemoryTree, lower: MemoryTree): ChangeNode[] {
  const inodes = new Map<MemoryFile, number>();
  for (const file of tree.files.values()) inodes.set(file, (inodes.get(file) ?? 0) + 1);
  const numbers = new Map([...inodes.keys()].map((file, i) => [file, `${i}`]));
  const nodes = new Map<string, ChangeNode>();
  for (const path of [...new Set([...tree.files.keys(), ...lower.files.keys()])].sort(comparePaths)) {
    if (path === '') continue;
    const folder = parentOf(path);
    const parent = nodes.get(folder);
    const file = tree.get(path);
    const old = lower.get(folder)?.type === 'directory' ? lower.get(path) : undefined;
    if (file) {
      const kept = old === undefined || !isSame(file, old);
      const inode = (inodes.get(file) ?? 0) > 1 && file.type !== 'directory' ? numbers.get(file) : undefined;
      nodes.set(path, { entry: entryOf(path, file), parent, inode, kept });
    } else if (tree.get(folder)?.type === 'directory')
      nodes.set(path, { entry: whiteout(path), parent, inode: undefined, kept: true });
  }
  return [...nodes.values()];
}

function isSame(a: MemoryFile, b: MemoryFile): boolean {
  const facts = (file: MemoryFile): string =>
    JSON.stringify([file.type, file.mode, file.uid, file.gid, file.link, file.device, xattrText(file)]);
  if (facts(a) !== facts(b)) return false;
  return a.type === 'directory' || (a.mtime === b.mtime && Buffer.compare(a.content, b.content) === 0);
}

function xattrText(file: MemoryFile): string[] {
  return [...file.xattrs].map(([name, value]) => `${name}=${Buffer.from(value).toString('hex')}`).sort();
}

function entryOf(path: string, file: MemoryFile): Entry {
  const seconds = file.mtime / NS - (file.mtime % NS < 0n ? 1n : 0n);
  return {
    path,
    type: file.type,
    mode: file.mode,
    uid: file.uid,
    gid: file.gid,
    size: file.type === 'file' ? file.content.length : 0,
    mtime: Number(seconds),
    mtimeNs: Number(file.mtime - seconds * NS),
    ...(file.link === undefined ? {} : { link: file.link }),
    ...(file.device === undefined ? {} : { device: file.device }),
    ...(file.xattrs.size === 0 ? {} : { xattrs: new Map(file.xattrs) }),
  };
}

const NS = 1_000_000_000n;
