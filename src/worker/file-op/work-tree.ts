import type { Wait } from '../../base/index.ts';
import {
  baseOf,
  changedEntries,
  comparePaths,
  joinPath,
  parentOf,
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
  /** The folder looked into last: most things come folder by folder. */
  #last: { readonly path: string; readonly item: Item } | undefined;

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
    if (path === '') return this.#root.node;
    const folder = this.#folder(parentOf(path));
    return folder && this.#kid(folder, path)?.node;
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
    const kids = this.#folder(path)?.kids ?? new Map<string, Item | undefined>();
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
    const before = path === '' ? this.#root : this.#kid(this.#folder(parentOf(path))!, path);
    const kept = before?.node.entry.type === 'directory' && entry.type === 'directory';
    const node: WorkNode = { path, entry, from: o.from, inode: o.inode ?? {}, overBase: kept && before.node.overBase };
    if (path === '') this.#root.node = node;
    else this.#set(path, { node, kids: kept ? before.kids : undefined });
  }

  remove(path: string): void {
    this.#set(path, undefined);
  }

  #set(path: string, item: Item | undefined): void {
    const folder = this.#folder(parentOf(path))!;
    (folder.kids ??= new Map()).set(baseOf(path), item);
    if (this.#last && (this.#last.path === path || this.#last.path.startsWith(`${path}/`))) this.#last = undefined;
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
      if (item.kids?.has(baseOf(gone.path)) !== true) whiteouts.push(whiteoutOf(gone.entry));
  }

  /** The folder at a path, taken over from the base with those that lead to it; undefined when there is none. */
  #folder(path: string): Item | undefined {
    if (path === '') return this.#root;
    if (this.#last?.path === path) return this.#last.item;
    const parent = this.#folder(parentOf(path));
    const item = parent && this.#kid(parent, path);
    if (item?.node.entry.type !== 'directory') return undefined;
    const name = baseOf(path);
    if (parent?.kids?.has(name) !== true) (parent!.kids ??= new Map()).set(name, item);
    this.#last = { path, item };
    return item;
  }

  /** What is at a path in a folder. */
  #kid(folder: Item, path: string): Item | undefined {
    const name = baseOf(path);
    if (folder.kids?.has(name) === true) return folder.kids.get(name);
    return folder.node.overBase ? this.#fromBase(path) : undefined;
  }

  #fromBase(path: string): Item | undefined {
    const node = this.base.lstat(path);
    return (
      node && { node: { path, entry: node.entry, from: node.from, inode: node.inode, overBase: true }, kids: undefined }
    );
  }
}
