export { capabilityNamed } from './capabilities.ts';
export { createExecutor, probeExecutors, recoverExecutors } from './create-executor.ts';
export type { ExecutorName, ExecutorOptions, ExecutorProbe, OpenExecutor } from './create-executor.ts';
export {
  createContainerdExecutor,
  type ContainerdExecutor,
  type ContainerdExecutorOptions,
} from './open-containerd.ts';
export { createInPlaceExecutor, inPlaceHindrance, type InPlaceExecutorOptions } from './in-place-executor.ts';
export { stepMain } from './in-place-step.ts';
export type { Executor, ExecutorReport, Looked, LookedAt, Question, Survive, Survivor, Survivors } from './executor.ts';
export type {
  Process,
  ProcessLimits,
  ProcessPrivileges,
  ProcessIo,
  StepChannel,
  PublishedPort,
  StepMount,
  TerminalSize,
} from './process.ts';
export { PAUSE_PROGRAMS } from './pause-program.ts';
export { tryArchitecture, type Execution } from './foreign.ts';
export type {
  JoiningProcess,
  ListeningPort,
  ProcessUsage,
  RunningInsides,
  RunningProcesses,
} from './running-processes.ts';
