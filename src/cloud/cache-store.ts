import { createHash } from 'node:crypto';
import { collect, type Bytes, type Wait } from '../base/index.ts';
import { blobError, verified, type BlobReader, type Descriptor } from '../blob/index.ts';
import type { ObjectContent, Objects } from './objects.ts';

/** No larger manifest is read. */
const MANIFEST_LIMIT = 64 << 20;

/** A build cache among the objects of a cloud, laid out as BuildKit's types s3, azblob and gha lay it out: one object for each blob, and the cache's config under a name. */
export interface CacheStore {
  /** What people call it, free of logins. */
  readonly name: string;
  readonly blobs: BlobReader;
  /** The configs that are there under the names to be read. */
  configs(w?: Wait): Promise<readonly Uint8Array[]>;
  /** Stores a blob; false where it is there. */
  put(blob: Descriptor, content: ObjectContent, w?: Wait): Promise<boolean>;
  /** Stores the config under all names to be written, in the place of what is there. */
  putConfig(config: Uint8Array, w?: Wait): Promise<void>;
}

export interface CacheKeys {
  blob(digest: string): string;
  readonly read: readonly string[];
  readonly written: readonly string[];
}

export function cacheStore(objects: Objects, name: string, keys: CacheKeys): CacheStore {
  return {
    name,
    blobs: {
      has: async ({ digest, size }, w) => {
        const found = await objects.find(keys.blob(digest), w);
        return found !== undefined && (found.size === undefined || found.size === size);
      },
      open: async (descriptor, o = {}) => {
        const content = await objects.open(keys.blob(descriptor.digest), o);
        if (!content) throw blobError('BLOB_NOT_FOUND', `open blob ${descriptor.digest}: it is not in ${name}`);
        return o.offset === undefined && o.length === undefined ? verified(content, descriptor) : content;
      },
    },
    configs: async (w) => {
      const found = await Promise.all(keys.read.map((key) => objects.open(key, w)));
      const contents = found.filter((content): content is Bytes => content !== undefined);
      return Promise.all(contents.map((content) => collect(content, { limit: MANIFEST_LIMIT, what: 'a cache' })));
    },
    put: (blob, content, w) => objects.put(keys.blob(blob.digest), content, w),
    putConfig: async (config, w) => {
      for (const key of keys.written) await objects.replace(key, config, w);
    },
  };
}

/** The key of a config in the GitHub Actions cache, of a branch. */
export function githubConfigKey(scope: string, branch: string): string {
  return `index-${scope}-1-${createHash('sha256').update(branch).digest('hex').slice(0, 8)}`;
}
