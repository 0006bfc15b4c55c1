import type { PickAction } from '../../graph/index.ts';
import { cleanPath, missingPath, parentOf, type Entry, type TreeView, type ViewNode } from '../../tree/index.ts';
import type { Ids } from './owners.ts';
import type { WorkTree } from './work-tree.ts';

/** Entries of another tree under their own paths; folders that lead there and are not named are made. Throws `PATH_NOT_FOUND`. */
export function pickEntries(
  tree: WorkTree,
  action: PickAction,
  c: { inputs: readonly TreeView[]; ids: Ids | undefined; now: Pick<Entry, 'mtime' | 'mtimeNs'> },
): void {
  const view = c.inputs[action.from.input];
  if (!view) throw new TypeError(`pick: there is no input ${action.from.input}`);
  const inodes = new Map<object, object>();
  const except = new Set((action.except ?? []).map(relative));
  const put = (node: ViewNode): void => {
    const { path } = node;
    tree.makeFolders(parentOf(path), (at) => ({
      ...c.now,
      path: at,
      type: 'directory',
      mode: 0o755,
      uid: 0,
      gid: 0,
      size: 0,
    }));
    let inode = inodes.get(node.inode);
    if (!inode) inodes.set(node.inode, (inode = {}));
    tree.put({ ...node.entry, ...c.ids }, { from: node.from, inode });
  };
  const below = (node: ViewNode): void => {
    if (except.has(node.path)) return;
    put(node);
    if (node.entry.type === 'directory') for (const kid of view.list(node.path)) below(kid);
  };
  for (const path of action.entries) put(nodeAt(view, path));
  for (const path of action.trees) below(nodeAt(view, path));
}

function nodeAt(view: TreeView, path: string): ViewNode {
  const node = view.lstat(path);
  if (!node) throw missingPath(relative(path), view.absence?.(path));
  return node;
}

function relative(path: string): string {
  return cleanPath(`/${path}`).slice(1);
}
