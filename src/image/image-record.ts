import type { Descriptor, Digest, Platform } from '../blob/index.ts';
import type { LayerSource } from './image.ts';
import type { MediaFamily } from './media-types.ts';

/** A layer of an image in the local store. Its tar lies under `diffId`, or is still elsewhere. */
export interface LayerRecord {
  readonly diffId: Digest;
  /** Bytes of the tar, where that is known. */
  readonly size?: number | undefined;
  /** As a manifest from outside names it; such a layer is never compressed anew. */
  readonly compressed?: Descriptor | undefined;
  /** A registry that has `compressed`, which need not be here then. */
  readonly source?: LayerSource | undefined;
}

/** An image in the local store, as plain data. */
export interface ImageRecord {
  /** Digest of the config. */
  readonly imageId: Digest;
  readonly config: Descriptor;
  readonly platform: Platform;
  readonly layers: readonly LayerRecord[];
  /** Of an image from outside: its manifest, whose bytes are kept and used unchanged. A local image's is made when it is needed. */
  readonly manifest?: Descriptor | undefined;
  /** The index that the manifest was chosen from, kept, too. */
  readonly index?: Descriptor | undefined;
  /** Milliseconds since the epoch when it came into the store. */
  readonly createdAt: number;
  /** For the manifest to be made. */
  readonly mediaTypes?: MediaFamily | undefined;
  readonly annotations?: Readonly<Record<string, string>> | undefined;
  /** What is said about it: in-toto predicates, kept as blobs, to go with it wherever it goes. */
  readonly statements?: readonly StatementRecord[] | undefined;
}

export interface StatementRecord {
  readonly predicateType: string;
  readonly filename: string;
  readonly predicate: Descriptor;
}

/** Every blob an image consists of, here or not: what a sweep must spare. */
export function blobsOf(record: ImageRecord): readonly Digest[] {
  const digests = new Set<Digest>([record.imageId]);
  for (const descriptor of [record.config, record.manifest, record.index])
    if (descriptor) digests.add(descriptor.digest);
  for (const { predicate } of record.statements ?? []) digests.add(predicate.digest);
  for (const layer of record.layers) {
    digests.add(layer.diffId);
    if (layer.compressed) digests.add(layer.compressed.digest);
  }
  return [...digests];
}
