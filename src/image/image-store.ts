import { bytesOf, collect, mapBounded, type Clock, type Database, type Wait } from '../base/index.ts';
import {
  digestOf,
  type Descriptor,
  type Digest,
  type DiskBlobStore,
  type Lease,
  type Leases,
  type Platform,
} from '../blob/index.ts';
import type { Codec } from '../tree/index.ts';
import { encodeConfig, platformOf } from './config-codec.ts';
import type { ImageConfig } from './config.ts';
import { imageError } from './errors.ts';
import { configOf, descriptorOf, imageFrom, manifestOf } from './image-from.ts';
import type { ImageRecord, LayerRecord, StatementRecord } from './image-record.ts';
import { ImageTable, type StoredImage } from './image-table.ts';
import type { Image, Index, Layer, LayerSource } from './image.ts';
import { makeImageLater } from './make-image.ts';
import { MEDIA, type MediaFamily } from './media-types.ts';
import { formatPlatform, matchPlatform } from './platform.ts';
import { canonicalReference, parseReference, repositoryName, type Reference } from './reference.ts';
import { StoredLayers, type CompressLayer, type OpenRemote } from './stored-layer.ts';

/** Layers brought in at once. */
const AT_ONCE = 3;

/** A layer of an image that was built here: its tar is in the blob store, or it is a base's that still is elsewhere. */
export interface BuiltLayer {
  readonly diffId: Digest;
  readonly compressed?: Descriptor | undefined;
  /** `registry/repository` that has `compressed`. */
  readonly source?: string | LayerSource | undefined;
}

/**
 * The images of this machine. An image is known by its config's digest (image ID); names lead to it. Its blobs lie in the blob store, layers uncompressed under their diffIDs, those from outside as they came, too. Several processes may use one store.
 */
export class ImageStore {
  readonly #blobs: DiskBlobStore;
  readonly #clock: Clock;
  readonly #leases: Leases;
  readonly #table: ImageTable;
  readonly #layers: StoredLayers;

  constructor(o: {
    db: Database;
    blobs: DiskBlobStore;
    leases: Leases;
    clock: Clock;
    /** How the layers of an image that was built here are compressed; the tree room's way by default. */
    compress?: CompressLayer | undefined;
    /** Needed for layers that were left in their registry. */
    remote?: OpenRemote | undefined;
  }) {
    this.#blobs = o.blobs;
    this.#clock = o.clock;
    this.#leases = o.leases;
    this.#table = new ImageTable(o.db);
    this.#layers = new StoredLayers({ ...o, table: this.#table });
  }

  /** Records images (one, or one for each platform) and makes the names lead to them and to nothing else. Their blobs must be in the store, under a lease until now. */
  put(names: readonly string[], records: ImageRecord | readonly ImageRecord[]): void {
    const keys = names.map((name) => nameKey(parseReference(name)));
    this.#table.put(keys, 'imageId' in records ? [records] : records);
  }

