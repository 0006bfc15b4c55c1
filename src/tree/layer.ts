import type { Descriptor, Digest } from '../blob/index.ts';

/**
 * How the bytes of a layer are made from a tree; part of a layer's identity. `oci`: as BuildKit writes; `lifecycle`: as the buildpacks lifecycle writes what it walks (layers of buildpacks, SBOM, launcher, configuration);
 * `lifecycle-slice`: as it writes app layers, which differ in order only.
 */
export type Dialect = 'oci' | 'lifecycle' | 'lifecycle-slice';

/** A pinned compressor: the same name, version and level give the same bytes on every machine. */
export interface Codec {
  readonly name: 'gzip' | 'zstd' | 'none';
  readonly level: number;
  /** Version of our encoder; changes whenever its bytes do. */
  readonly version: number;
}

/** A layer as written: `diffId` is the digest of the uncompressed tar, `size` its bytes. */
export interface WrittenLayer {
  readonly diffId: Digest;
  readonly size: number;
  /** The same layer compressed, where that was asked for. */
  readonly compressed?: { readonly codec: Codec; readonly descriptor: Descriptor } | undefined;
}
