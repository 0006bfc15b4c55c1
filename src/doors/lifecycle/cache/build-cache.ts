import type { Wait } from '../../../base/index.ts';
import type { Digest } from '../../../blob/index.ts';
import type { CacheMetadata } from '../../../frontend/buildpack/index.ts';
import type { FileTree } from '../../../tree/index.ts';

/** A layer that goes into a cache: its tar lies at `tar`. */
export interface CachedLayer {
  readonly diffId: Digest;
  readonly tar: string;
  readonly size: number;
}

/** Where layers are kept from one build to the next (platform.md, Cache). */
export interface BuildCache {
  /** What it is called in messages. */
  readonly name: string;
  /** Empty where there is nothing, or nothing that can be read. */
  metadata(w?: Wait): Promise<CacheMetadata>;
  /** The tree of a layer. Throws where the layer is not there, or is not what its digest says. */
  layer(diffId: Digest, w?: Wait): Promise<FileTree>;
  /** Puts these layers, and no others, in place of what is there; all or nothing. */
  replace(metadata: CacheMetadata, o: { layers: readonly CachedLayer[] } & Wait): Promise<void>;
}
