export { BuildCaches, type CachedImage } from './build-caches.ts';
export { readCache } from './read-cache.ts';
export type { CacheContent, CacheExport, CacheImport, CacheTarget } from './types.ts';
