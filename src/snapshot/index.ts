export { cloneTree } from './clone.ts';
export {
  openContainerdSnapshotter,
  type ContainerdSnapshotter,
  type ContainerdSnapshotterOptions,
} from './open-containerd.ts';
export { CopySnapshotter, type CopyOptions } from './copy.ts';
export { guardedHere, type GuardedPaths } from './guarded-paths.ts';
export { InPlaceSnapshotter, type InPlaceOptions } from './in-place.ts';
export { MemorySnapshotter } from './memory.ts';
export { MemoryTree, type MemoryFile } from './memory-tree.ts';
export { snapshotError } from './errors.ts';
export { OverlaySnapshotter, type OverlayOptions } from './overlay.ts';
export { probeOverlay } from './probe-overlay.ts';
export type { ActiveSnapshot, LayerTar, SnapshotId, SnapshotInfo, Snapshotter, View } from './snapshotter.ts';
export { measureTree, StoredSnapshotter, type StoredOptions } from './stored-snapshotter.ts';
export { unpack } from './unpack.ts';
