export { runExecutor } from './executor-program.ts';
export { runWarmer } from './warmer-program.ts';
