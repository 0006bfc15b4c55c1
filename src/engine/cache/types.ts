import type { Descriptor, Digest } from '../../blob/index.ts';
import type { Compression } from '../compression.ts';

/** A cache elsewhere to look steps up in. */
export type CacheImport = {
  /** Milliseconds since the epoch: results that were made before are not used. */
  readonly notBefore?: number | undefined;
} &
  /** A cache of its own, or an image with a cache inside it, by its reference. */
  (
    | { readonly type: 'registry'; readonly ref: string; readonly insecure?: boolean | undefined }
    /** Manifests among the blobs that the asking side offers under `store`, as its index.json has them. */
    | {
        readonly type: 'local';
        readonly store: string;
        /** What people call it: its folder. */
        readonly name: string;
        readonly manifest: Descriptor;
      }
    /** What the asking side offers of a cloud's objects under `store`. */
    | { readonly type: 'objects'; readonly store: string; readonly name: string }
  );

/** Where the results of a build's steps are kept for builds elsewhere. */
export type CacheExport = CacheTarget | { readonly type: 'inline' };

export type CacheTarget = CacheContent &
  (
    | { readonly type: 'registry'; readonly ref: string; readonly insecure?: boolean | undefined }
    /** A layout in the folder that the asking side offers under `sink`; `tag` names this cache among others there. */
    | { readonly type: 'local'; readonly sink: string; readonly name: string; readonly tag: string }
    | { readonly type: 'objects'; readonly store: string; readonly name: string }
  );

export interface CacheContent {
  /** `min`: the layers of the image; `max`: those of all steps. */
  readonly mode: 'min' | 'max';
  readonly compression?: Compression | undefined;
  /** Compress anew what is there in another compression. */
  readonly forceCompression?: boolean | undefined;
  /** Docker's media types instead of OCI's. */
  readonly docker?: boolean | undefined;
  /** BuildKit's older form: an index whose members are blobs. */
  readonly asIndex?: boolean | undefined;
  /** Also what the cache mounts of the build's steps hold. */
  readonly mounts?: boolean | undefined;
  /** A failure is told of, and does not fail the build. */
  readonly ignoreError?: boolean | undefined;
}

/** A layer of a recorded result, as another machine can have it. */
export interface CachedLayer {
  readonly diffId: Digest;
  readonly compressed: Descriptor;
  /** When a step made it, milliseconds since the epoch; absent for a base's. */
  readonly createdAt?: number | undefined;
}

/** What a cache mount held. `L` is a layer. */
export interface CachedMount<L> {
  /** `cacheMountKey` of it. */
  readonly key: Digest;
  readonly layer: L;
}

/** A result on record, and the keys that lead to it. `L` is a layer. */
export interface CacheRecord<L> {
  readonly id: Digest;
  readonly keys: readonly { readonly digest: Digest; readonly inputs: readonly Digest[] }[];
  /** The layers of each output, the lowest first. Absent where only the id is kept. */
  readonly outputs?: readonly (readonly L[])[] | undefined;
}
