import { closeSync, openSync, readSync } from 'node:fs';
import { setImmediate } from 'node:timers/promises';
import { sys, throwIfCancelled, type Wait } from '../base/index.ts';
import { comparePaths, type Entry, type EntryType } from '../tree/index.ts';
import { snapshotError } from './errors.ts';
import {
  below,
  isPrivateXattr,
  isWhiteout,
  linkTarget,
  namesIn,
  native,
  OWNER_XATTR,
  statOf,
  type Stat,
} from './files.ts';
import type { Found, LayerStack, OverlayXattrs } from './layer-stack.ts';

/** One thing that may be a change: kept when it is one, when a part of it is, or when it is another name of one. */
export interface ChangeNode {
  readonly entry: Entry;
  readonly parent: ChangeNode | undefined;
  /** Device and inode, where the file has several names. */
  readonly inode: string | undefined;
  kept: boolean;
}

const TURN = 512;

/**
 * What an overlay's upper folder changes on the layers below it, as entries of a layer in canonical order (as BuildKit's overlay differ, util/overlay): whiteouts only for what is there below, an opaque folder as the whiteouts that it comes
 * to, nothing for what was copied up and is the same (owner, mode, attributes, size and time; content where both times have no fraction of a second), every folder above a change. Hard links stay links. Sockets
 * and overlay's own attributes are left out. The root itself is never an entry.
 */
export async function overlayChanges(
  upper: string,
  lower: LayerStack,
  o: { xattrs: OverlayXattrs } & Wait,
): Promise<readonly Entry[]> {
  const walk = new Walk(upper, lower, o);
  await walk.folder('', { node: undefined, merges: lower.layers.length > 0, opaque: false });
  return settle(walk.nodes);
}

class Walk {
  readonly nodes: ChangeNode[] = [];
  readonly #upper: string;
  readonly #lower: LayerStack;
  readonly #o: { xattrs: OverlayXattrs } & Wait;
  #seen = 0;

  constructor(upper: string, lower: LayerStack, o: { xattrs: OverlayXattrs } & Wait) {
    this.#upper = upper;
    this.#lower = lower;
    this.#o = o;
  }

  /** `merges`: the lower layers have this folder too. `opaque`: and nothing of theirs shows, here or further in. */
  async folder(
    path: string,
    o: { readonly node: ChangeNode | undefined; readonly merges: boolean; readonly opaque: boolean },
  ): Promise<void> {
    const here = this.#upper + (path === '' ? '' : `/${path}`);
    const names = new Set(namesIn(here));
    const hidden = o.merges && o.opaque ? [...this.#lower.list(path).keys()].filter((name) => !names.has(name)) : [];
    const gone = new Set(hidden);
    for (const name of [...names, ...hidden].sort(comparePaths)) {
      if (++this.#seen % TURN === 0) {
        await setImmediate();
        throwIfCancelled(this.#o);
      }
      const at = below(path, name);
      if (gone.has(name)) {
        this.#gone(at, o.node);
        continue;
      }
      const found = { path: `${here}/${name}`, stat: statOf(`${here}/${name}`) };
      if (found.stat) await this.#visit(at, found as Found, o);
    }
  }

  async #visit(
    path: string,
    upper: Found,
    o: { readonly node: ChangeNode | undefined; readonly merges: boolean; readonly opaque: boolean },
  ): Promise<void> {
    const { stat } = upper;
    if (stat.isSocket()) return;
    const lower = o.merges ? this.#lower.find(path) : undefined;
    if (isWhiteout(stat)) {
      if (lower) this.#gone(path, o.node);
      return;
    }
    const { node, names } = changeOf(path, upper, { parent: o.node, lower, sameContent: false });
    this.nodes.push(node);
    if (!stat.isDirectory()) return;
    await this.folder(path, {
      node,
      merges: lower?.stat.isDirectory() ?? false,
      opaque: o.opaque || names.includes(`${this.#o.xattrs}.overlay.opaque`),
    });
  }

  #gone(path: string, parent: ChangeNode | undefined): void {
    this.nodes.push({ entry: whiteout(path), parent, inode: undefined, kept: true });
  }
}

/** What is at a path of a snapshot, a change or not. `sameContent`: the content is known to be the same as below. */
export function changeOf(
  path: string,
  upper: Found,
  o: { parent: ChangeNode | undefined; lower: Found | undefined; sameContent: boolean },
): { readonly node: ChangeNode; readonly names: readonly string[] } {
  const { stat } = upper;
  const { entry, names } = describe(path, upper);
  const kept = o.lower === undefined || !isSame(entry, upper, { ...o.lower, sameContent: o.sameContent });
  const inode = stat.nlink > 1n && !stat.isDirectory() ? `${stat.dev}:${stat.ino}` : undefined;
  return { node: { entry, parent: o.parent, inode, kept }, names };
}

/** The entries that are changes, names of one inode as links to the first. */
export function settle(nodes: readonly ChangeNode[]): readonly Entry[] {
  const linked = new Set<string>();
  for (const node of nodes) if (node.kept && node.inode !== undefined) linked.add(node.inode);
  for (const node of nodes) {
    if (node.inode !== undefined && linked.has(node.inode)) node.kept = true;
    if (node.kept) for (let at = node.parent; at && !at.kept; at = at.parent) at.kept = true;
  }
  const first = new Map<string, string>();
  const entries: Entry[] = [];
  for (const { entry, kept, inode } of nodes) {
    if (!kept) continue;
    const link = inode === undefined ? undefined : first.get(inode);
    if (link !== undefined) entries.push({ ...entry, type: 'hardlink', size: 0, link, device: undefined });
    else {
      if (inode !== undefined) first.set(inode, entry.path);
      entries.push(entry);
    }
  }
  return entries;
}

