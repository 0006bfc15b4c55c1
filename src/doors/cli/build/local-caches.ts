import { messageOf } from '../../../base/index.ts';
import type { BlobReader } from '../../../blob/index.ts';
import type { CacheStore } from '../../../cloud/index.ts';
import type { BuildEvent, CacheExport, CacheImport } from '../../../engine/index.ts';
import { openLayout } from '../../../image/index.ts';
import type { CacheFrom, CacheToPlan } from '../parse/cache.ts';
import { cloudCacheName, type CloudCache } from '../parse/cloud-cache.ts';
import type { Clouds } from './cloud-caches.ts';

export interface OfferedCaches {
  readonly imports: readonly CacheImport[];
  readonly exports: readonly CacheExport[];
  /** What folders have, by the name that they are offered under. */
  readonly blobs: ReadonlyMap<string, BlobReader>;
  /** What clouds have, likewise. */
  readonly objects: ReadonlyMap<string, () => Promise<CacheStore>>;
}

/** `--cache-from` and `--cache-to` as the engine takes them: folders are opened here, on the asking side, and clouds are asked from here. One that is no cache is told of and left out: it is no reason to fail. */
export function offeredCaches(
  { from, to }: { readonly from: readonly CacheFrom[]; readonly to: CacheToPlan },
  o: { readonly clouds: Clouds; readonly emit: (event: BuildEvent) => void; readonly now: () => number },
): OfferedCaches {
  const blobs = new Map<string, BlobReader>();
  const objects = new Map<string, () => Promise<CacheStore>>();
  const tell = (message: string): void =>
    o.emit({ kind: 'warning', at: o.now(), warning: { code: 'CacheIgnored', message } });
  const offer = (store: string, cache: CloudCache): boolean => {
    const isThere = o.clouds.has(cache);
    if (isThere) objects.set(store, () => o.clouds.open(cache));
    else tell(`ignoring cache "${cloudCacheName(cache)}": this is no job of GitHub Actions`);
    return isThere;
  };
  const imports = from.flatMap((place, at): CacheImport[] => {
    if (place.type === 'registry') return [place];
    const store = `cache-${at}`;
    if (place.type !== 'local')
      return offer(store, place) ? [{ type: 'objects', store, name: cloudCacheName(place) }] : [];
    const found = folderCache(place, { store, tell });
    if (!found) return [];
    blobs.set(store, found.blobs);
    return [found.import];
  });
  const exports = to.exports.filter((target) => {
    const cache = target.type === 'objects' ? to.objects.get(target.store) : undefined;
    return target.type !== 'objects' || !cache || offer(target.store, cache);
  });
  return { imports, exports, blobs, objects };
}

/** A cache in a folder, offered under `store`; undefined where there is none, which is told of. */
export function folderCache(
  { folder, name, tag, digest }: Omit<Extract<CacheFrom, { readonly type: 'local' }>, 'type'>,
  o: { readonly store: string; readonly tell: (message: string) => void },
): { readonly import: CacheImport; readonly blobs: BlobReader } | undefined {
  try {
    const layout = openLayout(folder);
    const found = layout.images.find(({ descriptor, refs }) =>
      digest === undefined ? refs.includes(tag) : descriptor?.digest === digest,
    );
    const manifest = found?.descriptor;
    if (!manifest) throw new TypeError(`there is nothing ${digest ?? `tagged "${tag}"`} in it`);
    return { import: { type: 'local', store: o.store, name, manifest }, blobs: layout.blobs };
  } catch (error) {
    o.tell(`ignoring cache "${name}": ${messageOf(error)}`);
    return undefined;
  }
}
