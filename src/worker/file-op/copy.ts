import { throwIfCancelled, type Wait } from '../../base/index.ts';
import type { CopyAction } from '../../graph/index.ts';
import {
  cleanPath,
  findPaths,
  joinPath,
  memoryTree,
  missingPath,
  parentOf,
  pick,
  resolvePath,
  unionOf,
  type Entry,
  type Found,
  type TreeView,
  type ViewNode,
} from '../../tree/index.ts';
import { fileOpError } from './errors.ts';
import { modeChange, parentMode, type ModeChange } from './mode-change.ts';
import type { Ids } from './owners.ts';
import { sourcesOf, type CopySource } from './selections.ts';
import type { WorkTree } from './work-tree.ts';

export interface CopyContext extends Wait {
  readonly inputs: readonly TreeView[];
  /** Owner of everything copied; undefined keeps the source's. */
  readonly ids: Ids | undefined;
  /** Seconds and nanoseconds given to what is made without a time of its own. */
  readonly now: Pick<Entry, 'mtime' | 'mtimeNs'>;
  /** The tree of a file that is an archive; undefined when it is none. */
  readonly unpack: (view: TreeView, node: ViewNode) => Promise<TreeView | undefined>;
}

/** COPY and ADD as BuildKit's file backend and fsutil's copy do them, error for error. */
export async function copy(tree: WorkTree, action: CopyAction, c: CopyContext): Promise<void> {
  const { view, sources } = await openSources(action, c);
  const copier = new Copier(tree, action, c);
  for (const source of sources) {
    const wildcard = action.wildcard && 'input' in action.from;
    const all = findPaths(view, source.path, { wildcard, follow: action.followSource !== false });
    if (all.length === 0 && action.emptyWildcard === false) throw missingPath(source.path, view.absence?.(source.path));
    for (const found of all) {
      throwIfCancelled(c);
      const archive = action.unpack && found.node.entry.type === 'file' ? await c.unpack(view, found.node) : undefined;
      if (archive) copier.unpack(archive);
      else copier.copy(view, found, source);
    }
  }
}

async function openSources(
  action: CopyAction,
  c: CopyContext,
): Promise<{ view: TreeView; sources: readonly CopySource[] }> {
  const { from } = action;
  if ('input' in from) {
    const view = c.inputs[from.input];
    if (!view) throw new TypeError(`copy: there is no input ${from.input}`);
    return { view, sources: sourcesOf(action) };
  }
  const files = from.files.map(({ name, content, mode }) => [name, { content, mode, ...c.now }] as const);
  const view = await unionOf([memoryTree(Object.fromEntries(files))]);
  return { view, sources: from.files.map(({ name }) => ({ path: name })) };
}

class Copier {
  readonly #tree: WorkTree;
  readonly #action: CopyAction;
  readonly #c: CopyContext;
  readonly #change: ModeChange | undefined;

  constructor(tree: WorkTree, action: CopyAction, c: CopyContext) {
    this.#tree = tree;
    this.#action = action;
    this.#c = c;
    this.#change = action.mode === undefined ? undefined : modeChange(action.mode);
  }

  copy(view: TreeView, found: Found, source: CopySource): void {
    const { destination, folderItself } = this.#action;
    const isFolder = found.node.entry.type === 'directory';
    const name = found.path.slice(found.path.lastIndexOf('/') + 1);
    this.#checkParent(destination);
    const named = /(^|\/)\.?$/.test(destination) ? destination : destination.slice(0, destination.lastIndexOf('/') + 1);
    this.#makeFolders(this.#resolve(named));
    let target = this.#resolve(destination);
    const there = this.#tree.get(target)?.entry.type;
    if (isFolder ? folderItself && there !== undefined : there === 'directory') target = joinPath(target, name);
    this.#makeFolders(isFolder && !folderItself && !this.#tree.get(target) ? target : parentOf(target));
    this.#copyTree(view, found.node, { target, source });
  }

