import type { Wait } from '../base/index.ts';
import type { ContainerdSnapshotter, ContainerdSnapshotterOptions } from './containerd.ts';

export type { ContainerdSnapshotter, ContainerdSnapshotterOptions };

/** Loaded when it is asked for: gRPC takes its time to load. */
export async function openContainerdSnapshotter(
  o: ContainerdSnapshotterOptions & Wait,
): Promise<ContainerdSnapshotter> {
  return (await import('./containerd.ts')).ContainerdSnapshotter.open(o);
}
