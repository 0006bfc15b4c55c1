import { bytesError, collect, throwIfCancelled, type Bytes, type Wait } from '../base/index.ts';
import { nearPath, type Absence } from './absence.ts';
import { comparePaths } from './compare-entries.ts';
import type { ContentPlace } from './compose.ts';
import type { Entry } from './entry.ts';
import { treeError } from './errors.ts';
import type { FileTree } from './file-tree.ts';
import { baseOf, resolvePath } from './safe-path.ts';
import type { TreeView, ViewNode } from './tree-view.ts';
import { placed, type UnionLayer } from './union-layer.ts';

/**
 * The trees laid over each other, the first at the bottom, as unpacking one after the other would give: `whiteout` and `opaque` hide what is below them, folders that are only implied are made
 * (0755, 0:0), what lies below a path that is a link in a lower tree is placed through the link. Only the entries are read; folders are put together when they are looked into.
 */
export async function unionOf(trees: readonly FileTree[], w?: Wait): Promise<TreeView> {
  const layers: UnionLayer[] = [];
  for (const tree of trees) {
    throwIfCancelled(w);
    const below = [...layers];
    layers.push(placed(tree, await tree.entries(w), () => new UnionView(below)));
  }
  return new UnionView(layers);
}

/** Entries [from, to) of a layer, all below one folder. */
interface Range {
  readonly layer: UnionLayer;
  readonly from: number;
  readonly to: number;
}

class Node implements ViewNode {
  readonly path: string;
  readonly entry: Entry;
  readonly inode: object;
  readonly #tree: FileTree | undefined;
  readonly #source: Entry;
  /** Of a folder: what is in it, lowest layer first, until `kids` is made of it. */
  readonly ranges: readonly Range[];
  kids: Map<string, Node> | undefined;

  constructor(entry: Entry, place: ContentPlace | undefined, ranges: readonly Range[]) {
    this.path = entry.path;
    this.entry = entry;
    this.#tree = place?.tree;
    this.#source = place?.entry ?? entry;
    this.inode = this.#source;
    this.ranges = ranges;
  }

  get from(): ContentPlace | undefined {
    return this.#tree && { tree: this.#tree, entry: this.#source };
  }
}

class UnionView implements TreeView {
  readonly #layers: readonly UnionLayer[];
  readonly #root: Node;

  constructor(layers: readonly UnionLayer[]) {
    this.#layers = layers;
    let entry = folder('');
    let place: ContentPlace | undefined;
    let ranges: Range[] = [];
    for (const layer of layers) {
      let at = 0;
      for (; layer.entries[at]?.path === ''; at++) {
        const own = layer.entries[at]!;
        if (own.type === 'opaque') ranges = [];
        if (own.type !== 'directory') continue;
        entry = own;
        place = { tree: layer.tree, entry: own };
      }
      ranges.push({ layer, from: at, to: layer.entries.length });
    }
    this.#root = new Node(entry, place, ranges);
  }