  /**
   * Records an image that was built here: encodes and stores its config, with `rootfs` filled in from the layers. Nothing is compressed. Returns the image ID.
   */
  async add(
    built: {
      config: ImageConfig;
      layers: readonly BuiltLayer[];
      names: readonly string[];
      mediaTypes?: MediaFamily | undefined;
      annotations?: Readonly<Record<string, string>> | undefined;
      /** In-toto predicates about it. */
      statements?:
        | readonly { readonly predicateType: string; readonly filename: string; readonly predicate: Uint8Array }[]
        | undefined;
    } & Wait,
  ): Promise<Digest> {
    await using lease = this.#leases.take();
    const diffIds = built.layers.map((layer) => layer.diffId);
    const config = encodeConfig({ ...built.config, rootfs: { type: 'layers', diff_ids: diffIds } });
    const imageId = digestOf(config);
    lease.add(imageId, ...diffIds);
    await this.#blobs.put(bytesOf(config), { mediaType: MEDIA.ociConfig, signal: built.signal });
    const statements: StatementRecord[] = [];
    for (const { predicate, ...statement } of built.statements ?? []) {
      lease.add(digestOf(predicate));
      const descriptor = await this.#blobs.put(bytesOf(predicate), {
        mediaType: 'application/json',
        signal: built.signal,
      });
      statements.push({ ...statement, predicate: descriptor });
    }
    this.put(built.names, {
      imageId,
      config: { mediaType: MEDIA.ociConfig, digest: imageId, size: config.length },
      platform: platformOf(built.config),
      layers: built.layers.map(({ diffId, compressed, source }) => ({
        diffId,
        size: this.#blobs.sizeOf(diffId),
        compressed,
        source: typeof source === 'string' ? { reference: source } : source,
      })),
      createdAt: this.#clock.now(),
      mediaTypes: built.mediaTypes,
      annotations: built.annotations,
      ...(statements.length > 0 ? { statements } : {}),
    });
    return imageId;
  }

  /**
   * Brings an image from elsewhere into the store and records it. Its manifest is kept and used unchanged, unless `keepManifest` is off (a docker archive has none of its own: one was made). Each layer is stored as it came and uncompressed; with
   * `lazy` a layer that is in a registry stays there until somebody must see its bytes. Throws `CONFIG_INVALID` for an artifact, which is no image.
   */
  async import(
    names: readonly string[],
    image: Image,
    o: { index?: Index | undefined; lazy?: boolean | undefined; keepManifest?: boolean | undefined } & Wait = {},
  ): Promise<ImageRecord> {
    await using lease = this.#leases.take();
    const config = await this.#storeConfig(image, lease, o);
    const { config: configDescriptor } = await manifestOf(image, o);
    const keep = o.keepManifest !== false;
    const manifest = keep ? await this.#storeManifest(image, lease, o) : undefined;
    const index = o.index && keep ? await this.#storeManifest(o.index, lease, o) : undefined;
    const layers = await mapBounded(await image.layers(o), AT_ONCE, (layer) =>
      this.#importLayer(layer, { lease, keep, ...o }),
    );
    const record: ImageRecord = {
      imageId: digestOf(await image.config(o)),
      config: configDescriptor,
      platform: platformOf(config),
      layers,
      manifest,
      index,
      createdAt: this.#clock.now(),
    };
    this.put(names, record);
    return record;
  }

  /** All images with their names (canonical), the newest first. */
  list(): readonly StoredImage[] {
    return this.#table.list();
  }

  /**
   * The image that `text` means: a name (as people write it), an image ID or a unique beginning of one, or the digest of its manifest or index. With `platform` only one that runs there; `prefer` chooses where there are several.
   * Throws `IMAGE_NOT_FOUND` or `IMAGE_AMBIGUOUS`.
   */
  resolve(text: string, o: { platform?: Platform | undefined; prefer?: Platform | undefined } = {}): ImageRecord {
    const found = this.find(text, o);
    if (found) return found;
    throw notHere(text, o.platform);
  }

  /** All platforms of the image that `text` means (see `resolve`), in the order in which they were put. Throws `IMAGE_NOT_FOUND` or `IMAGE_AMBIGUOUS`. */
  resolveAll(text: string): readonly ImageRecord[] {
    const records = this.#candidates(text);
    if (records.length === 0) throw notHere(text);
    return records.filter(({ imageId }, at) => records.findIndex((other) => other.imageId === imageId) === at);
  }

  /** `resolve`, or undefined when there is no such image. Throws `IMAGE_AMBIGUOUS`. */
  find(
    text: string,
    o: { platform?: Platform | undefined; prefer?: Platform | undefined } = {},
  ): ImageRecord | undefined {
    const candidates = this.#candidates(text);
    if (o.platform === undefined && o.prefer !== undefined && candidates.length > 1) {
      const preferred = ofPlatform(candidates, o.prefer);
      if (preferred) return preferred;
    }
    return ofPlatform(candidates, o.platform);
  }

  #candidates(text: string): readonly ImageRecord[] {
    const reference = readName(text);
    const named = reference ? this.#byReference(reference) : [];
    if (named.length > 0) return named;
    const hex = /^(?:sha256:)?([0-9a-f]+)$/.exec(text)?.[1];
    if (hex === undefined) return [];
    const exact = hex.length === 64 ? this.#table.byDigest(`sha256:${hex}`) : [];
    const candidates = exact.length > 0 ? exact : this.#table.byIdPrefix(hex);
    const ids = new Set(candidates.map((record) => record.imageId));
    if (ids.size > 1 && exact.length === 0)
      throw imageError('IMAGE_AMBIGUOUS', `find image "${text}": ${ids.size} image IDs begin so`, {
        remedy: 'Write more of the image ID.',
      });
    return candidates;
  }

  namesOf(record: ImageRecord): readonly string[] {
    return this.#table.namesOf(record);
  }

  /** Takes a name away. The image goes with its last name; `removed` says so. Throws `IMAGE_NOT_FOUND`. */
  untag(name: string): { readonly name: string; readonly removed: readonly ImageRecord[] } {
    const key = nameKey(parseReference(name));
    const records = this.#table.byName(key);
    if (!this.#table.removeName(key))
      throw imageError('IMAGE_NOT_FOUND', `remove name "${name}": no image in the local store has it`);
    const removed = records.filter((record) => this.#table.namesOf(record).length === 0);
    for (const record of removed) this.#table.removeRecord(record);
    return { name: key, removed };
  }

  /** Removes an image with all its names. Its blobs go with the next sweep, if nothing else needs them. */
  remove(record: ImageRecord): boolean {
    return this.#table.removeRecord(record);
  }

  /**
   * The image of a record. A manifest from outside is used unchanged; another is made when asked for, with the layers that were made here compressed by `codec`: always the same bytes. `mediaTypes` is for a manifest to be made; Docker's leave the annotations out.
   */
  open(record: ImageRecord, o: { codec: Codec; mediaTypes?: MediaFamily | undefined }): Image {
    const read = async (descriptor: Descriptor): Promise<Uint8Array> => collect(await this.#blobs.open(descriptor));
    const layers = record.layers.map((layer) => this.#layers.open(layer, o.codec));
    const { manifest } = record;
    if (!manifest)
      return makeImageLater(async () => {
        const mediaTypes = o.mediaTypes ?? record.mediaTypes ?? 'oci';
        const annotations = mediaTypes === 'oci' ? record.annotations : undefined;
        return { config: await read(record.config), layers, mediaTypes, annotations };
      });
    return imageFrom({
      blobs: this.#blobs,
      mediaType: manifest.mediaType,
      manifest: () => read(manifest),
      layer: (_, { at }) => layers[at] as Layer,
    });
  }

  /** One layer as a value: one from outside as it came, another compressed by `codec` when its descriptor is first asked for. */
  layer(record: LayerRecord, codec: Codec): Layer {
    return this.#layers.open(record, codec);
  }

  /** The path of a layer's tar in the blob store, brought there first if need be. */
  async tarOf(layer: LayerRecord, w?: Wait): Promise<string> {
    await this.#layers.bringTar(layer, w);
    return this.#blobs.pathOf(layer.diffId);
  }

  /** The compressed form that was made of a layer by this codec, wherever its bytes are. */
  compressedOf(diffId: Digest, codec: Codec): Descriptor | undefined {
    return this.#table.compressedOf(diffId, codec);
  }

  rememberCompressed(diffId: Digest, codec: Codec, descriptor: Descriptor): void {
    this.#table.rememberCompressed(diffId, codec, descriptor);
  }

  /** The diffID of a compressed layer, if it was ever seen here. */
  diffIdOf(compressed: Digest): Digest | undefined {
    return this.#table.diffIdOf(compressed);
  }

  rememberDiffId(compressed: Descriptor, diffId: Digest): void {
    this.#table.rememberDiffId(compressed.digest, diffId);
  }

  /** True when an image needs this blob. For `sweep`: answers from what is recorded now. */
  isReferenced(digest: Digest): boolean {
    return this.#table.isReferenced(digest);
  }

  referencedBlobs(): ReadonlySet<Digest> {
    return this.#table.referenced();
  }

  async #storeConfig(image: Image, lease: Lease, w: Wait): Promise<ImageConfig> {
    const config = await configOf(image, w);
    const { config: descriptor } = await manifestOf(image, w);
    lease.add(descriptor.digest);
    const { mediaType } = descriptor;
    await this.#blobs.put(bytesOf(await image.config(w)), { mediaType, expect: descriptor, signal: w.signal });
    return config;
  }

  async #storeManifest(x: Image | Index, lease: Lease, w: Wait): Promise<Descriptor> {
    const descriptor = await descriptorOf(x, w);
    lease.add(descriptor.digest);
    const { mediaType } = descriptor;
    return this.#blobs.put(bytesOf(await x.manifest(w)), { mediaType, expect: descriptor, signal: w.signal });
  }

  async #importLayer(
    layer: Layer,
    o: { lease: Lease; keep: boolean; lazy?: boolean | undefined } & Wait,
  ): Promise<LayerRecord> {
    const descriptor = await layer.descriptor(o);
    const diffId = await layer.diffId(o);
    const { source } = layer;
    o.lease.add(diffId, descriptor.digest);
    this.rememberDiffId(descriptor, diffId);
    if (o.lazy && source) return { diffId, compressed: descriptor, source };
    if (!o.keep) {
      const { size } = await this.#blobs.put(await layer.uncompressed(o), {
        mediaType: MEDIA.ociLayer,
        signal: o.signal,
      });
      return { diffId, size: await this.#layers.bringTar({ diffId, size }, o) };
    }
    if (this.#blobs.sizeOf(descriptor.digest) !== descriptor.size)
      await this.#blobs.put(await layer.compressed(o), {
        mediaType: descriptor.mediaType,
        expect: descriptor,
        signal: o.signal,
      });
    const record = { diffId, compressed: descriptor, source };
    return { ...record, size: await this.#layers.bringTar(record, o) };
  }

  #byReference(reference: Reference): readonly ImageRecord[] {
    const named = this.#table.byName(nameKey(reference));
    if (named.length > 0 || reference.digest === undefined) return named;
    const repository = repositoryName(reference);
    const isOfRepository = (record: ImageRecord): boolean =>
      record.layers.some((layer) => layer.source?.reference === repository) ||
      this.#table.namesOf(record).some((name) => repositoryName(parseReference(name)) === repository);
    return this.#table.byDigest(reference.digest).filter((record) => isOfRepository(record));
  }
}

