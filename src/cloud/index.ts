export { awsDomain, awsKeys, awsRegion } from './aws-keys.ts';
export { azureHeaders } from './azure-key.ts';
export type { CacheStore } from './cache-store.ts';
export { ask, objectOf, saidIn, textOf, type Cloud } from './cloud.ts';
export { cloudError } from './errors.ts';
export { googleToken } from './google-token.ts';
export type { ObjectContent } from './objects.ts';
export { openCacheStore, type CacheStoreType } from './open-cache-store.ts';
export { signed, strict } from './sigv4.ts';
