import { lchownSync, mkdirSync, rmSync, unlinkSync } from 'node:fs';
import { hasCode, sys } from '../base/index.ts';
import { snapshotError } from './errors.ts';
import {
  below,
  copyEntry,
  copyFolderMetadata,
  isWhiteout,
  linkTarget,
  nameOf,
  namesIn,
  native,
  parentOf,
  setMode,
  statOf,
  type Stat,
} from './files.ts';
import { opaqueXattr, type Found, type LayerStack, type OverlayXattrs } from './layer-stack.ts';

/** Where a layer is unpacked to. */
export interface UnpackTarget {
  /** A folder that only this call writes to: an empty one over `below`, or one that holds the whole tree. */
  readonly folder: string;
  /** The layers underneath, for an overlay; absent when `folder` holds the whole tree. */
  readonly below?: LayerStack | undefined;
  readonly xattrs: OverlayXattrs;
  /** `single`: only one owner can be given to files here; the right one is kept in an attribute. */
  readonly ids: 'all' | 'single';
}

interface Folder {
  /** Nothing of the lower layers shows in it. */
  cut: boolean;
  /** Sets owner, mode, attributes and times, once everything is in it. */
  finish(path: string): void;
}

/** As many links as path resolution follows (Go's securejoin, Linux: 40). */
const MAX_LINKS = 255;

/**
 * The folder that a layer is unpacked to, as a root: every path is resolved inside it, links included, so nothing outside is ever named. Invariant: every key of `#folders` is a real folder, reached through real folders only.
 */
export class UnpackRoot {
  readonly #target: UnpackTarget;
  readonly #folders = new Map<string, Folder>();
  /** Paths of folders as entries write them -> their real paths. */
  readonly #resolved = new Map<string, string>([['', '']]);
  /** Real paths of the links that `#resolved` went through. */
  readonly #followed = new Set<string>();
  /** Real paths of the layer's own entries. What else is here was in the whole tree, or was copied up on the way. */
  readonly #placed = new Set<string>();
  #links = 0;

  constructor(target: UnpackTarget) {
    this.#target = target;
    const lower = target.below?.find('');
    const own = statOf(target.folder);
    const finish = lower ? copier(lower) : own && !target.below ? keeper({ path: '', stat: own }) : plainFolder;
    this.#folders.set('', { cut: !lower, finish });
  }

  /** The place on disk of a real path. */
  at(real: string): string {
    return real === '' ? this.#target.folder : `${this.#target.folder}/${real}`;
  }

  /** The real path of an entry: its folder resolved and made where it is missing, its own name not followed. */
  place(path: string): string {
    return path === '' ? '' : below(this.folder(parentOf(path)), nameOf(path));
  }

