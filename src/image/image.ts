import type { Bytes, Wait } from '../base/index.ts';
import type { Descriptor, Digest } from '../blob/index.ts';

/** Where in a registry a blob can be had, so that it can be mounted from there, or fetched when its bytes are needed. */
export interface LayerSource {
  /** `registry/repository`, canonical. */
  readonly reference: string;
}

/** One layer of an image: lazy, immutable. Nothing is read until asked. */
export interface Layer {
  /** Its descriptor as the manifest has it. Asking may compress the layer, once. */
  descriptor(w?: Wait): Promise<Descriptor>;
  /** Digest of the uncompressed tar. */
  diffId(w?: Wait): Promise<Digest>;
  /** The bytes of the descriptor, verified. */
  compressed(w?: Wait): Promise<Bytes>;
  /** The tar, verified against the diffID. */
  uncompressed(w?: Wait): Promise<Bytes>;
  /** Set when the layer's blob is in a registry. */
  readonly source?: LayerSource | undefined;
}

/** An image whose identity is bytes: what was fetched is never encoded again. */
export interface Image {
  readonly kind: 'image';
  manifest(w?: Wait): Promise<Uint8Array>;
  config(w?: Wait): Promise<Uint8Array>;
  layers(w?: Wait): Promise<readonly Layer[]>;
}

/** An image index; its members are images and indexes by descriptor. */
export interface Index {
  readonly kind: 'index';
  manifest(w?: Wait): Promise<Uint8Array>;
  member(descriptor: Descriptor, w?: Wait): Promise<Image | Index>;
  /** The bytes of a member that is neither image nor index, so that it can be copied. Absent where there are none. */
  blob?(descriptor: Descriptor, w?: Wait): Promise<Bytes>;
}
