import { throwIfCancelled, type Wait } from '../base/index.ts';
import { comparePaths } from './compare-entries.ts';
import { composeTree, digestsOf, type ComposeItem } from './compose.ts';
import type { Entry } from './entry.ts';
import type { FileTree } from './file-tree.ts';
import { parentOf } from './safe-path.ts';
import { linkTo, type TreeView, type ViewNode } from './tree-view.ts';

/**
 * What makes `upper` of `lower`, as a layer's tree: what is new or different, `whiteout` entries for what is gone (one for a whole folder; none where something of another type took the place), and the
 * folders that lead to a change as they are in `upper`. Files count as the same when nothing but their times differs from equal ones and both times are equal too; where a time has no nanoseconds
 * the contents decide (containerd's sameFile). Times of folders alone are no change. A name of a file with several names brings all of them along.
 */
export async function changesBetween(lower: TreeView, upper: TreeView, w?: Wait): Promise<FileTree> {
  const walk = new Comparison(lower, upper);
  walk.folder('', true);
  throwIfCancelled(w);
  const { doubtful, changed } = walk;
  const [were, are] = await Promise.all([
    digestsOf(
      doubtful.map((pair) => pair.lower.from),
      w,
    ),
    digestsOf(
      doubtful.map((pair) => pair.upper.from),
      w,
    ),
  ]);
  doubtful.forEach((pair, i) => {
    if (were[i] !== are[i]) changed.add(pair.upper);
  });
  return composeTree([...walk.whiteouts.map((entry) => ({ entry })), ...itemsOf(upper, changed)]);
}

/** The changed nodes as a layer's items, with the folders that lead to them and all names of the files among them. */
function itemsOf(upper: TreeView, changed: ReadonlySet<ViewNode>): ComposeItem[] {
  const inodes = new Set<object>();
  for (const node of changed) if (node.entry.type !== 'directory') inodes.add(node.inode);
  const wanted = new Map<string, ViewNode>();
  for (const node of upper.walk('')) {
    if (!changed.has(node) && (node.entry.type === 'directory' || !inodes.has(node.inode))) continue;
    wanted.set(node.path, node);
    for (let path = parentOf(node.path); path !== '' && !wanted.has(path); path = parentOf(path))
      wanted.set(path, upper.lstat(path)!);
  }
  const names = new Map<object, string>();
  return [...wanted.values()]
    .sort((a, b) => comparePaths(a.path, b.path))
    .map((node) => {
      const { entry } = node;
      if (entry.type === 'directory') return { entry };
      const first = names.get(node.inode);
      if (first !== undefined) return { entry: linkTo(first, entry) };
      names.set(node.inode, node.path);
      return { entry, from: entry.type === 'file' ? node.from : undefined };
    });
}

class Comparison {
  readonly changed = new Set<ViewNode>();
  readonly doubtful: { lower: ViewNode; upper: ViewNode }[] = [];
  readonly whiteouts: Entry[] = [];
  readonly #lower: TreeView;
  readonly #upper: TreeView;

  constructor(lower: TreeView, upper: TreeView) {
    this.#lower = lower;
    this.#upper = upper;
  }

  /** What is in a folder that `upper` has, and `lower` too if `both`. */
  folder(path: string, both: boolean): void {
    const olds = new Map((both ? this.#lower.list(path) : []).map((node) => [node.path, node]));
    for (const node of this.#upper.list(path)) {
      const old = olds.get(node.path);
      olds.delete(node.path);
      const isFolder = node.entry.type === 'directory';
      if (!old || !sameMetadata(old.entry, node.entry)) this.changed.add(node);
      else if (!isFolder && node.entry.type === 'file' && old.inode !== node.inode) this.#compare(old, node);
      if (isFolder) this.folder(node.path, old?.entry.type === 'directory');
    }
    for (const gone of olds.values())
      this.whiteouts.push({ ...gone.entry, type: 'whiteout', mode: 0, size: 0, link: undefined, xattrs: undefined });
  }

  #compare(lower: ViewNode, upper: ViewNode): void {
    const [a, b] = [lower.entry, upper.entry];
    if (a.size !== b.size || a.mtime !== b.mtime || (a.mtimeNs !== b.mtimeNs && a.mtimeNs !== 0 && b.mtimeNs !== 0))
      this.changed.add(upper);
    else if (a.mtimeNs === 0 || b.mtimeNs === 0) this.doubtful.push({ lower, upper });
  }
}

function sameMetadata(a: Entry, b: Entry): boolean {
  return (
    a.type === b.type &&
    a.mode === b.mode &&
    a.uid === b.uid &&
    a.gid === b.gid &&
    a.link === b.link &&
    a.device?.major === b.device?.major &&
    a.device?.minor === b.device?.minor &&
    sameXattrs(a.xattrs, b.xattrs)
  );
}

function sameXattrs(a: Entry['xattrs'], b: Entry['xattrs']): boolean {
  if (!a || !b) return (a?.size ?? 0) === (b?.size ?? 0);
  if (a.size !== b.size) return false;
  for (const [name, value] of a) {
    const other = b.get(name);
    if (!other || Buffer.compare(value, other) !== 0) return false;
  }
  return true;
}