/** The text that names are stored under: with a digest the tag does not count. */
function nameKey(reference: Reference): string {
  return canonicalReference(reference.digest === undefined ? reference : { ...reference, tag: undefined });
}

function notHere(text: string, platform?: Platform): Error {
  const on = platform ? ` for ${formatPlatform(platform)}` : '';
  return imageError('IMAGE_NOT_FOUND', `find image "${text}"${on}: it is not in the local store`, {
    remedy: 'See what is there with "strake images", or fetch it with "strake pull".',
  });
}

function readName(text: string): Reference | undefined {
  try {
    return parseReference(text);
  } catch {
    return undefined;
  }
}

/** The best of these for a platform; without one the newest, if they are one image. */
function ofPlatform(records: readonly ImageRecord[], platform: Platform | undefined): ImageRecord | undefined {
  if (platform) {
    const chosen = matchPlatform(
      platform,
      records.map((record, at) => ({ ...record.config, size: at, platform: record.platform })),
    );
    return chosen && records[chosen.size];
  }
  if (new Set(records.map((record) => record.imageId)).size > 1)
    throw imageError(
      'IMAGE_AMBIGUOUS',
      `find image: it is there for ${records.map((record) => formatPlatform(record.platform)).join(', ')}`,
      {
        remedy: 'Choose one with --platform.',
      },
    );
  return records[0];
}
