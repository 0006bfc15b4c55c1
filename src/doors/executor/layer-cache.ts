import { nameOf } from './digest-files.ts';
import type { ExecutorOptions } from './options.ts';

/** Where the cache of a build is: `--cache-repo`, else the first destination with `/cache` behind it (kaniko pkg/cache). Undefined where there is none. */
export function cachePlace(o: ExecutorOptions): { readonly repo: string } | { readonly folder: string } | undefined {
  if (!o.cache.use) return undefined;
  const [first] = o.destinations;
  const repo = o.cache.repo ?? (first === undefined ? undefined : `${nameOf(first, false)}/cache`);
  if (repo === undefined) return undefined;
  return repo.startsWith('oci:') ? { folder: repo.slice('oci:'.length) } : { repo };
}
