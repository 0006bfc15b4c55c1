import { chmodSync, closeSync, openSync, readdirSync, rmdirSync, unlinkSync, type BigIntStats } from 'node:fs';
import { dirname, join } from 'node:path';
import { hasErrno, sys } from '../base/index.ts';
import { lstatIfThere, makeFolders, resolveInRoot } from './in-root.ts';
import type { Mount } from '../tree/index.ts';

/** Where something will be mounted in a root. */
export interface MountPoint {
  /** Absolute in the root. */
  readonly target: string;
  readonly kind: 'folder' | 'file';
}

/** Mount points that were made in a root, to be taken away again. */
export interface Stubs {
  /** The mount points' real paths in the root, links resolved. */
  readonly targets: readonly string[];
  /** Removes those that are still empty. Call it when nothing runs in the root and all but the root itself is unmounted. */
  remove(): void;
  /** Removes from the overlay's upper folder the folders that only the stubs brought there. Call it when the root is unmounted. */
  settle(): void;
  /** For `restoreStubs`, as plain data. */
  record(): StubRecord;
}

/** What another process needs to know of stubs to take them away. Numbers as decimal text. */
export interface StubRecord {
  readonly made: readonly { readonly path: string; readonly looks: Readonly<Record<keyof Looks, string>> }[];
  readonly before: readonly {
    readonly path: string;
    readonly upper: string;
    readonly looks: Readonly<Record<keyof Looks, string>>;
    readonly xattrs: string;
  }[];
}

type Looks = Pick<BigIntStats, 'ino' | 'mode' | 'uid' | 'gid' | 'mtimeNs'>;
type Made = { readonly path: string; readonly stats: Looks };

/**
 * Makes the mount points that a root lacks, with their parents, leaving every other time stamp as it was: the layer that a step becomes must not tell of them (moby/buildkit#3148). Order matters: below a mount point of the list
 * nothing is made, because it would not be seen.
 */
export function makeStubs(root: string, points: readonly MountPoint[], mounts: readonly Mount[]): Stubs {
  const upper = upperFolder(mounts);
  const targets: string[] = [];
  const made: Made[] = [];
  const before = new Map<string, Before>();
  for (const { target, kind } of points) {
    const place = resolveInRoot(root, target);
    const real = `/${[...place.exists, ...place.missing].join('/')}`;
    const covered = targets.some((other) => real.startsWith(`${other}/`));
    targets.push(real);
    if (covered || place.missing.length === 0) continue;
    if (upper !== undefined) remember(before, { root, upper, names: place.exists });
    const parent = join(root, ...place.exists);
    keepingTimes(parent, () => {
      const folders = kind === 'folder' ? place.missing : place.missing.slice(0, -1);
      let at = parent;
      for (const name of folders) {
        at = makeFolders(at, { exists: [], missing: [name] });
        made.push({ path: at, stats: lstatIfThere(at)! });
      }
      if (kind === 'folder') return;
      at = join(at, place.missing.at(-1)!);
      closeSync(openSync(at, 'wx', 0o644));
      chmodSync(at, 0o644);
      made.push({ path: at, stats: lstatIfThere(at)! });
    });
  }
  return stubsOf(targets, made, before);
}

/** The stubs that a process which is gone has made. */
export function restoreStubs(record: StubRecord): Pick<Stubs, 'remove' | 'settle'> {
  const made = record.made.map(({ path, looks }) => ({ path, stats: looksOf(looks) }));
  const before = new Map(
    record.before.map(({ path, upper, looks, xattrs }) => [path, { upper, stats: looksOf(looks), xattrs }]),
  );
  return stubsOf([], made, before);
}

function stubsOf(targets: readonly string[], made: readonly Made[], before: ReadonlyMap<string, Before>): Stubs {
  return {
    targets,
    remove: () => {
      for (const stub of made.toReversed()) removeStub(stub.path, stub.stats);
    },
    settle: () => {
      for (const [names, was] of [...before].sort(([a], [b]) => b.length - a.length)) settleFolder(names, was);
    },
    record: () => ({
      made: made.map(({ path, stats }) => ({ path, looks: textOf(stats) })),
      before: [...before].map(([path, { upper, stats, xattrs }]) => ({ path, upper, looks: textOf(stats), xattrs })),
    }),
  };
}

