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
 * the contents decide (containerd's sameFile). Times of folders alone are no change. Of a file with several names that changed, all are
 * given.
 */
export async function changesBetween(lower: TreeView, upper: TreeView, w?: Wait): Promise<FileTree> {
  const changes: NodeChange[] = [];
  const whiteouts: Entry[] = [];
  const compare = (path: string, both: boolean): void => {
    throwIfCancelled(w);
    const olds = new Map((both ? lower.list(path) : []).map((node) => [node.path, node]));
    for (const after of upper.list(path)) {
      const before = olds.get(after.path);
      olds.delete(after.path);
      changes.push({ before, after });
      if (after.entry.type === 'directory') compare(after.path, before?.entry.type === 'directory');
    }
    for (const gone of olds.values()) whiteouts.push(whiteoutOf(gone.entry));
  };
  compare('', true);
  return changedEntries(changes, { ...w, whiteouts, folder: (path) => upper.lstat(path)!.entry });
}

/** The entry that hides what is at a path in lower layers. */
export function whiteoutOf({ path, mtime, mtimeNs }: Entry): Entry {
  return { path, type: 'whiteout', mode: 0, uid: 0, gid: 0, size: 0, mtime, mtimeNs };
}

/** What is at a path before and after. */
export interface NodeChange {
  readonly before: ViewNode | undefined;
  readonly after: ViewNode;
}

/**
 * Of things that may have changed those that have, as a layer's tree, with `whiteouts` and the folders that lead there (`folder` gives their entries). Of a file with several names that changed, all
 * that are among `changes` are given.
 */
export async function changedEntries(
  changes: readonly NodeChange[],
  o: { readonly whiteouts: readonly Entry[]; folder(path: string): Entry } & Wait,
): Promise<FileTree> {
  const changed = new Set<ViewNode>();
  const doubtful: { before: ViewNode; after: ViewNode }[] = [];
  for (const { before, after } of changes) {
    const verdict = before ? compareNodes(before, after) : 'different';
    if (verdict === 'different') changed.add(after);
    else if (verdict === 'doubtful') doubtful.push({ before: before!, after });
  }
  const were = await digestsOf(
    doubtful.map(({ before }) => before.from),
    o,
  );
  const are = await digestsOf(
    doubtful.map(({ after }) => after.from),
    o,
  );
  doubtful.forEach(({ after }, i) => {
    if (were[i] !== are[i]) changed.add(after);
  });
  return composeTree(itemsOf(changes, changed, o));
}

function itemsOf(
  changes: readonly NodeChange[],
  changed: ReadonlySet<ViewNode>,
  o: { readonly whiteouts: readonly Entry[]; folder(path: string): Entry },
): ComposeItem[] {
  const inodes = new Set<object>();
  for (const node of changed) if (node.entry.type !== 'directory') inodes.add(node.inode);
  const given = changes.map(({ after }) => after).filter((node) => changed.has(node) || inodes.has(node.inode));
  given.sort((a, b) => comparePaths(a.path, b.path));
  const items: ComposeItem[] = o.whiteouts.map((entry) => ({ entry }));
  const names = new Map<object, string>();
  const stated = new Set<string>(['']);
  for (const { path, entry, from, inode } of given) {
    if (entry.type === 'directory') {
      stated.add(path);
      items.push({ entry });
      continue;
    }
    const first = names.get(inode);
    if (first === undefined) names.set(inode, path);
    items.push(
      first === undefined ? { entry, from: entry.type === 'file' ? from : undefined } : { entry: linkTo(first, entry) },
    );
  }
  for (const { path } of items.map((item) => item.entry))
    for (let folder = parentOf(path); !stated.has(folder); folder = parentOf(folder)) {
      stated.add(folder);
      items.push({ entry: o.folder(folder) });
    }
  return items;
}

function compareNodes(before: ViewNode, after: ViewNode): 'same' | 'different' | 'doubtful' {
  const [a, b] = [before.entry, after.entry];
  if (!sameMetadata(a, b)) return 'different';
  if (b.type === 'directory' || before.inode === after.inode) return 'same';
  if (a.size !== b.size || a.mtime !== b.mtime) return 'different';
  const rounded = a.mtimeNs === 0 || b.mtimeNs === 0;
  if (a.mtimeNs !== b.mtimeNs && !rounded) return 'different';
  return rounded && b.type === 'file' ? 'doubtful' : 'same';
}

function sameMetadata(a: Entry, b: Entry): boolean {
  return (
    a.type === b.type &&
    (a.mode === b.mode || a.type === 'symlink') &&
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
