import type { Bytes, Wait } from '../base/index.ts';
import type { Digest } from '../blob/index.ts';
import type { Absence } from './absence.ts';
import type { Entry } from './entry.ts';

/** Bytes `offset`..`offset+length` of a file that this process may open. */
export interface FileRegion {
  readonly path: string | Buffer;
  readonly offset: number;
  readonly length: number;
}

/** A region of a file that may change while it is read. `check`, called with the file that was read once all of it was, throws `FILE_CHANGED`. */
export interface WatchedRegion extends FileRegion {
  check(fd: number): void;
}

/**
 * A tree of files, wherever it lies: a folder, a layer's tar, a snapshot's changes, something composed in memory. Immutable: entries never change, and reading a file that has
 * changed underneath throws `FILE_CHANGED` where that can be known.
 */
export interface FileTree {
  /** All entries in canonical order (`compareEntries`): a folder before what is in it. The root entry ("") may be absent. */
  entries(w?: Wait): Promise<readonly Entry[]>;
  /** The contents of these `file` entries, in this order, back to back: exactly `size` bytes each. */
  read(files: readonly Entry[], w?: Wait): Bytes;
  /** sha256 of the content of each of these `file` entries. */
  digests(files: readonly Entry[], w?: Wait): Promise<readonly Digest[]>;
  /** Where the content of a `file` lies on this machine's disk, if it does; readers then skip `read`. */
  locate?(file: Entry): FileRegion | undefined;
  /** As `locate`, where a reader must also look whether the file has changed. */
  watched?(file: Entry): WatchedRegion | undefined;
  /** Bytes that a client has sent for it, where it came from one: names and times, and contents that were not here yet. */
  readonly travelled?: number | undefined;
  /** Why there is nothing at a path, where more can be told than that. */
  absence?(path: string): Absence;
}

/** Which part of a file source is asked for. Patterns are those of .dockerignore (facts of Docker's pattern language in `ignore.ts`). */
export interface FileFilter {
  /** Only what matches one of these, and the folders that lead there. Absent: everything. */
  readonly include?: readonly string[] | undefined;
  /** Never what matches these; "!" patterns re-include. */
  readonly exclude?: readonly string[] | undefined;
  /** Paths whose symbolic links, at every step, are to be included together with what they lead to. */
  readonly follow?: readonly string[] | undefined;
}

/** Files that the asking side owns: a build context. Walked, filtered and read only when asked, and only what is asked. */
export interface FileSource {
  tree(filter: FileFilter, w?: Wait): Promise<FileTree>;
}

/** What one mount(2) does; the data at the joint between snapshotters and executors. `target` is relative to the root being put together, "/" by default. */
export interface Mount {
  /** `overlay`, `bind`, `tmpfs` or another file system type. */
  readonly type: string;
  readonly source: string;
  readonly target?: string | undefined;
  /** As in fstab: `ro`, `rbind`, `lowerdir=a:b`. */
  readonly options: readonly string[];
}
