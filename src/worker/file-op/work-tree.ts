import type { Wait } from '../../base/index.ts';
import {
  changedEntries,
  comparePaths,
  joinPath,
  resolvePath,
  whiteoutOf,
  type ContentPlace,
  type Entry,
  type FileTree,
  type Names,
  type NodeChange,
  type TreeView,
  type ViewNode,
} from '../../tree/index.ts';
import { fileOpError } from './errors.ts';

/** One thing in the tree being worked on. Entries are replaced, never changed. */
export interface WorkNode extends ViewNode {
  /** Of a folder: whether what the base has in it is still there. */
  readonly overBase: boolean;
}

/** What a folder that is part of the path to something changed holds, by name; undefined for what was removed. */
type Kids = Map<string, Item | undefined>;

interface Item {
  node: WorkNode;
  kids: Kids | undefined;
}

/** A tree that file actions change in memory, over a base that stays. All paths are without links, as `resolve` gives them. */
export class WorkTree {
  readonly base: TreeView;
  readonly #root: Item;

  constructor(base: TreeView) {
    this.base = base;
    const root = base.stat('/')!;
    this.#root = {
      node: { path: '', entry: root.entry, from: root.from, inode: root.inode, overBase: true },
      kids: undefined,
    };
  }

  /** What is at the path; a link there is not followed. */
  get(path: string): WorkNode | undefined {
    let item: Item | undefined = this.#root;
    let at = '';
    for (const name of path === '' ? [] : path.split('/')) {
      if (item.node.entry.type !== 'directory') return undefined;
      at = joinPath(at, name);
      if (item.kids?.has(name) === true) item = item.kids.get(name);
      else item = item.node.overBase ? this.#fromBase(at) : undefined;
      if (!item) return undefined;
    }
    return item.node;
  }

  /** The path with all links followed inside the root; what is missing of it is kept as written (containerd's RootPath). */
  resolve(path: string, o: { last?: 'follow' | 'keep' } = {}): string {
    return resolvePath((at) => this.get(at)?.entry, path, o).path;
  }

  /** The tree as it is now, to look for paths in. */
  view(): Names {
    const at = (path: string, last: 'follow' | 'keep'): WorkNode | undefined => {
      const { path: real, found } = resolvePath((p) => this.get(p)?.entry, path, { last });
      return found ? this.get(real) : undefined;
    };
    const list = (path: string): WorkNode[] => {
      const real = this.resolve(path);
      const nodes = this.#names(real).map((name) => this.get(joinPath(real, name))!);
      return nodes.sort((a, b) => comparePaths(a.path, b.path));
    };
    function* walk(path: string): Iterable<WorkNode> {
      const node = at(path, 'follow');
      if (!node) return;
      yield node;
      if (node.entry.type === 'directory')
        for (const kid of list(node.path)) yield* kid.entry.type === 'directory' ? walk(kid.path) : [kid];
    }
    return { stat: (path) => at(path, 'follow'), lstat: (path) => at(path, 'keep'), list, walk };
  }

  #names(path: string): string[] {
    const node = this.get(path);
    if (node?.entry.type !== 'directory') return [];
    const kids = this.#item(path).kids ?? new Map<string, Item | undefined>();
    const names = [...kids].flatMap(([name, kid]) => (kid ? [name] : []));
    if (!node.overBase) return names;
    const start = path === '' ? 0 : path.length + 1;
    for (const below of this.base.list(path)) {
      const name = below.path.slice(start);
      if (!kids.has(name)) names.push(name);
    }
    return names;
  }

  /** Puts an entry at its path, whose folder is there, in the place of what was there. A folder over a folder keeps what is in it. */
  put(entry: Entry, o: { from?: ContentPlace | undefined; inode?: object } = {}): void {
    const { path } = entry;
    const before = this.get(path);
    const kept = before?.entry.type === 'directory' && entry.type === 'directory';
    const node: WorkNode = { path, entry, from: o.from, inode: o.inode ?? {}, overBase: kept && before.overBase };
    if (kept) this.#item(path).node = node;
    else this.#kidsOf(path).set(baseName(path), { node, kids: undefined });
  }

  remove(path: string): void {
    this.#kidsOf(path).set(baseName(path), undefined);
  }

  /** Makes a folder and those that lead there, as `mkdir -p`. `make` gives the entry of each that is missing. */
  makeFolders(path: string, make: (path: string) => Entry): void {
    let at = '';
    for (const name of path === '' ? [] : path.split('/')) {
      at = joinPath(at, name);
      const node = this.get(at);
      if (!node) this.put(make(at));
      else if (node.entry.type !== 'directory')
        throw fileOpError('FILE_CONFLICT', `make folder "/${path}": "/${at}" is not a folder`, {
          remedy: 'Choose another destination, or remove what is there first.',
        });
    }
  }

  /** What was changed, as a layer's tree: see `changedEntries`. */
  async changes(w?: Wait): Promise<FileTree> {
    const changes: NodeChange[] = [];
    const whiteouts: Entry[] = [];
    this.#collect(this.#root, '', this.base.stat('/'), changes, whiteouts);
    return changedEntries(changes, { whiteouts, folder: (path) => this.get(path)!.entry, ...w });
  }

  #collect(item: Item, path: string, base: ViewNode | undefined, changes: NodeChange[], whiteouts: Entry[]): void {
    const baseFolder = base?.entry.type === 'directory' ? base : undefined;
    for (const [name, kid] of item.kids ?? []) {
      const at = joinPath(path, name);
      const before = baseFolder && this.base.lstat(at);
      if (kid) {
        if (kid.node !== before) changes.push({ before, after: kid.node });
        this.#collect(kid, at, before, changes, whiteouts);
      } else if (before) whiteouts.push(whiteoutOf(before.entry));
    }
    if (item.node.entry.type !== 'directory' || item.node.overBase || !baseFolder) return;
    for (const gone of this.base.list(path))
      if (item.kids?.has(baseName(gone.path)) !== true) whiteouts.push(whiteoutOf(gone.entry));
  }

  #kidsOf(path: string): Kids {
    const slash = path.lastIndexOf('/');
    const folder = this.#item(slash < 0 ? '' : path.slice(0, slash));
    return (folder.kids ??= new Map());
  }

  /** The item of something that is there, taken over from the base with the folders that lead to it. */
  #item(path: string): Item {
    let item = this.#root;
    let at = '';
    for (const name of path === '' ? [] : path.split('/')) {
      at = joinPath(at, name);
      const kids = (item.kids ??= new Map());
      let kid = kids.get(name);
      if (!kid) kids.set(name, (kid = this.#fromBase(at)!));
      item = kid;
    }
    return item;
  }

  #fromBase(path: string): Item | undefined {
    const node = this.base.lstat(path);
    return (
      node && { node: { path, entry: node.entry, from: node.from, inode: node.inode, overBase: true }, kids: undefined }
    );
  }
}

function baseName(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}