  stat(path: string): ViewNode | undefined {
    const { path: real, found } = resolvePath(this.#lookup, path);
    return found ? this.#at(real) : undefined;
  }

  lstat(path: string): ViewNode | undefined {
    const { path: real, found } = resolvePath(this.#lookup, path, { last: 'keep' });
    return found ? this.#at(real) : undefined;
  }

  resolve(path: string): string | undefined {
    const { path: real, found } = resolvePath(this.#lookup, path);
    return found ? real : undefined;
  }

  resolveParent(path: string): string {
    return resolvePath(this.#lookup, path, { last: 'keep' }).path;
  }

  list(path: string): readonly ViewNode[] {
    const node = this.#stat(path, 'list');
    if (node.entry.type !== 'directory')
      throw treeError('NOT_A_FOLDER', `list "${path}": it is not a folder`, { remedy: 'Name a folder.' });
    return [...this.#kids(node).values()];
  }

  *walk(path: string): Iterable<ViewNode> {
    const start = this.stat(path) as Node | undefined;
    if (!start) return;
    yield start;
    if (start.entry.type !== 'directory') return;
    const stack = [this.#kids(start).values()];
    for (let next = stack[0]?.next(); next; next = stack.at(-1)?.next()) {
      if (next.done === true) {
        stack.pop();
        continue;
      }
      yield next.value;
      if (next.value.entry.type === 'directory') stack.push(this.#kids(next.value).values());
    }
  }

  open(at: string | ViewNode, w?: Wait): Bytes {
    const node = typeof at === 'string' ? this.#stat(at, 'read') : at;
    if (node.entry.type !== 'file' || !node.from)
      throw treeError('NOT_A_FILE', `read "${node.path}": it is a ${node.entry.type}`, { remedy: 'Name a file.' });
    return node.from.tree.read([node.from.entry], w);
  }

  async readFile(path: string, o: { limit?: number } & Wait = {}): Promise<Uint8Array> {
    const limit = o.limit ?? 16 << 20;
    const node = this.#stat(path, 'read');
    if (node.entry.size > limit)
      throw bytesError('TOO_MANY_BYTES', `read "${path}": ${node.entry.size} bytes, more than ${limit}`);
    return collect(this.open(node, o), { limit, what: path });
  }

  #stat(path: string, action: string): Node {
    const node = this.stat(path) as Node | undefined;
    if (node) return node;
    throw treeError('PATH_NOT_FOUND', `${action} "${path}": not found`, { remedy: 'Check the path.' });
  }

  /** A build context knows more than what was taken of it; elsewhere a name may be a slip of the hand. */
  absence(path: string): Absence | undefined {
    const [only] = this.#layers;
    if (this.#layers.length === 1 && only?.tree.absence) return only.tree.absence(path);
    const names = (folder: string): string[] => this.list(folder).map((node) => baseOf(node.path));
    const exists = (at: string): boolean => this.stat(at) !== undefined;
    const isFolder = (at: string): boolean => this.stat(at)?.entry.type === 'directory';
    const near = nearPath(path, { names: (folder) => (isFolder(folder) ? names(folder) : []), exists });
    return near === undefined ? undefined : { remedy: `Did you mean "/${near}"?` };
  }

  readonly #lookup = (path: string): Entry | undefined => this.#at(path)?.entry;

  /** The node at a path without links. */
  #at(path: string): Node | undefined {
    let node: Node | undefined = this.#root;
    if (path === '') return node;
    for (let from = 0; node !== undefined && from <= path.length;) {
      const slash = path.indexOf('/', from);
      const to = slash < 0 ? path.length : slash;
      node = node.entry.type === 'directory' ? this.#kids(node).get(path.slice(from, to)) : undefined;
      from = to + 1;
    }
    return node;
  }

  #kids(node: Node): Map<string, Node> {
    if (node.kids) return node.kids;
    let kids = new Map<string, Node>();
    for (const range of node.ranges) this.#merge(kids, range, node.path === '' ? 0 : node.path.length + 1);
    if (node.ranges.length > 1) kids = new Map([...kids].sort(([a], [b]) => comparePaths(a, b)));
    node.kids = kids;
    return kids;
  }

  /** Lays what one layer has in a folder over what lower ones have. `start` is where names in the folder begin. */
  #merge(kids: Map<string, Node>, range: Range, start: number): void {
    const { layer } = range;
    const { entries } = layer;
    for (let i = range.from; i < range.to;) {
      const first = entries[i]!.path;
      const slash = first.indexOf('/', start);
      const path = slash < 0 ? first : first.slice(0, slash);
      const name = path.slice(start);
      let own = -1;
      let opaque = false;
      for (; i < range.to && entries[i]!.path.length === path.length && entries[i]!.path === path; i++) {
        const { type } = entries[i]!;
        if (type === 'whiteout') kids.delete(name);
        else if (type === 'opaque') opaque = true;
        else own = i;
      }
      const to = endBelow(entries, i, range.to, path);
      const below: Range = { layer, from: i, to };
      // Where nothing but whiteouts lies below what is no folder, it stays.
      const stays = own < 0 && !opaque && isOther(kids.get(name)) && onlyWhiteouts(below);
      const isFolder = own < 0 ? !stays && (opaque || to > i) : entries[own]!.type === 'directory';
      if (isFolder) kids.set(name, this.#folderOver(kids.get(name), below, { path, own, opaque }));
      else if (own >= 0) kids.set(name, this.#leaf(layer, own));
      i = to;
    }
  }

  #folderOver(lower: Node | undefined, below: Range, o: { path: string; own: number; opaque: boolean }): Node {
    const under = lower?.entry.type === 'directory' ? lower : undefined;
    const ranges = below.to > below.from ? [below] : [];
    if (under && !o.opaque) ranges.unshift(...under.ranges);
    if (o.own >= 0) return new Node(below.layer.entries[o.own]!, sourceOf(below.layer, o.own), ranges);
    return under ? new Node(under.entry, under.from, ranges) : new Node(folder(o.path), undefined, ranges);
  }

  #leaf(layer: UnionLayer, at: number): Node {
    const entry = layer.entries[at]!;
    if (entry.type !== 'hardlink') return new Node(entry, sourceOf(layer, at), NONE);
    const target = this.#linkTarget(layer, entry);
    return new Node({ ...target.entry, path: entry.path }, target.from, NONE);
  }

  /** The file that a hard link is another name of: in its own layer, or else in those below. */
  #linkTarget(layer: UnionLayer, link: Entry): { entry: Entry; from: ContentPlace | undefined } {
    let path = link.link ?? '';
    for (let steps = 0; steps < 64; steps++) {
      const at = indexOf(layer.entries, path);
      const entry = layer.entries[at];
      if (entry?.type === 'hardlink') {
        path = entry.link ?? '';
        continue;
      }
      if (entry && entry.type !== 'directory') return { entry, from: sourceOf(layer, at) };
      const lower = this.#below(layer).lstat(path);
      if (lower && lower.entry.type !== 'directory') return { entry: lower.entry, from: lower.from };
      break;
    }
    throw treeError(
      'LAYER_CORRUPT',
      `find what "${link.path}" is a hard link to: "${link.link}" is not there, or no file`,
    );
  }

  #below(layer: UnionLayer): TreeView {
    return new UnionView(this.#layers.slice(0, this.#layers.indexOf(layer)));
  }
}

const NONE: readonly Range[] = [];

function isOther(node: Node | undefined): boolean {
  return node !== undefined && node.entry.type !== 'directory';
}

function onlyWhiteouts({ layer, from, to }: Range): boolean {
  for (let at = from; at < to; at++) if (layer.entries[at]!.type !== 'whiteout') return false;
  return true;
}

function sourceOf(layer: UnionLayer, at: number): ContentPlace {
  return { tree: layer.tree, entry: layer.sources[at]! };
}

function folder(path: string): Entry {
  return { path, type: 'directory', mode: 0o755, uid: 0, gid: 0, size: 0, mtime: 0, mtimeNs: 0 };
}

/** The end of the entries from `from` on that lie below the folder `path`; they are in a row. */
function endBelow(entries: readonly Entry[], from: number, to: number, path: string): number {
  const inside = `${path}/`;
  if (from >= to || !entries[from]!.path.startsWith(inside)) return from;
  let low = from;
  let step = 1;
  while (low + step < to && entries[low + step]!.path.startsWith(inside)) {
    low += step;
    step *= 2;
  }
  let high = Math.min(low + step, to);
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (entries[middle]!.path.startsWith(inside)) low = middle;
    else high = middle;
  }
  return high;
}

/** Where the entry that is at a path in its layer lies (no `whiteout` or `opaque`), or -1. */
export function indexOf(entries: readonly Entry[], path: string): number {
  let low = 0;
  let high = entries.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (comparePaths(entries[middle]!.path, path) < 0) low = middle + 1;
    else high = middle;
  }
  for (let at = low; entries[at]?.path === path; at++) {
    const { type } = entries[at]!;
    if (type !== 'whiteout' && type !== 'opaque') return at;
  }
  return -1;
}
