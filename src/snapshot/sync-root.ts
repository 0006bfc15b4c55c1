import { rmSync, unlinkSync } from 'node:fs';
import { setImmediate } from 'node:timers/promises';
import { hasErrno, throwIfCancelled, type Wait } from '../base/index.ts';
import { composeTree, linkTo, type ComposeItem, type Entry, type TreeView, type ViewNode } from '../tree/index.ts';
import { sameEntry } from './changes.ts';
import { below, nameOf, native } from './files.ts';
import type { GuardedPaths } from './guarded-paths.ts';
import type { Known, KnownRoot } from './known-root.ts';
import type { Trash } from './trash.ts';
import { unpack } from './unpack.ts';

const TURN = 512;

/**
 * Makes a root the tree of a view, whatever it was before, and touches only what differs: what is not wanted is removed, what is missing or not known to be the same is unpacked. Guarded places stay as they are, and a folder above one stays
 * a folder. `known` must be exact, and is afterwards. Returns what could not be done, one sentence each.
 */
export async function syncRoot(
  root: string,
  view: TreeView,
  o: { readonly known: KnownRoot; readonly guard: GuardedPaths; readonly trash: Trash } & Wait,
): Promise<readonly string[]> {
  const plan = new Plan(root, view, o);
  await plan.make(o);
  const tree = composeTree(plan.items);
  const notes = [...plan.notes, ...(await unpack(tree, { folder: root, xattrs: 'user', ids: 'all' }, o))];
  await o.known.read(o.guard, { originOf: (path, entry) => plan.originOf(path, entry), signal: o.signal });
  return notes;
}

class Plan {
  readonly items: ComposeItem[] = [];
  readonly notes: string[] = [];
  readonly #root: string;
  readonly #view: TreeView;
  readonly #known: KnownRoot;
  readonly #guard: GuardedPaths;
  readonly #trash: Trash;
  readonly #wanted = new Map<string, ViewNode>();
  /** Files of which some name has to be made: all of their names are. */
  readonly #broken = new Set<object>();
  readonly #first = new Map<object, string>();
  #seen = 0;

  constructor(
    root: string,
    view: TreeView,
    { known, guard, trash }: { readonly known: KnownRoot; readonly guard: GuardedPaths; readonly trash: Trash },
  ) {
    this.#trash = trash;
    this.#root = root;
    this.#view = view;
    this.#known = known;
    this.#guard = guard;
  }

  async make(w: Wait): Promise<void> {
    this.#findBroken();
    await this.#folder('', this.#known.top, w);
    const top = this.#view.stat('');
    if (top?.from) this.items.push({ entry: top.entry });
    this.items.sort(({ entry: a }, { entry: b }) => Number(b.path === '') - Number(a.path === ''));
  }

  originOf(path: string, entry: Entry): Known['origin'] {
    const node = this.#wanted.get(path);
    if (!node || node.entry.type !== entry.type) return undefined;
    return { inode: node.inode, place: node.from };
  }

  /** Names that share a file are made anew together, or they would end as several files. */
  #findBroken(): void {
    for (const node of this.#view.walk('')) {
      if (node.entry.type === 'directory' || this.#guard.covers(node.path)) continue;
      if (this.#known.find(node.path)?.origin?.inode !== node.inode) this.#broken.add(node.inode);
    }
  }

  /** True when something in the folder was removed or will be made. */
  async #folder(path: string, known: Known | undefined, w: Wait): Promise<boolean> {
    let touched = false;
    const wanted = new Map<string, ViewNode>();
    const node = path === '' ? this.#view.stat('') : this.#wanted.get(path);
    if (node?.entry.type === 'directory')
      for (const child of this.#view.list(path)) {
        const guard = this.#guard.at(child.path);
        if (guard === 'guarded') continue;
        if (guard === 'holder' && child.entry.type !== 'directory') {
          this.notes.push(`"/${child.path}" stays a folder, because something is mounted or kept in it`);
          continue;
        }
        wanted.set(nameOf(child.path), child);
      }
    for (const [name, child] of known?.inside ?? []) {
      await this.#turn(w);
      const at = below(path, name);
      if (this.#stays(at, child, wanted.get(name))) continue;
      this.#remove(at, child);
      known?.inside?.delete(name);
      touched = true;
    }
    for (const [name, child] of wanted) {
      await this.#turn(w);
      this.#wanted.set(child.path, child);
      const now = known?.inside?.get(name);
      if (child.entry.type !== 'directory') {
        if (now) continue;
        this.#add(child);
        touched = true;
        continue;
      }
      const inner = await this.#folder(child.path, now, w);
      if (!now) touched = true;
      if (!now || inner || !sameFolder(now.entry, child.entry)) this.items.push({ entry: child.entry });
    }
    // A folder that nobody wants, and that has to stay, is emptied.
    for (const [name, child] of known?.inside ?? []) {
      const at = below(path, name);
      if (!wanted.has(name) && child.inside && (await this.#folder(at, child, w))) touched = true;
    }
    return touched;
  }

  #stays(path: string, known: Known, wanted: ViewNode | undefined): boolean {
    if (known.inside) return wanted?.entry.type === 'directory' || this.#guard.at(path) === 'holder';
    if (!wanted || wanted.entry.type === 'directory') return false;
    return known.origin?.inode === wanted.inode && !this.#broken.has(wanted.inode);
  }

  #add(node: ViewNode): void {
    const first = this.#first.get(node.inode);
    if (first !== undefined) {
      this.items.push({ entry: linkTo(first, node.entry) });
      return;
    }
    this.#first.set(node.inode, node.path);
    this.items.push({ entry: node.entry, from: node.entry.type === 'file' ? node.from : undefined });
  }

  /** Folders go to the trash: files are created slowly right after many were deleted. */
  #remove(path: string, known: Known): void {
    const at = `${this.#root}/${path}`;
    if (!known.inside) unlinkSync(native(at));
    else if (!this.#discard(at)) rmSync(native(at), { recursive: true, force: true });
  }

  #discard(path: string): boolean {
    try {
      return this.#trash.take(path) !== undefined;
    } catch (error) {
      // On another file system, or a folder of a container's own image on overlayfs.
      if (hasErrno(error, 'EXDEV', 'EBUSY')) return false;
      throw error;
    }
  }

  async #turn(w: Wait): Promise<void> {
    if (++this.#seen % TURN !== 0) return;
    await setImmediate();
    throwIfCancelled(w);
  }
}

function sameFolder(now: Entry, wanted: Entry): boolean {
  return sameEntry(now, wanted) === true && now.mtime === wanted.mtime && now.mtimeNs === wanted.mtimeNs;
}
