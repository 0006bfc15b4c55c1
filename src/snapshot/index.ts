export type { ActiveSnapshot, LayerTar, SnapshotId, SnapshotInfo, Snapshotter, View } from './snapshotter.ts';
