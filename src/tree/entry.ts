/** What an entry of a tree is. `whiteout` and `opaque` occur in layers only: the path, or all that lower layers have below it, is gone. */
export type EntryType =
  | 'file'
  | 'directory'
  | 'symlink'
  | 'hardlink'
  | 'character'
  | 'block'
  | 'fifo'
  | 'whiteout'
  | 'opaque';

/**
 * One entry of a file tree, metadata only.
 *
 * `path` is relative to the root, parts joined by "/", no leading or trailing slash, no "." or ".." part; "" is the root itself.
 * Names may hold any bytes: those that are not UTF-8 are kept as lone surrogates U+DC80..U+DCFF (see `path-text.ts`).
 */
export interface Entry {
  readonly path: string;
  readonly type: EntryType;
  /** Permission, set-id and sticky bits only: 0..0o7777. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Bytes of content of a `file`; 0 for all else. */
  readonly size: number;
  /** Modification time: whole seconds since the epoch, and nanoseconds 0..999999999 on top. */
  readonly mtime: number;
  readonly mtimeNs: number;
  /** Of a `symlink` the target as written; of a `hardlink` the path of the entry it is another name of, which comes before it. */
  readonly link?: string | undefined;
  /** Of a `character` or `block` device. */
  readonly device?: { readonly major: number; readonly minor: number } | undefined;
  /** Extended attributes that belong into a layer, by name. Absent when there are none. */
  readonly xattrs?: ReadonlyMap<string, Uint8Array> | undefined;
}
