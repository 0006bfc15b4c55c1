import { lstatSync, readdirSync, readlinkSync, realpathSync, type BigIntStats, type Dirent } from 'node:fs';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { hasErrno, sys, throwIfCancelled, type Wait } from '../base/index.ts';
import { comparePaths } from './compare-entries.ts';
import type { Entry } from './entry.ts';
import { treeError } from './errors.ts';
import { fileError, FolderEntry, FolderTree, type FileIdentity } from './folder-tree.ts';
import { PatternMatcher, type MatchState } from './ignore.ts';
import { decodePath, encodePath, fsPath } from './path-text.ts';
import type { FolderStats, StatTable } from './stat-cache.ts';

export interface WalkOptions extends Wait {
  /** Only what matches one of these, and the folders that lead there. */
  readonly include?: readonly string[] | undefined;
  /** Never what matches these. */
  readonly exclude?: readonly string[] | undefined;
  /** Gives everything this owner; else ids are kept. */
  readonly owner?: { readonly uid: number; readonly gid: number } | undefined;
  /** Which extended attributes are kept; `isLayerXattr` by default. */
  readonly xattrs?: ((name: string) => boolean) | undefined;
  /** Begin with an entry for the root itself. */
  readonly root?: boolean | undefined;
  /** Nothing below the folder changes while the tree is in use, so that readers may open the files themselves (`locate`). */
  readonly stable?: boolean | undefined;
  readonly stats?: FolderStats | undefined;
}

/** File capabilities and the user's own attributes, but those in which overlayfs keeps its books. */
export function isLayerXattr(name: string): boolean {
  return name === 'security.capability' || (name.startsWith('user.') && !name.startsWith('user.overlay.'));
}

/**
 * The folder `root` as a tree, walked now and synchronously; contents are read when asked. Symbolic links are not followed, sockets are left out, other names of one file are `hardlink` entries.
 * A path is left out or kept as BuildKit's fsutil does (Walk of filterFS): `include` selects paths and the folders that lead there, `exclude` wins by its own rules, a folder that is left out is
 * entered only if something below may be kept. Throws `PATH_NOT_FOUND`, `NOT_A_FOLDER`, `FILE_UNREADABLE`, `PATTERN_INVALID`.
 */
export async function walkFolder(root: string, options: WalkOptions = {}): Promise<FolderTree> {
  const walk = new Walk(realFolder(root), options);
  return new FolderTree(walk.root, await walk.run(), {
    stats: options.stats,
    table: walk.table,
    stable: options.stable,
    exclude: options.exclude,
  });
}

/** The folder without symbolic links in its path. Throws `PATH_NOT_FOUND` and `NOT_A_FOLDER`. */
export function realFolder(path: string): string {
  try {
    const real = realpathSync(path);
    if (lstatSync(real).isDirectory()) return real;
  } catch (error) {
    throw fileError('open folder', path, error);
  }
  throw treeError('NOT_A_FOLDER', `open folder "${path}": it is not a folder`, { remedy: 'Name a folder.' });
}

/** A folder being read. */
interface Frame {
  readonly path: string;
  readonly full: string;
  readonly items: readonly { readonly name: string; readonly isFolder: boolean }[];
  next: number;
  /** The folder's own entry, until it is given out. */
  pending: FolderEntry | undefined;
  readonly parent: Frame | undefined;
  /** Undefined once everything below has the folder's own answer. */
  readonly included: MatchState | undefined;
  readonly excluded: MatchState | undefined;
}

const TURN = 16_384;
const S_IFMT = 0o170000;
const S_IFSOCK = 0o140000;
const S_IFLNK = 0o120000;
const S_IFREG = 0o100000;
const S_IFBLK = 0o060000;
const S_IFDIR = 0o040000;
const S_IFCHR = 0o020000;

class Walk {
  readonly root: string;
  readonly table: StatTable | undefined;
  readonly #options: WalkOptions;
  readonly #include: PatternMatcher | undefined;
  readonly #exclude: PatternMatcher | undefined;
  readonly #wanted: (name: string) => boolean;
  readonly #entries: Entry[] = [];
  /** First path by device and inode, of files with several names. */
  readonly #linked = new Map<string, string>();