  /** To be called when something else takes the place of what is at a real path: what was resolved through a link there holds no longer. */
  giveWay(real: string): void {
    if (this.#followed.has(real)) this.#forgetPaths();
  }

  /** `place` for something that is about to be made. */
  claim(path: string): string {
    const real = this.place(path);
    this.#placed.add(real);
    return real;
  }

  /** The real path of a folder, links followed; made (0755, root) where it is missing, copied up where it lies below. */
  folder(path: string): string {
    const known = this.#resolved.get(path);
    if (known !== undefined) return known;
    const parent = this.folder(parentOf(path));
    this.#links = 0;
    const real = this.#enter(parent, nameOf(path), { asked: path, make: true }) ?? '';
    this.#resolved.set(path, real);
    return real;
  }

  /** What is at a real path, here or below. */
  find(real: string): Found | undefined {
    const path = this.at(real);
    const stat = statOf(path);
    if (stat) return this.#target.below && isWhiteout(stat) ? undefined : { path, stat };
    return this.#lower(real);
  }

  /** Makes a folder at a real path, in place of anything else that is there, and says how it is finished. */
  makeFolder(real: string, finish: (path: string) => void): void {
    const known = this.#folders.get(real);
    if (known) {
      known.finish = finish;
      return;
    }
    this.giveWay(real);
    const path = this.at(real);
    const stat = statOf(path);
    let replaced = false;
    if (stat && !stat.isDirectory()) {
      unlinkSync(native(path));
      replaced = true;
    }
    if (!stat?.isDirectory()) mkdirSync(native(path), 0o700);
    const lower = this.#lower(real);
    const merges = lower?.stat.isDirectory() ?? false;
    if (merges ? replaced : this.#showsInRoot(real)?.stat.isDirectory()) this.#setOpaque(path);
    this.#folders.set(real, { cut: !merges || replaced, finish });
  }

  /** Hides what was in a folder before this layer. */
  makeOpaque(real: string): void {
    const folder = this.#folders.get(real);
    if (!folder) return;
    this.#prune(real);
    if (folder.cut) return;
    this.#forgetPaths();
    if (real === '') this.#hideRoot();
    else this.#setOpaque(this.at(real));
    folder.cut = true;
  }

  /** Hides what was at `path` before this layer. A folder that is missing on the way is made, as containerd does. */
  whiteOut(path: string): void {
    if (path === '') return;
    const parent = this.#existing(parentOf(path));
    if (parent === undefined) {
      makeIfFree(() => this.folder(parentOf(path)));
      return;
    }
    const real = below(parent, nameOf(path));
    if (this.#folders.has(real)) {
      if (this.#prune(real) || this.#placed.has(real)) return this.makeOpaque(real);
    } else if (this.#placed.has(real)) return;
    this.clear(real);
    if (this.#lower(real) ?? this.#showsInRoot(real))
      sys.mknod(native(this.at(this.place(path))), 0o020000, { major: 0, minor: 0 });
    this.giveWay(real);
  }

  /** Removes what lies at a real path in this folder, so that an entry can be put there. */
  clear(real: string): void {
    const path = this.at(real);
    const stat = statOf(path);
    if (!stat) return;
    this.giveWay(real);
    if (stat.isDirectory()) {
      rmSync(native(path), { recursive: true });
      this.#forget(real);
      this.#folders.delete(real);
    } else unlinkSync(native(path));
  }

  /** The place on disk of the file at `path`, to link to: copied up from below if need be. Undefined when there is none. */
  linkSource(path: string): string | undefined {
    const parent = this.#existing(parentOf(path));
    const found = parent === undefined ? undefined : this.find(below(parent, nameOf(path)));
    if (!found || found.stat.isDirectory()) return undefined;
    const at = this.at(this.place(path));
    if (found.path !== at) copyEntry(found.path, at, found.stat);
    return at;
  }

  /** Sets what making entries inside has changed: deepest folders first. */
  finish(): void {
    for (const [real, folder] of [...this.#folders].toReversed()) folder.finish(this.at(real));
  }

  /** The real path of the folder `name` in a folder; `make`: made or copied up where it is not here, else undefined where there is none. */
  #enter(parent: string, name: string, o: { readonly asked: string; readonly make: boolean }): string | undefined {
    const real = below(parent, name);
    if (this.#folders.has(real)) return real;
    const found = this.find(real);
    if (!found && !o.make) return undefined;
    if (!found || found.stat.isDirectory()) {
      const here = found?.path === this.at(real);
      if (o.make) this.makeFolder(real, found ? (here ? keeper(found) : copier(found)) : plainFolder);
      return real;
    }
    if (!found.stat.isSymbolicLink()) {
      if (!o.make) return undefined;
      throw snapshotError('LAYER_INVALID', `unpack "${o.asked}": "${real}" is not a folder`);
    }
    this.#links += 1;
    if (this.#links > MAX_LINKS) throw snapshotError('LAYER_UNSAFE', `unpack "${o.asked}": too many links`);
    this.#followed.add(real);
    const target = linkTarget(found.path);
    let at = target.startsWith('/') ? '' : parent;
    for (const part of target.split('/')) {
      if (part === '' || part === '.') continue;
      const next = part === '..' ? parentOf(at) : this.#enter(at, part, o);
      if (next === undefined) return undefined;
      at = next;
    }
    return at;
  }

  /** As `folder`, but undefined, with nothing made, where there is none. */
  #existing(path: string): string | undefined {
    const known = this.#resolved.get(path);
    if (known !== undefined) return known;
    const parent = this.#existing(parentOf(path));
    this.#links = 0;
    return parent === undefined ? undefined : this.#enter(parent, nameOf(path), { asked: path, make: false });
  }

  #lower(real: string): Found | undefined {
    const stack = this.#target.below;
    if (!stack || this.#isCut(parentOf(real))) return undefined;
    return stack.find(real);
  }

  #isCut(real: string): boolean {
    for (let at = real; ; at = parentOf(at)) {
      const folder = this.#folders.get(at);
      if (folder?.cut) return true;
      if (at === '') return false;
    }
  }

  /** Removes from a folder here all that is not this layer's own; true when something stays. */
  #prune(real: string): boolean {
    let stays = false;
    for (const name of namesIn(this.at(real))) {
      const child = below(real, name);
      const inside = this.#folders.has(child) && this.#prune(child);
      if (inside || this.#placed.has(child)) stays = true;
      else this.clear(child);
    }
    return stays;
  }

  /** overlayfs takes no notice of an opaque mark on the root of a layer, so each name there is hidden by itself. */
  #hideRoot(): void {
    for (const name of this.#target.below?.list('').keys() ?? [])
      if (this.#folders.has(name)) this.makeOpaque(name);
      else if (!statOf(this.at(name))) sys.mknod(native(this.at(name)), 0o020000, { major: 0, minor: 0 });
  }

  /** What of an opaque root's lower layers shows as soon as nothing here hides it. */
  #showsInRoot(real: string): Found | undefined {
    return parentOf(real) === '' && this.#folders.get('')?.cut ? this.#target.below?.find(real) : undefined;
  }

  #setOpaque(path: string): void {
    sys.setXattr(native(path), opaqueXattr(this.#target.xattrs), Buffer.from('y'));
  }

  #forget(real: string): void {
    const prefix = `${real}/`;
    for (const key of this.#folders.keys()) if (key.startsWith(prefix)) this.#folders.delete(key);
    this.#forgetPaths();
  }

  #forgetPaths(): void {
    this.#followed.clear();
    this.#resolved.clear();
    this.#resolved.set('', '');
  }
}

/** What makes folders, unless something that is none is in the way. */
export function makeIfFree(make: () => void): void {
  try {
    make();
  } catch (error) {
    if (!hasCode(error, 'LAYER_INVALID')) throw error;
  }
}

function copier(from: Found): (path: string) => void {
  return (path) => copyFolderMetadata(from.path, path, from.stat);
}

/** A folder of a whole tree that is only passed through keeps its times. */
function keeper(found: Found): (path: string) => void {
  const { mtimeNs }: Stat = found.stat;
  return (path) => sys.utimes(native(path), mtimeNs, mtimeNs);
}

/** A folder that no entry speaks of: as containerd makes it, with a time that does not depend on when. */
function plainFolder(path: string): void {
  lchownSync(native(path), 0, 0);
  setMode(path, 0o755);
  sys.utimes(native(path), 0n, 0n);
}
