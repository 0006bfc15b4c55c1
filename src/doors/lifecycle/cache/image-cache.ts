import { kindOf, type Wait } from '../../../base/index.ts';
import type { Digest } from '../../../blob/index.ts';
import {
  cacheConfig,
  EMPTY_CACHE_LAYER,
  LABELS,
  parseCacheMetadata,
  type CacheMetadata,
} from '../../../frontend/buildpack/index.ts';
import { makeImage, parseReference, type Layer } from '../../../image/index.ts';
import { importLayer, openLayer, type FileTree } from '../../../tree/index.ts';
import type { PhaseContext } from '../context.ts';
import { lifecycleError } from '../errors.ts';
import { findImage } from '../find-image.ts';
import type { OpenImage } from '../images/images.ts';
import { RegistryImages } from '../images/registry-images.ts';
import { layerOfStore, writeLayers } from '../write-layers.ts';
import type { BuildCache, CachedLayer } from './build-cache.ts';

/** A cache as an image in a registry, on no base: a layer for each cached one, and a label that says what they are (lifecycle cache/image_cache.go). */
export class ImageCache implements BuildCache {
  readonly name: string;
  readonly #c: PhaseContext;
  #image: Promise<OpenImage | undefined> | undefined;

  constructor(name: string, c: PhaseContext) {
    this.name = name;
    this.#c = c;
  }

  async metadata(): Promise<CacheMetadata> {
    return parseCacheMetadata((await this.#find())?.labels[LABELS.cacheMetadata] ?? '');
  }

  async layer(diffId: Digest, w?: Wait): Promise<FileTree> {
    const layer = await (await this.#find())?.layer(diffId, w);
    if (!layer)
      throw lifecycleError('LIFECYCLE_CACHE_FAILED', `read layer ${diffId} of "${this.name}": it is not in the image`);
    const store = await this.#c.store();
    const descriptor = await layer.descriptor(w);
    await store.put(await layer.compressed(w), { mediaType: descriptor.mediaType, expect: descriptor, ...w });
    await importLayer(store, { descriptor, diffId }, w);
    return openLayer(store, diffId, w);
  }

  async replace(metadata: CacheMetadata, o: { layers: readonly CachedLayer[] } & Wait): Promise<void> {
    const c = this.#c;
    const store = await c.store();
    const before = await this.#find();
    // What is there already is named, not sent.
    const layers: Layer[] = [];
    const wanted =
      o.layers.length > 0 ? o.layers : [...(await writeLayers([EMPTY_CACHE_LAYER], { store, launcher: '' })).values()];
    for (const { diffId, size } of wanted)
      layers.push((await before?.layer(diffId, o)) ?? layerOfStore(store, { diffId, size }));
    const config = cacheConfig(metadata, { platform: c.platform, diffIds: wanted.map(({ diffId }) => diffId) });
    await c.registry.push(makeImage({ config, layers, mediaTypes: 'oci' }), parseReference(this.name), o);
  }

  #find(): Promise<OpenImage | undefined> {
    return (this.#image ??= this.#open());
  }

  async #open(): Promise<OpenImage | undefined> {
    try {
      const { registry, platform, signal } = this.#c;
      return await findImage(this.name, { images: new RegistryImages(registry, platform), signal });
    } catch (error) {
      // Registries hide by a refusal that there is no such repository.
      if (kindOf(error) !== 'denied') throw error;
      this.#c.log.warn(`Not using cache image "${this.name}": it cannot be read`);
      return undefined;
    }
  }
}
