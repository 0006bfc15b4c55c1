export { cacheMountKey, CacheService } from './cache-service.ts';
export type { CacheInfo, CacheMounts, CacheSpec, TakenCache } from './cache-mounts.ts';
export { openMounts, type OpenMounts } from './open-mounts.ts';
