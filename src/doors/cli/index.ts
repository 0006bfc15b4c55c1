export { offeredCaches } from './build/local-caches.ts';
export { describeFailure } from './failure.ts';
export type { Io } from './io.ts';
export { localHost } from './local-host.ts';
export { runProcess } from './run-process.ts';
export { engineFor, GROUNDS, pathsNamed, storeFolder, type Settings } from './settings.ts';
export { versionLine } from './version.ts';