export function whiteout(path: string): Entry {
  return { path, type: 'whiteout', mode: 0, uid: 0, gid: 0, size: 0, mtime: 0, mtimeNs: 0 };
}

/** The entry that a file on disk is, and the names of all its attributes. */
export function describe(path: string, { path: at, stat }: Found): { entry: Entry; names: readonly string[] } {
  const type = typeOf(stat);
  const names = sys.listXattrs(native(at)).toSorted();
  let owner: readonly number[] | undefined;
  let xattrs: Map<string, Uint8Array> | undefined;
  for (const name of names) {
    if (name.endsWith('.overlay.redirect') || name.endsWith('.overlay.metacopy'))
      throw snapshotError(
        'SNAPSHOT_LIMIT',
        `read the changes of a snapshot: "${path}" was renamed by overlay's redirect`,
      );
    if (name === OWNER_XATTR) owner = ownerOf(sys.getXattr(native(at), name));
    else if (isLayerXattr(name)) {
      const value = sys.getXattr(native(at), name);
      if (value) (xattrs ??= new Map()).set(name, new Uint8Array(value));
    }
  }
  const mtime = floorSeconds(stat.mtimeNs);
  const entry: Entry = {
    path,
    type,
    mode: type === 'symlink' ? 0o777 : Number(stat.mode) & 0o7777,
    uid: owner?.[0] ?? Number(stat.uid),
    gid: owner?.[1] ?? Number(stat.gid),
    size: type === 'file' ? Number(stat.size) : 0,
    mtime,
    mtimeNs: Number(stat.mtimeNs - BigInt(mtime) * NS),
    ...(type === 'symlink' ? { link: linkTarget(at) } : {}),
    ...(type === 'character' || type === 'block' ? { device: sys.splitDevice(stat.rdev) } : {}),
    ...(xattrs ? { xattrs } : {}),
  };
  return { entry, names };
}

/** Whether a file is what it was: `after` describes `upper`. */
function isSame(after: Entry, upper: Found, lower: Found & { readonly sameContent: boolean }): boolean {
  if (upper.stat.ino === lower.stat.ino && upper.stat.dev === lower.stat.dev) return true;
  const same = sameEntry(after, describe(after.path, lower).entry);
  return same === 'unless content' ? lower.sameContent || sameContent(upper.path, lower.path) : same;
}

/** Whether something is what it was, by all that its entries say; where times are whole seconds that is not enough, and the content decides. */
export function sameEntry(after: Entry, before: Entry): boolean | 'unless content' {
  if (after.type !== before.type || after.mode !== before.mode) return false;
  if (after.uid !== before.uid || after.gid !== before.gid) return false;
  if (!sameXattrs(after.xattrs, before.xattrs)) return false;
  if (after.type === 'directory') return true;
  if (after.device?.major !== before.device?.major || after.device?.minor !== before.device?.minor) return false;
  if (after.link !== before.link || after.size !== before.size) return false;
  if (after.mtime !== before.mtime || after.mtimeNs !== before.mtimeNs) return false;
  return after.type !== 'file' || after.size === 0 || after.mtimeNs !== 0 ? true : 'unless content';
}

const NS = 1_000_000_000n;

function floorSeconds(ns: bigint): number {
  return Number(ns >= 0n ? ns / NS : -((-ns + NS - 1n) / NS));
}

function typeOf(stat: Stat): EntryType {
  if (stat.isFile()) return 'file';
  if (stat.isDirectory()) return 'directory';
  if (stat.isSymbolicLink()) return 'symlink';
  if (stat.isCharacterDevice()) return 'character';
  return stat.isBlockDevice() ? 'block' : 'fifo';
}

/** As containerd writes capabilities, and what users set; not those that belong to this machine (labels, ACLs, signatures). */
function isLayerXattr(name: string): boolean {
  return name === 'security.capability' || (name.startsWith('user.') && !isPrivateXattr(name));
}

function ownerOf(value: Uint8Array | undefined): readonly number[] | undefined {
  const match = /^(\d+):(\d+)$/.exec(Buffer.from(value ?? []).toString('latin1'));
  return match ? [Number(match[1]), Number(match[2])] : undefined;
}

function sameXattrs(a: Entry['xattrs'], b: Entry['xattrs']): boolean {
  if ((a?.size ?? 0) !== (b?.size ?? 0)) return false;
  for (const [name, value] of a ?? []) {
    const other = b?.get(name);
    if (!other || Buffer.compare(value, other) !== 0) return false;
  }
  return true;
}

const LEFT = Buffer.allocUnsafeSlow(1 << 18);
const RIGHT = Buffer.allocUnsafeSlow(1 << 18);

function sameContent(a: string, b: string): boolean {
  const left = openSync(native(a), 'r');
  try {
    const right = openSync(native(b), 'r');
    try {
      for (;;) {
        const n = readFull(left, LEFT);
        const m = readFull(right, RIGHT);
        if (n !== m || LEFT.compare(RIGHT, 0, m, 0, n) !== 0) return false;
        if (n < LEFT.length) return true;
      }
    } finally {
      closeSync(right);
    }
  } finally {
    closeSync(left);
  }
}

function readFull(fd: number, buffer: Buffer): number {
  let at = 0;
  while (at < buffer.length) {
    const n = readSync(fd, buffer, at, buffer.length - at, null);
    if (n === 0) break;
    at += n;
  }
  return at;
}