  constructor(root: string, options: WalkOptions) {
    this.root = root;
    this.#options = options;
    this.#include = options.include && options.include.length > 0 ? new PatternMatcher(options.include) : undefined;
    this.#exclude = options.exclude && options.exclude.length > 0 ? new PatternMatcher(options.exclude) : undefined;
    this.#wanted = options.xattrs ?? isLayerXattr;
    this.table = options.stats?.table();
  }

  async run(): Promise<readonly Entry[]> {
    if (this.#options.root === true) this.#give(this.#entry('', lstatSync(this.root, { bigint: true }))!);
    let frame: Frame | undefined = this.#frame('', this.root, {
      pending: undefined,
      parent: undefined,
      included: this.#include?.start(),
      excluded: this.#exclude?.start(),
    });
    for (let steps = 1; frame; steps++) {
      if (steps % TURN === 0) {
        throwIfCancelled(this.#options);
        await nextTurn();
      }
      const item: Frame['items'][number] | undefined = frame.items[frame.next++];
      frame = item === undefined ? frame.parent : (this.#visit(frame, item) ?? frame);
    }
    return this.#entries;
  }

  /** One thing in a folder; the frame of it when it is a folder to be entered. */
  #visit(frame: Frame, item: Frame['items'][number]): Frame | undefined {
    const path = frame.path === '' ? item.name : `${frame.path}/${item.name}`;
    let { included, excluded } = frame;
    let keep = true;
    let enter = item.isFolder;
    if (included) {
      const state = this.#include!.start();
      const hit = this.#include!.step(path, included, state);
      included = item.isFolder && this.#include!.mayDifferBelow(path, hit) ? state : undefined;
      if (!hit) {
        keep = false;
        enter &&= included !== undefined;
      }
    }
    if (excluded) {
      const state = this.#exclude!.start();
      const hit = this.#exclude!.step(path, excluded, state);
      excluded = item.isFolder && this.#exclude!.mayDifferBelow(path, hit) ? state : undefined;
      if (hit) {
        keep = false;
        enter &&= excluded !== undefined;
      }
    }
    if (!keep && !enter) return undefined;
    const full = `${frame.full}/${item.name}`;
    let stat: BigIntStats;
    try {
      stat = lstatSync(full.isWellFormed() ? full : encodePath(full), { bigint: true });
    } catch (error) {
      if (!keep || hasErrno(error, 'ENOENT', 'ENOTDIR')) return undefined;
      throw fileError('read', path, error);
    }
    const entry = this.#entry(path, stat);
    if (!entry) return undefined;
    if (keep) {
      this.#lead(frame);
      this.#give(entry);
    }
    if (!enter || entry.type !== 'directory') return undefined;
    try {
      return this.#frame(path, full, { pending: keep ? undefined : entry, parent: frame, included, excluded });
    } catch (error) {
      if (hasErrno(error, 'ENOENT', 'ENOTDIR') || (!keep && hasErrno(error, 'EACCES', 'EPERM'))) return undefined;
      throw fileError('read folder', path, error);
    }
  }