  #copyTree(view: TreeView, root: ViewNode, o: { target: string; source: CopySource }): void {
    const inodes = new Map<object, object>();
    const missing = new Set(o.source.required);
    const { include } = o.source;
    for (const { node, path, matched } of pick(view, root, { include, exclude: this.#action.exclude })) {
      for (const required of missing)
        if (path === required || path.startsWith(`${required}/`)) missing.delete(required);
      const at = joinPath(o.target, path);
      const { type } = node.entry;
      this.#makeRoom(node, at);
      if (type === 'directory') this.#copyFolder(node, at, { top: path === '', matched });
      else this.#copyFile(node, at, type === 'file' ? inodes : undefined);
    }
    for (const required of missing) {
      const path = joinPath(o.source.path, required);
      throw missingPath(path, view.absence?.(path));
    }
  }

  /** Where that is asked for, what is of another kind goes. */
  #makeRoom({ entry }: ViewNode, at: string): void {
    if (!this.#action.replace || at === '') return;
    const there = this.#tree.get(at)?.entry.type;
    if (there !== undefined && (there === 'directory') !== (entry.type === 'directory')) this.#tree.remove(at);
  }

  #checkParent(destination: string): void {
    if (this.#action.makeFolders !== false) return;
    const parent = parentOf(this.#resolve(destination));
    if (this.#tree.get(parent)?.entry.type === 'directory') return;
    throw fileOpError('FOLDER_MISSING', `copy to "${destination}": folder "/${parent}" not found`, {
      remedy: 'Make the folder first.',
    });
  }

  /** The folder a copy starts at gives its time only; others give all they are, but those that merely lead to something give an existing folder their mode alone. */
  #copyFolder(node: ViewNode, at: string, o: { top: boolean; matched: boolean }): void {
    const there = this.#tree.get(at);
    if (there && there.entry.type !== 'directory')
      throw fileOpError('FILE_CONFLICT', `copy folder "/${node.path}": cannot copy to non-directory: "/${at}"`, {
        remedy: 'Choose another destination, or remove what is there first.',
      });
    if (there && o.top) {
      if (node.from) this.#tree.put({ ...there.entry, ...this.#timeOf(node.entry) }, there);
    } else if (there && !o.matched) this.#tree.put({ ...there.entry, mode: node.entry.mode }, there);
    else {
      const entry = this.#entry(node.entry, at);
      const xattrs = mergeXattrs(there?.entry.xattrs, entry.xattrs);
      this.#tree.put(xattrs ? { ...entry, xattrs } : entry, { inode: there?.inode ?? {} });
    }
  }

  #copyFile(node: ViewNode, at: string, inodes: Map<object, object> | undefined): void {
    if (this.#tree.get(at)?.entry.type === 'directory')
      throw fileOpError('FILE_CONFLICT', `copy "/${node.path}": cannot replace to directory "/${at}" with file`, {
        remedy: 'Choose another destination, or remove the folder first.',
      });
    let inode = inodes?.get(node.inode);
    if (!inode) inodes?.set(node.inode, (inode = {}));
    this.#tree.put(this.#entry(node.entry, at), { from: node.from, inode: inode ?? {} });
  }

  #entry(source: Entry, path: string): Entry {
    const { type, size, link, device, xattrs } = source;
    const { ids } = this.#c;
    const { mtime: time, mtimeNs = 0 } = this.#action;
    return {
      path,
      type,
      mode: type === 'symlink' ? 0o777 : this.#change ? this.#change(source.mode, type === 'directory') : source.mode,
      uid: ids ? ids.uid : source.uid,
      gid: ids ? ids.gid : source.gid,
      size,
      mtime: time ?? source.mtime,
      mtimeNs: time === undefined ? source.mtimeNs : mtimeNs,
      link,
      device,
      xattrs,
    };
  }

  #timeOf(source: Entry): Pick<Entry, 'mtime' | 'mtimeNs'> {
    const { mtime, mtimeNs = 0 } = this.#action;
    return mtime === undefined ? { mtime: source.mtime, mtimeNs: source.mtimeNs } : { mtime, mtimeNs };
  }

  #makeFolders(path: string, mode = parentMode(this.#action.mode)): void {
    const { mtime, mtimeNs = 0 } = this.#action;
    const time = mtime === undefined ? this.#c.now : { mtime, mtimeNs };
    const { uid, gid } = this.#c.ids ?? { uid: 0, gid: 0 };
    this.#tree.makeFolders(path, (at) => ({ path: at, type: 'directory', mode, uid, gid, size: 0, ...time }));
  }

  #resolve(path: string): string {
    return this.#action.followDestination ? this.#tree.resolve(path) : cleanPath(`/${path}`).slice(1);
  }

  /**
   * Lays what an archive holds over the destination, as go-archive's Unpack: folders are merged, all else is replaced. A folder that the archive only implies may be a link that is there already; it is
   * followed with the destination as the root.
   */
  unpack(archive: TreeView): void {
    const target = this.#resolve(this.#action.destination);
    this.#makeFolders(target, 0o755);
    const inodes = new Map<object, object>();
    const folders = new Map<string, string>([['', target]]);
    for (const node of archive.walk('')) {
      if (node.path === '') continue;
      const { type } = node.entry;
      const at = joinPath(folders.get(parentOf(node.path))!, node.path.slice(node.path.lastIndexOf('/') + 1));
      if (type === 'directory' && !node.from) {
        folders.set(node.path, this.#impliedFolder(at, target));
        continue;
      }
      const there = type === 'directory' ? this.#tree.get(at) : undefined;
      let inode = there?.inode ?? inodes.get(node.inode);
      if (!inode) inodes.set(node.inode, (inode = {}));
      this.#tree.put(this.#unpacked(node.entry, at), { from: node.from, inode });
      if (type === 'directory') folders.set(node.path, at);
    }
  }

  #unpacked(source: Entry, path: string): Entry {
    const { type, size, mtime, mtimeNs, link, device, xattrs } = source;
    const mode = type === 'symlink' ? 0o777 : source.mode;
    const { uid, gid } = this.#c.ids ?? source;
    return { path, type, mode, uid, gid, size, mtime, mtimeNs, link, device, xattrs };
  }

  /** Where a folder that is only implied comes to lie. */
  #impliedFolder(at: string, root: string): string {
    const inside = (path: string): string => joinPath(root, path);
    const below = root === '' ? at : at.slice(root.length + 1);
    const real = inside(resolvePath((path) => this.#tree.get(inside(path))?.entry, below).path);
    const [time, owner] = [this.#c.now, { uid: 0, gid: 0 }];
    this.#tree.makeFolders(real, (path) => ({ path, type: 'directory', mode: 0o755, ...owner, size: 0, ...time }));
    return real;
  }
}

function mergeXattrs(a: Entry['xattrs'], b: Entry['xattrs']): Entry['xattrs'] {
  return a && b ? new Map([...a, ...b]) : (b ?? a);
}
