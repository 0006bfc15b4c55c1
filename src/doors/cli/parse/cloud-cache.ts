import type { CacheStoreType } from '../../../cloud/index.ts';

/** A cache among the objects of a cloud, by BuildKit's attributes. */
export interface CloudCache {
  readonly type: CacheStoreType;
  readonly attributes: ReadonlyMap<string, string>;
}

/** Attributes of each kind that are the store's own, not the cache's. */
const ATTRIBUTES: Readonly<Record<CacheStoreType, readonly string[]>> = {
  s3: [
    'bucket',
    'region',
    'prefix',
    'manifests_prefix',
    'blobs_prefix',
    'name',
    'touch_refresh',
    'endpoint_url',
    'access_key_id',
    'secret_access_key',
    'session_token',
    'use_path_style',
    'upload_parallelism',
  ],
  azblob: [
    'account_url',
    'account_name',
    'container',
    'prefix',
    'manifests_prefix',
    'blobs_prefix',
    'name',
    'secret_access_key',
  ],
  gha: ['scope', 'url', 'url_v2', 'token', 'version', 'timeout', 'repository', 'ghtoken'],
};

export const CLOUD_CACHES = Object.keys(ATTRIBUTES) as readonly CacheStoreType[];

/** Takes a store's own attributes out of all; undefined for a type that is none of these. */
export function takeCloudCache(type: string, attributes: Map<string, string>): CloudCache | undefined {
  const found = CLOUD_CACHES.find((one) => one === type);
  if (!found) return undefined;
  const taken = new Map<string, string>();
  for (const name of ATTRIBUTES[found]) {
    const value = attributes.get(name);
    if (value !== undefined) taken.set(name, value);
    attributes.delete(name);
  }
  return { type: found, attributes: taken };
}

/** What people call it: no login in it. */
export function cloudCacheName({ type, attributes }: CloudCache): string {
  const place = { s3: 'bucket', azblob: 'account_url', gha: 'scope' } as const;
  const where = attributes.get(place[type]);
  return where === undefined ? type : `${type}:${where}`;
}
