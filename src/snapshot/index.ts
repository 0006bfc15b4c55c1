export { CopySnapshotter, type CopyOptions } from './copy.ts';
export { MemorySnapshotter } from './memory.ts';
export { MemoryTree, type MemoryFile } from './memory-tree.ts';
export { snapshotError } from './errors.ts';
export { OverlaySnapshotter, type OverlayOptions } from './overlay.ts';
export { probeOverlay } from './probe-overlay.ts';
export type { ActiveSnapshot, LayerTar, SnapshotId, SnapshotInfo, Snapshotter, View } from './snapshotter.ts';
export { StoredSnapshotter, type StoredOptions } from './stored-snapshotter.ts';
