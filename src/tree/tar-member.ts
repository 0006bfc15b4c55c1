import type { EntryType } from './entry.ts';

/** Data of a sparse file: `length` bytes at `offset` of the file; between extents there are zeros. */
export interface Extent {
  readonly offset: number;
  readonly length: number;
}

/** One member of an archive, names as written there. */
export interface TarMember {
  path: string;
  type: Exclude<EntryType, 'whiteout' | 'opaque'>;
  /** 0..0o7777. */
  mode: number;
  uid: number;
  gid: number;
  /** Bytes of the file, holes included. */
  size: number;
  mtime: number;
  mtimeNs: number;
  link: string;
  major: number;
  minor: number;
  xattrs: ReadonlyMap<string, Uint8Array> | undefined;
  /** Where its content begins in the archive, and how many bytes lie there: `size`, or for a sparse file those of the extents, back to back. */
  at: number;
  stored: number;
  sparse: readonly Extent[] | undefined;
}
