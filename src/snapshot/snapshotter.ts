import type { Wait } from '../base/index.ts';
import type { FileTree, Mount } from '../tree/index.ts';

/** The name a caller gave a committed snapshot. Opaque to snapshotters. */
export type SnapshotId = string;

/** A tree that can be written until it is committed or thrown away (end of scope). */
export interface ActiveSnapshot extends AsyncDisposable {
  readonly parent: SnapshotId | undefined;
  /** What mounts it, read-write, as a root. */
  readonly mounts: readonly Mount[];
}

/** A snapshot that can be read as a root while the scope lasts. */
export interface View extends AsyncDisposable {
  readonly mounts: readonly Mount[];
}

export interface SnapshotInfo {
  readonly id: SnapshotId;
  readonly parent: SnapshotId | undefined;
  /** Milliseconds since the epoch. */
  readonly createdAt: number;
  readonly usedAt: number;
  /** What of its layer could not be kept here, one sentence each. */
  readonly notes?: readonly string[] | undefined;
}

/** An uncompressed layer tar of the blob store, by its path on this machine. */
export interface LayerTar {
  readonly path: string;
}

/**
 * Keeps trees that can be mounted, each the changes on top of a parent. A committed snapshot never changes; commit is atomic; whatever is not committed is gone after a crash. Committing an id that exists keeps
 * the existing one. One suite, `snapshotter.suite.ts`, says what all of them do.
 */
export interface Snapshotter {
  readonly name: string;
  has(id: SnapshotId, w?: Wait): Promise<boolean>;
  prepare(parent: SnapshotId | undefined, w?: Wait): Promise<ActiveSnapshot>;
  commit(active: ActiveSnapshot, id: SnapshotId, w?: Wait): Promise<void>;
  /** The tree after a layer is unpacked on `parent`, committed as `id`: whiteouts and opaque marks honoured, nothing written outside (symlinks, ".." and hard links are resolved inside the root). */
  apply(parent: SnapshotId | undefined, layer: LayerTar, id: SnapshotId, w?: Wait): Promise<void>;
  view(id: SnapshotId, w?: Wait): Promise<View>;
  /** What `id` changes on its parent, as a layer's entries: `whiteout` entries for what is gone, never `opaque` ones; a folder merely copied up is left out. */
  changes(id: SnapshotId, w?: Wait): Promise<FileTree>;
  /** Told when what `changes` gave was written as a layer: for a snapshotter that keeps no tree of its own. */
  keepLayer?(id: SnapshotId, layer: LayerTar, w?: Wait): Promise<void>;
  remove(id: SnapshotId, w?: Wait): Promise<void>;
  list(w?: Wait): Promise<readonly SnapshotInfo[]>;
  /** Bytes and inodes that the snapshot itself takes. */
  usage(id: SnapshotId, w?: Wait): Promise<{ readonly bytes: number; readonly inodes: number }>;
}
