export {
  Containerd,
  DEFAULT_ADDRESS,
  openContainerd,
  type CallWait,
  type ContainerdOptions,
  type Plugin,
} from './client.ts';
export {
  ContainerdContainers,
  processSpec,
  runcOptions,
  type AnyMessage,
  type ContainerInfo,
  type RuncOptions,
} from './containers.ts';
export { ContainerdContent } from './content.ts';
export { ContainerdDiffs } from './diffs.ts';
export { containerdError } from './errors.ts';
export { containerdEvents, type ContainerdEvent } from './events.ts';
export { ContainerdImages, type ContainerdImage } from './images.ts';
export { ContainerdLeases, type LeaseInfo, type LeaseResource } from './leases.ts';
export { ContainerdSnapshots, type ContainerdSnapshot } from './snapshots.ts';
export { ContainerdTasks, type TaskIo, type TaskState } from './tasks.ts';
