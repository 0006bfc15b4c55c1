export type { Executor, ExecutorReport, Process, ProcessIo, StepMount } from './executor.ts';
