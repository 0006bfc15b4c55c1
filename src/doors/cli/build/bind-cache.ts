import { mkdirSync, statSync } from 'node:fs';
import { open as openFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileBytes, hasCode, messageOf, type Wait } from '../../../base/index.ts';
import { isDigest, type Descriptor, type Digest } from '../../../blob/index.ts';
import type { Engine } from '../../../engine/index.ts';
import {
  cacheConfig,
  encodeCacheMetadata,
  LABELS,
  parseCacheMetadata,
  type CacheMetadata,
} from '../../../frontend/buildpack/index.ts';
import {
  configOf,
  hostPlatform,
  layerFromBlob,
  makeImage,
  MEDIA,
  type Image,
  type Layer,
} from '../../../image/index.ts';
import { VolumeCache } from '../../lifecycle/index.ts';
import { cliError } from '../errors.ts';

type Shop = Awaited<ReturnType<Engine['workshop']>>;

/** What buildpacks keep, in a folder, as the lifecycle and pack write it (`--cache type=build;format=bind`). A build works on a copy in the store, which is brought there before and written back after it. */
export class BindCache {
  readonly #folder: string;
  /** Of the copy. */
  readonly #name: string;
  readonly #engine: Engine;

  /** Throws `CONFIG_INVALID` where no such folder can be. */
  constructor(folder: string, o: { name: string; engine: Engine }) {
    this.#folder = folder;
    this.#name = o.name;
    this.#engine = o.engine;
    try {
      mkdirSync(folder, { recursive: true });
    } catch (error) {
      throw cliError('CONFIG_INVALID', `keep the cache in "${folder}": ${messageOf(error)}`, {
        cause: error,
        remedy: 'Name a folder that this user may write to.',
      });
    }
  }

  /** Brings what the folder has into the store. False where it has nothing, or nothing that is whole. */
  async bring(o: { warn: (message: string) => void } & Wait): Promise<boolean> {
    const cache = new VolumeCache(this.#folder);
    try {
      const metadata = await cache.metadata();
      const shas = shasOf(metadata);
      if (shas.length === 0) return false;
      await using shop = await this.#shop();
      const known = await this.#copy(shop, o);
      if (known && encodeCacheMetadata(known.metadata) === encodeCacheMetadata(metadata)) return true;
      // The store verifies what it takes.
      const layers = shas.map((sha) => tarLayer(join(this.#folder, 'committed', `${sha}.tar`), sha));
      const config = cacheConfig(metadata, { platform: hostPlatform(process), diffIds: shas });
      const image = makeImage({ config, layers, mediaTypes: 'oci' });
      await shop.write(`store:${this.#name}`, image, { whole: true, signal: o.signal });
      return true;
    } catch (error) {
      if (o.signal?.aborted) throw error;
      o.warn(`the cache in "${this.#folder}" is not used: ${messageOf(error)}`);
      return false;
    }
  }

  /** Writes what the build kept into the folder; where it is the same, nothing. */
  async keep(o: Wait = {}): Promise<void> {
    await using shop = await this.#shop();
    const copy = await this.#copy(shop, o);
    if (!copy) return;
    const cache = new VolumeCache(this.#folder);
    if (encodeCacheMetadata(await cache.metadata()) === encodeCacheMetadata(copy.metadata)) return;
    const wanted = new Set<string>(shasOf(copy.metadata));
    const layers: { diffId: Digest; size: number; tar: () => Promise<string> }[] = [];
    for (const layer of await copy.image.layers(o)) {
      const diffId = await layer.diffId(o);
      if (!wanted.delete(diffId)) continue;
      // One that is there already is linked to, if it is whole.
      const size = statSync(join(this.#folder, 'committed', `${diffId}.tar`), { throwIfNoEntry: false })?.size ?? -1;
      const tar = join(shop.scratch, `${layers.length}.tar`);
      layers.push({ diffId, size, tar: async () => spool(layer, { ...o, tar }) });
    }
    await cache.replace(copy.metadata, { layers, signal: o.signal });
  }

  async #copy(shop: Shop, w: Wait): Promise<{ image: Image; metadata: CacheMetadata } | undefined> {
    try {
      const image = await shop.open(`store:${this.#name}`, w);
      if (image.kind !== 'image') return undefined;
      const { config } = await configOf(image, w);
      return { image, metadata: parseCacheMetadata(config?.Labels?.[LABELS.cacheMetadata] ?? '') };
    } catch (error) {
      if (hasCode(error, 'IMAGE_NOT_FOUND')) return undefined;
      throw error;
    }
  }

  async #shop(): Promise<Shop> {
    return this.#engine.workshop({ host: { credentials: async () => undefined } });
  }
}

/** The layers that a cache's metadata names, each once. */
function shasOf({ sbom, buildpacks }: CacheMetadata): readonly Digest[] {
  const all = [...buildpacks.flatMap(({ layers }) => Object.values(layers).map(({ sha }) => sha)), sbom?.sha];
  return [...new Set(all.filter((sha) => sha !== undefined && isDigest(sha)))] as Digest[];
}

function tarLayer(path: string, diffId: Digest): Layer {
  const descriptor: Descriptor = { mediaType: MEDIA.ociLayer, digest: diffId, size: statSync(path).size };
  return layerFromBlob(descriptor, {
    diffId: async () => diffId,
    blobs: { has: async () => true, open: async (_, w) => fileBytes(path, w) },
  });
}

async function spool(layer: Layer, o: { tar: string } & Wait): Promise<string> {
  const file = await openFile(o.tar, 'wx', 0o600);
  try {
    for await (const chunk of await layer.uncompressed(o)) await file.writeFile(chunk);
  } finally {
    await file.close();
  }
  return o.tar;
}
