import { messageOf } from '../../../base/index.ts';
import type { BlobReader } from '../../../blob/index.ts';
import type { BuildEvent, CacheImport } from '../../../engine/index.ts';
import { openLayout } from '../../../image/index.ts';
import type { CacheFrom } from '../parse/cache.ts';

export interface OfferedCaches {
  readonly imports: readonly CacheImport[];
  /** What folders have, by the name that they are offered under. */
  readonly blobs: ReadonlyMap<string, BlobReader>;
}

/** `--cache-from` as the engine takes it: folders are opened here, on the asking side. One that is no cache is told of and left out: it is no reason to fail. */
export function offeredCaches(
  places: readonly CacheFrom[],
  o: { emit: (event: BuildEvent) => void; now: () => number },
): OfferedCaches {
  const blobs = new Map<string, BlobReader>();
  const imports = places.flatMap((place, at): CacheImport[] => {
    if (place.type === 'registry') return [place];
    const { folder, name, tag, digest } = place;
    try {
      const layout = openLayout(folder);
      const found = layout.images.find(({ descriptor, refs }) =>
        digest === undefined ? refs.includes(tag) : descriptor?.digest === digest,
      );
      const manifest = found?.descriptor;
      if (!manifest) throw new TypeError(`there is nothing ${digest ?? `tagged "${tag}"`} in it`);
      const store = `cache-${at}`;
      blobs.set(store, layout.blobs);
      return [{ type: 'local', store, name, manifest }];
    } catch (error) {
      const message = `ignoring cache "${name}": ${messageOf(error)}`;
      o.emit({ kind: 'warning', at: o.now(), warning: { code: 'CacheIgnored', message } });
      return [];
    }
  });
  return { imports, blobs };
}
