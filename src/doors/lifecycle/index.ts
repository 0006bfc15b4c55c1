export { VolumeCache } from './cache/volume-cache.ts';
export { runLifecycle } from './lifecycle-program.ts';
