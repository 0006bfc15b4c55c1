import type { Wait } from '../../base/index.ts';
import type { Mount } from '../../tree/index.ts';

/** Which cache a step wants, and how it wants to have it. */
export interface CacheSpec {
  readonly id: string;
  /** `shared`: with others at once; `locked`: alone, and waits for that; `private`: alone, and gets another one where this is taken. */
  readonly sharing: 'shared' | 'private' | 'locked';
  /** Of the folder when it is first made, where nothing is put into it. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** What it begins with. */
  readonly seed?:
    | {
        /** Names the tree that `source` is a folder of: another tree is another cache. */
        readonly name: string;
        readonly mounts: readonly Mount[];
        readonly source: string;
      }
    | undefined;
  /** What one without a seed is filled with when it is first made: what such a cache held elsewhere. It is no part of what the cache is known by. */
  readonly start?: { readonly mounts: readonly Mount[] } | undefined;
}

/** A cache while a step has it. */
export interface TakenCache extends AsyncDisposable {
  readonly mounts: readonly Mount[];
}

export interface CacheInfo {
  /** For `remove`. */
  readonly name: string;
  readonly id: string;
  readonly bytes: number;
  /** Milliseconds since the epoch. */
  readonly createdAt: number;
  readonly usedAt: number;
  /** A step has it now. */
  readonly inUse: boolean;
}

/** Folders that steps find again, kept beside snapshots: in no layer and no key. Locks hold between processes and end with them. */
export interface CacheMounts {
  /** `onWait` is called once when somebody else has it. Throws `MOUNT_SOURCE_MISSING` when the seed has no such folder. */
  take(spec: CacheSpec, o?: { onWait?: (() => void) | undefined } & Wait): Promise<TakenCache>;
  /** The name of the cache that `take` would look at first; undefined where it would make it. */
  find(spec: CacheSpec, w?: Wait): Promise<string | undefined>;
  /** Copies what a cache holds into the empty folder that these mounts make. False when a step has it or it is not there. */
  copyTo(name: string, mounts: readonly Mount[], w?: Wait): Promise<boolean>;
  list(w?: Wait): Promise<readonly CacheInfo[]>;
  /** False when a step has it or it is not there. */
  remove(name: string, w?: Wait): Promise<boolean>;
}
