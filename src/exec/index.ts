export { createExecutor, probeExecutors, recoverExecutors } from './create-executor.ts';
export type { ExecutorName, ExecutorOptions, ExecutorProbe, OpenExecutor } from './create-executor.ts';
export type { Executor, ExecutorReport, Process, ProcessIo, StepMount } from './executor.ts';
