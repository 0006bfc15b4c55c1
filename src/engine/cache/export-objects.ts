import { mapBounded } from '../../base/index.ts';
import type { CacheStore } from '../../cloud/index.ts';
import type { Image, Index, Layer } from '../../image/index.ts';
import type { Session } from '../../worker/index.ts';
import { engineError } from '../errors.ts';
import type { CacheExportContext } from './export-cache.ts';

/** Blobs that are sent together; each may be sent in several parts at once. */
const AT_ONCE = 4;

/** A cache of the asking side among the objects of a cloud. Throws `HOST_ABSENT`. */
export async function objectsOf({ host }: Session, store: string): Promise<CacheStore> {
  if (!host.objects) throw engineError('HOST_ABSENT', `use the cache "${store}": it was not offered to this build`);
  return host.objects(store);
}

/** Writes a cache into an object store: its layers, those that are not there yet, and the config last. */
export async function exportObjects(
  artifact: Image | Index,
  store: string,
  c: CacheExportContext & { readonly id: string },
): Promise<undefined> {
  if (artifact.kind !== 'image') throw new TypeError('a cache among objects has no index');
  const w = { signal: c.signal };
  const objects = await objectsOf(c.session, store);
  await mapBounded(await artifact.layers(w), AT_ONCE, (layer) => put(layer, objects, c));
  await objects.putConfig(await artifact.config(w), w);
}

async function put(layer: Layer, objects: CacheStore, c: CacheExportContext & { readonly id: string }): Promise<void> {
  const w = { signal: c.signal };
  const descriptor = await layer.descriptor(w);
  const { digest, size, mediaType } = descriptor;
  const isHere = (): Promise<boolean> => c.worker.store.has(descriptor, w);
  const content = {
    size,
    open: async (range?: { readonly offset: number; readonly length: number }) => {
      // Parts are read side by side, and again where sending fails: a layer that is elsewhere is brought here for that.
      if (!(await isHere())) {
        c.session.spare(digest);
        await c.worker.store.put(await layer.compressed(w), { mediaType, expect: descriptor, ...w });
      }
      return c.worker.store.open(descriptor, { ...range, ...w });
    },
  };
  const moved = await objects.put(descriptor, content, w);
  const progress = { item: digest, current: moved ? size : 0, total: size, unit: 'bytes', done: true } as const;
  c.emit({ kind: 'progress', id: c.id, at: c.clock.now(), progress });
}