function textOf({ ino, mode, uid, gid, mtimeNs }: Looks): Record<keyof Looks, string> {
  return { ino: `${ino}`, mode: `${mode}`, uid: `${uid}`, gid: `${gid}`, mtimeNs: `${mtimeNs}` };
}

function looksOf(text: Readonly<Record<keyof Looks, string>>): Looks {
  const { ino, mode, uid, gid, mtimeNs } = text;
  return { ino: BigInt(ino), mode: BigInt(mode), uid: BigInt(uid), gid: BigInt(gid), mtimeNs: BigInt(mtimeNs) };
}

interface Before {
  readonly upper: string;
  readonly stats: Looks;
  readonly xattrs: string;
}

/** Notes the folders on the way that the upper folder does not have, and how they look. */
function remember(
  before: Map<string, Before>,
  o: { readonly root: string; readonly upper: string; readonly names: readonly string[] },
): void {
  for (let n = o.names.length; n > 0; n--) {
    const path = o.names.slice(0, n).join('/');
    if (before.has(path)) return;
    if (lstatIfThere(join(o.upper, path))) return;
    const merged = join(o.root, path);
    before.set(path, { upper: o.upper, stats: lstatIfThere(merged)!, xattrs: xattrsOf(merged) });
  }
}

function settleFolder(path: string, was: Before): void {
  const copy = join(was.upper, path);
  const stats = lstatIfThere(copy);
  if (!stats?.isDirectory() || !sameLooks(stats, was.stats)) return;
  if (readdirSync(copy).length > 0 || xattrsOf(copy) !== was.xattrs || isOpaque(copy)) return;
  keepingTimes(dirname(copy), () => rmdirSync(copy));
}

function removeStub(path: string, was: Looks): void {
  const stats = lstatIfThere(path);
  // A stub that was replaced, or given to somebody, is the step's own work.
  if (!stats || stats.ino !== was.ino || stats.mode !== was.mode || stats.uid !== was.uid || stats.gid !== was.gid)
    return;
  if (!stats.isDirectory() && stats.size > 0n) return;
  keepingTimes(dirname(path), () => {
    try {
      if (stats.isDirectory()) rmdirSync(path);
      else unlinkSync(path);
    } catch (error) {
      if (!hasErrno(error, 'ENOTEMPTY', 'EEXIST', 'EBUSY')) throw error;
    }
  });
}

/** A change in a folder that leaves its times as they were. */
export function keepingTimes<T>(folder: string, change: () => T): T {
  const stats = lstatIfThere(folder)!;
  try {
    return change();
  } finally {
    sys.utimes(folder, stats.atimeNs, stats.mtimeNs);
  }
}

function sameLooks(a: Looks, b: Looks): boolean {
  return a.mode === b.mode && a.uid === b.uid && a.gid === b.gid && a.mtimeNs === b.mtimeNs;
}

function xattrsOf(path: string): string {
  return sys
    .listXattrs(path)
    .filter((name) => !OVERLAY.test(name))
    .sort()
    .map((name) => `${name}=${Buffer.from(sys.getXattr(path, name) ?? []).toString('hex')}`)
    .join('\n');
}

function isOpaque(path: string): boolean {
  return ['trusted', 'user'].some((space) => sys.getXattr(path, `${space}.overlay.opaque`) !== undefined);
}

const OVERLAY = /^(trusted|user)\.overlay\./;

/** The writable folder of the overlay that a root is, if it is one. */
function upperFolder(mounts: readonly Mount[]): string | undefined {
  const root = mounts.findLast((mount) => (mount.target ?? '/') === '/');
  if (root?.type !== 'overlay') return undefined;
  const option = root.options.find((text) => text.startsWith('upperdir='));
  return option?.slice('upperdir='.length).replaceAll(/\\(.)/gs, '$1');
}
