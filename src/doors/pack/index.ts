export { runPack } from './pack-program.ts';
