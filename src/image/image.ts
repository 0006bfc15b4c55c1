import type { Bytes, Wait } from '../base/index.ts';
import type { Descriptor, Digest } from '../blob/index.ts';

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
}
