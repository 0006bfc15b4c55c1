import { Flight, Lazy, type Bytes, type Wait } from '../base/index.ts';
import { blobError, type BlobReader, type Descriptor, type Digest, type DiskBlobStore } from '../blob/index.ts';
import { compressLayer, importLayer, type Codec } from '../tree/index.ts';
import { imageError } from './errors.ts';
import type { LayerRecord } from './image-record.ts';
import type { ImageTable } from './image-table.ts';
import type { Layer, LayerSource } from './image.ts';
import { layerFromBlob } from './layer-from.ts';
import { MEDIA } from './media-types.ts';

/** Compresses the tar that lies in `store` under `diffId` and stores the result; the same codec always gives the same bytes. */
export type CompressLayer = (store: DiskBlobStore, diffId: Digest, codec: Codec, w?: Wait) => Promise<Descriptor>;

/** A reader of the blobs of a registry's repository. */
export type OpenRemote = (source: LayerSource) => BlobReader;

const TAR = 'application/x-tar';

/** Layers of the local store as values. */
export class StoredLayers {
  readonly #blobs: DiskBlobStore;
  readonly #table: ImageTable;
  readonly #compress: CompressLayer;
  readonly #remote: OpenRemote | undefined;
  readonly #flight = new Flight<Descriptor>();

  constructor(o: {
    blobs: DiskBlobStore;
    table: ImageTable;
    compress?: CompressLayer | undefined;
    remote?: OpenRemote | undefined;
  }) {
    this.#blobs = o.blobs;
    this.#table = o.table;
    this.#compress = o.compress ?? compressLayer;
    this.#remote = o.remote;
  }

  /** The layer of a record. One from outside keeps its descriptor; another is compressed by `codec` when its descriptor is first asked for. */
  open(record: LayerRecord, codec: Codec): Layer {
    const { diffId, source } = record;
    const known = record.compressed;
    const descriptor = known ? async (): Promise<Descriptor> => known : lazily(() => this.#compressed(diffId, codec));
    return {
      source,
      descriptor,
      diffId: async () => diffId,
      compressed: async (w) => this.#openCompressed(record, { descriptor: await descriptor(w), codec, ...w }),
      uncompressed: async (w) => this.openTar(record, w),
    };
  }

  /** The tar of a layer: from here, or decompressed while it is read. */
  async openTar(record: LayerRecord, w?: Wait): Promise<Bytes> {
    const { diffId, compressed } = record;
    const size = this.#blobs.sizeOf(diffId);
    if (size !== undefined) return this.#blobs.open({ mediaType: TAR, digest: diffId, size }, w);
    if (!compressed) throw gone(diffId);
    const reader = this.#readerOf(record);
    return layerFromBlob(compressed, { blobs: reader, diffId: async () => diffId }).uncompressed(w);
  }

  /**
   * Brings a layer's tar, with its table of contents, into the store under its diffID, unless it is there; what must be fetched for that is kept. Returns its size in bytes. Throws `LAYER_MISMATCH`, storing no tar, when its content is another.
   */
  async bringTar(record: LayerRecord, w?: Wait): Promise<number> {
    const { diffId, compressed } = record;
    const known = this.#blobs.sizeOf(diffId);
    const descriptor =
      compressed ?? (known === undefined ? undefined : { mediaType: TAR, digest: diffId, size: known });
    if (!descriptor) throw gone(diffId);
    if (known === undefined && this.#blobs.sizeOf(descriptor.digest) !== descriptor.size)
      await this.#blobs.put(await this.#readerOf(record).open(descriptor, w), {
        mediaType: descriptor.mediaType,
        expect: descriptor,
        signal: w?.signal,
      });
    const { size } = await importLayer(this.#blobs, { descriptor, diffId }, w);
    return size;
  }

  /** True when the layer's bytes are here, in either form. */
  isHere({ diffId, compressed }: LayerRecord): boolean {
    return (
      this.#blobs.sizeOf(diffId) !== undefined ||
      (compressed !== undefined && this.#blobs.sizeOf(compressed.digest) === compressed.size)
    );
  }

  async #openCompressed(record: LayerRecord, o: { descriptor: Descriptor; codec: Codec } & Wait): Promise<Bytes> {
    const { descriptor } = o;
    if (record.compressed) return this.#readerOf(record).open(descriptor, { signal: o.signal });
    if (this.#blobs.sizeOf(descriptor.digest) !== descriptor.size) {
      const again = await this.#make(record.diffId, o.codec);
      if (again.digest !== descriptor.digest)
        throw imageError(
          'LAYER_CORRUPT',
          `compress layer ${record.diffId}: it became ${again.digest}, and ${descriptor.digest} before`,
        );
    }
    return this.#blobs.open(descriptor, { signal: o.signal });
  }

  /** Here if it is here, else the registry it came from. */
  #readerOf({ diffId, compressed, source }: LayerRecord): BlobReader {
    if (compressed && this.#blobs.sizeOf(compressed.digest) === compressed.size) return this.#blobs;
    if (source && this.#remote) return this.#remote(source);
    throw gone(compressed?.digest ?? diffId);
  }

  async #compressed(diffId: Digest, codec: Codec): Promise<Descriptor> {
    return this.#table.compressedOf(diffId, codec) ?? this.#make(diffId, codec);
  }

  #make(diffId: Digest, codec: Codec): Promise<Descriptor> {
    return this.#flight.run(`${diffId} ${codec.name} ${codec.level} ${codec.version}`, async () => {
      const size = this.#blobs.sizeOf(diffId);
      if (size === undefined) throw gone(diffId);
      if (codec.name === 'none') return { mediaType: MEDIA.ociLayer, digest: diffId, size };
      const made = await this.#compress(this.#blobs, diffId, codec);
      this.#table.rememberCompressed(diffId, codec, made);
      return made;
    });
  }
}

function lazily<T>(compute: () => Promise<T>): (w?: Wait) => Promise<T> {
  const lazy = new Lazy(compute);
  return (w) => lazy.get(w);
}

function gone(digest: Digest): Error {
  return blobError('BLOB_NOT_FOUND', `open layer ${digest}: its bytes are not in the local store`, {
    remedy: 'Pull or build the image again.',
  });
}
