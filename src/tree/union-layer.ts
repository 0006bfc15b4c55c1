import { compareEntries } from './compare-entries.ts';
import type { Entry } from './entry.ts';
import type { FileTree } from './file-tree.ts';
import { joinPath, baseOf, parentOf, resolvePath } from './safe-path.ts';
import type { TreeView } from './tree-view.ts';

/** A tree as a union takes it: entries in canonical order at the paths where they come to lie, and the tree's own entry for each. */
export interface UnionLayer {
  readonly tree: FileTree;
  readonly entries: readonly Entry[];
  readonly sources: readonly Entry[];
}

/**
 * The layer that a tree makes over `below`. An unpacker reaches a path whose folder the tree does not state through whatever is there: where that is a symbolic link, the entries are moved to what it
 * leads to. Most trees state all their folders, and then nothing below is looked at.
 */
export function placed(tree: FileTree, entries: readonly Entry[], below: () => TreeView): UnionLayer {
  const implied = impliedFolders(entries);
  if (implied.length === 0) return { tree, entries, sources: entries };
  const lower = below();
  const own = new Map<string, Entry>();
  for (const entry of entries) if (entry.type !== 'opaque') own.set(entry.path, entry);
  const lookup = (path: string): Entry | undefined => {
    const entry = own.get(path) ?? lower.lstat(path)?.entry;
    return entry?.type === 'whiteout' ? undefined : entry;
  };
  const moves = new Map<string, string>();
  for (const path of implied) {
    const { path: real } = resolvePath(lookup, path);
    if (real !== path) moves.set(path, real);
  }
  if (moves.size === 0) return { tree, entries, sources: entries };
  const moved = entries.map((source) => ({ source, entry: move(source, moves) }));
  moved.sort((a, b) => compareEntries(a.entry, b.entry));
  return { tree, entries: moved.map((item) => item.entry), sources: moved.map((item) => item.source) };
}

/** Folders that entries lie in and that are not stated as folders. */
function impliedFolders(entries: readonly Entry[]): string[] {
  const stated = new Set<string>(['']);
  const implied = new Set<string>();
  let last = '';
  for (const entry of entries) {
    const parent = parentOf(entry.path);
    if (parent !== last && !stated.has(parent)) implied.add(parent);
    last = parent;
    if (entry.type === 'directory') stated.add(entry.path);
  }
  return [...implied];
}

function move(entry: Entry, moves: ReadonlyMap<string, string>): Entry {
  const path = movePath(entry.path, moves);
  const link = entry.type === 'hardlink' && entry.link !== undefined ? movePath(entry.link, moves) : entry.link;
  return path === entry.path && link === entry.link ? entry : { ...entry, path, link };
}

/** The longest folder of the path that is moved decides. */
function movePath(path: string, moves: ReadonlyMap<string, string>): string {
  let rest = baseOf(path);
  for (let folder = parentOf(path); folder !== ''; folder = parentOf(folder)) {
    const real = moves.get(folder);
    if (real !== undefined) return joinPath(real, rest);
    rest = joinPath(baseOf(folder), rest);
  }
  return path;
}
