export { runLifecycle } from './lifecycle-program.ts';
