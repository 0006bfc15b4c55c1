import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { kindOf, messageOf, type Clock, type Wait } from '../../base/index.ts';
import type { BlobReader } from '../../blob/index.ts';
import type { CacheExport, CacheImport } from '../../engine/index.ts';
import { formatPlatform, parseReference } from '../../image/index.ts';
import type { RegistryClient } from '../../registry/index.ts';
import { folderCache } from '../cli/index.ts';
import { nameOf } from './digest-files.ts';
import type { Log } from './log.ts';
import type { ExecutorOptions } from './options.ts';

/** The sink of a cache that is a folder. */
export const CACHE_SINK = 'cache';

/** The cache of a build as the engine takes it. */
export interface LayerCache {
  readonly from: readonly CacheImport[];
  readonly to: readonly CacheExport[];
  /** What a folder has, by the name that it is offered under. */
  readonly blobs: ReadonlyMap<string, BlobReader>;
  readonly folder?: string | undefined;
}

/** Where the cache of a build is: `--cache-repo`, else the first destination with `/cache` behind it (kaniko pkg/cache). Undefined where there is none. */
export function cachePlace(o: ExecutorOptions): { readonly repo: string } | { readonly folder: string } | undefined {
  if (!o.cache.use) return undefined;
  const [first] = o.destinations;
  const repo = o.cache.repo ?? (first === undefined ? undefined : `${nameOf(first, false)}/cache`);
  if (repo === undefined) return undefined;
  return repo.startsWith('oci:') ? { folder: repo.slice('oci:'.length) } : { repo };
}

/** `--cache` and what belongs to it. A cache that is not there yet is no reason for a warning; one that cannot be written is no reason to fail, as in kaniko. */
export async function layerCache(
  options: ExecutorOptions,
  o: { readonly client: RegistryClient; readonly log: Log; readonly clock: Clock; readonly cwd: string } & Wait,
): Promise<LayerCache> {
  const place = cachePlace(options);
  if (!place) return { from: [], to: [], blobs: new Map() };
  const tag = tagOf(options);
  const notBefore = o.clock.now() - options.cache.ttl;
  const content = { mode: 'max', compression: options.compression, ignoreError: true } as const;
  const { push } = options.cache;
  if ('repo' in place) {
    const ref = `${place.repo}:${tag}`;
    const isThere = await exists(ref, o);
    return {
      from: isThere ? [{ type: 'registry', ref, notBefore }] : [],
      to: push ? [{ ...content, type: 'registry', ref }] : [],
      blobs: new Map(),
    };
  }
  const folder = resolve(o.cwd, place.folder);
  const there = existsSync(join(folder, 'index.json'));
  const store = 'cache-0';
  const tell = (message: string): void => o.log.info(message);
  const found = there ? folderCache({ folder, name: place.folder, tag }, { store, tell }) : undefined;
  return {
    from: found ? [{ ...found.import, notBefore }] : [],
    // kaniko's --no-push-cache keeps nothing in a layout either.
    to: push ? [{ ...content, type: 'local', sink: CACHE_SINK, name: place.folder, tag }] : [],
    blobs: new Map(found ? [[store, found.blobs]] : []),
    folder,
  };
}

/** One entry for each Dockerfile, target and platform, so that builds which share a repository do not replace each other's. */
function tagOf({ dockerfile, subPath, targets, platform }: ExecutorOptions): string {
  const text = JSON.stringify([dockerfile, subPath ?? '', targets, formatPlatform(platform)]);
  return `strake-${createHash('sha256').update(text).digest('hex').slice(0, 16)}`;
}

async function exists(ref: string, o: { readonly client: RegistryClient; readonly log: Log } & Wait): Promise<boolean> {
  o.log.info(`Checking for cached layers ${ref}...`);
  try {
    await o.client.resolve(parseReference(ref), { signal: o.signal });
    return true;
  } catch (error) {
    if (kindOf(error) === 'cancelled') throw error;
    if (kindOf(error) === 'not_found') o.log.info(`No cached layers found in ${ref}`);
    else o.log.warn(`going on without cached layers: ${messageOf(error)}`);
    return false;
  }
}
