import type { Wait } from '../base/index.ts';
import type { ContainerdExecutor, ContainerdExecutorOptions } from './containerd-executor.ts';

export type { ContainerdExecutor, ContainerdExecutorOptions };

/** Loaded when it is asked for: gRPC takes its time to load. */
export async function createContainerdExecutor(o: ContainerdExecutorOptions & Wait): Promise<ContainerdExecutor> {
  return (await import('./containerd-executor.ts')).createContainerdExecutor(o);
}