  #frame(path: string, full: string, rest: Pick<Frame, 'pending' | 'parent' | 'included' | 'excluded'>): Frame {
    const at = full.isWellFormed() ? full : encodePath(full);
    let items = readdirSync(at, { withFileTypes: true }).map(nameAndKind);
    // U+FFFD is what Node puts for bytes that are not UTF-8.
    if (items.some((item) => item.name.includes('\ufffd')))
      items = readdirSync(at, { withFileTypes: true, encoding: 'buffer' }).map((dirent) => ({
        name: decodePath(dirent.name),
        isFolder: dirent.isDirectory(),
      }));
    return { path, full, items: items.sort(byName), next: 0, ...rest };
  }

  /** Gives out the folders that lead to something kept. */
  #lead(frame: Frame): void {
    if (!frame.pending) return;
    if (frame.parent) this.#lead(frame.parent);
    this.#give(frame.pending);
    frame.pending = undefined;
  }

  #give(entry: FolderEntry): void {
    this.#entries.push(entry);
  }

  /** Undefined for a socket. */
  #entry(path: string, s: BigIntStats): FolderEntry | undefined {
    const bits = Number(s.mode);
    const kind = bits & S_IFMT;
    if (kind === S_IFSOCK) return undefined;
    const { owner } = this.#options;
    const uid = owner ? owner.uid : Number(s.uid);
    const gid = owner ? owner.gid : Number(s.gid);
    const mode = kind === S_IFLNK ? 0o777 : bits & 0o7777;
    const mtime = seconds(s.mtimeNs);
    const mtimeNs = Number(s.mtimeNs - BigInt(mtime) * NS);
    const time = { mtime, mtimeNs };
    let size = 0;
    if (kind === S_IFDIR)
      return new FolderEntry({ path, type: 'directory', mode, uid, gid, size, ...time, xattrs: this.#xattrs(path) });
    if (s.nlink > 1n) {
      const key = `${s.dev}:${s.ino}`;
      const link = this.#linked.get(key);
      if (link !== undefined) return new FolderEntry({ path, type: 'hardlink', mode, uid, gid, size, ...time, link });
      this.#linked.set(key, path);
    }
    if (kind === S_IFREG) {
      size = Number(s.size);
      const ctime = seconds(s.ctimeNs);
      const ctimeNs = Number(s.ctimeNs - BigInt(ctime) * NS);
      const identity: FileIdentity = {
        dev: Number(s.dev),
        ino: Number(s.ino),
        size,
        mtime,
        mtimeNs,
        ctime,
        ctimeNs,
        record: -1,
        digest: undefined,
      };
      if (this.table) identity.record = this.table.find(path, identity);
      const known = identity.record >= 0 && !this.table!.hasXattrs(identity.record);
      const xattrs = known ? undefined : this.#xattrs(path);
      return new FolderEntry({ path, type: 'file', mode, uid, gid, size, mtime, mtimeNs, xattrs }, identity);
    }
    if (kind === S_IFLNK)
      return new FolderEntry({ path, type: 'symlink', mode, uid, gid, size, ...time, link: this.#readLink(path) });
    const type = kind === S_IFCHR ? 'character' : kind === S_IFBLK ? 'block' : 'fifo';
    const device = type === 'fifo' ? undefined : sys.splitDevice(s.rdev);
    return new FolderEntry({ path, type, mode, uid, gid, size, ...time, device, xattrs: this.#xattrs(path) });
  }

  #readLink(path: string): string {
    const full = fsPath(this.root, path);
    const link = readlinkSync(full);
    return link.includes('\ufffd') ? decodePath(readlinkSync(full, 'buffer')) : link;
  }

  #xattrs(path: string): Map<string, Uint8Array> | undefined {
    const full = fsPath(this.root, path);
    let names: readonly string[];
    try {
      names = sys.listXattrs(full);
    } catch (error) {
      if (hasErrno(error, 'ENOENT', 'ENOTDIR', 'EACCES', 'EPERM')) return undefined;
      throw error;
    }
    let found: Map<string, Uint8Array> | undefined;
    for (const name of names) {
      if (!this.#wanted(name)) continue;
      const value = sys.getXattr(full, name);
      if (value) (found ??= new Map()).set(name, value);
    }
    return found;
  }
}

const NS = 1_000_000_000n;

/** Whole seconds, rounded down also before the epoch. */
function seconds(ns: bigint): number {
  return ns < 0n ? -Number((-ns + NS - 1n) / NS) : Number(ns / NS);
}

function nameAndKind(dirent: Dirent): { name: string; isFolder: boolean } {
  return { name: dirent.name, isFolder: dirent.isDirectory() };
}

function byName(a: { name: string }, b: { name: string }): number {
  return comparePaths(a.name, b.name);
}
