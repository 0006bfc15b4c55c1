import type { Bytes, Wait } from '../base/index.ts';
import type { Absence } from './absence.ts';
import { composeTree, type ComposeItem, type ContentPlace } from './compose.ts';
import type { Entry } from './entry.ts';
import type { FileTree } from './file-tree.ts';

/** One name in a view. */
export interface ViewNode {
  /** Relative to the root, without links in it; "" is the root. */
  readonly path: string;
  /** What it is; a further name of a file is a `file` as well. Never `hardlink`, `whiteout` or `opaque`. */
  readonly entry: Entry;
  /** Where the content of a file lies; also the tree any other entry comes from. Absent for folders that nothing states. */
  readonly from?: ContentPlace | undefined;
  /** The same object for all names of one file. */
  readonly inode: object;
}

/**
 * A file system in memory, read-only, as a process chrooted in it would see it. Paths may begin with "/" and hold "." and ".."; links are followed inside the root. What follows links throws
 * `LINK_LOOP` where there is no end to them.
 */
export interface TreeView {
  /** What the path comes to, links followed; undefined when there is nothing. */
  stat(path: string): ViewNode | undefined;
  /** The same, but a link at the end is not followed. */
  lstat(path: string): ViewNode | undefined;
  /** The path without links; undefined when there is nothing. */
  resolve(path: string): string | undefined;
  /** Where something made at `path` would come to lie: links in its folder are followed, what is missing of it is kept as written. */
  resolveParent(path: string): string;
  /** What is in the folder the path comes to, in canonical order. Throws `PATH_NOT_FOUND` and `NOT_A_FOLDER`. */
  list(path: string): readonly ViewNode[];
  /** The path itself (a link at the end is followed), then all below in canonical order; nothing when there is nothing. */
  walk(path: string): Iterable<ViewNode>;
  /** The bytes of a file. Throws `PATH_NOT_FOUND` and `NOT_A_FILE`. */
  open(at: string | ViewNode, w?: Wait): Bytes;
  /** All of a file. Throws also `TOO_MANY_BYTES` above `limit`, 16 MiB by default. */
  readFile(path: string, o?: { limit?: number } & Wait): Promise<Uint8Array>;
  /** What can be said of a path at which there is nothing. */
  absence?(path: string): Absence | undefined;
}

/** All of a view as one tree: of a file with several names the first is the `file`, the others are `hardlink` entries. Without the root's own entry, unless a tree had one. */
export function viewTree(view: TreeView): FileTree {
  const items: ComposeItem[] = [];
  const names = new Map<object, string>();
  for (const node of view.walk('')) {
    if (node.path === '' && !node.from) continue;
    const first = node.entry.type === 'directory' ? undefined : names.get(node.inode);
    if (first !== undefined) items.push({ entry: linkTo(first, node.entry) });
    else {
      if (node.entry.type !== 'directory') names.set(node.inode, node.path);
      items.push({ entry: node.entry, from: node.entry.type === 'file' ? node.from : undefined });
    }
  }
  return composeTree(items);
}

/** The entry of a further name of the file at `link`. */
export function linkTo(link: string, entry: Entry): Entry {
  return { ...entry, type: 'hardlink', size: 0, link, device: undefined, xattrs: undefined };
}
