import {
  chmodSync,
  chownSync,
  mkdirSync,
  renameSync,
  rmdirSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { hasErrno } from '../base/index.ts';
import { copyTree } from './copy-tree.ts';
import { execError } from './errors.ts';
import { lstatIfThere, makeFolders, resolveInRoot } from './in-root.ts';
import { keepingTimes } from './stubs.ts';
import { serveSocket } from './step-socket.ts';
import type { ProcessIo, StepMount } from './process.ts';

interface Covering {
  readonly root: string;
  /** A folder of one's own, on the root's file system if that can be. */
  readonly folder: string;
  readonly undo: (() => void)[];
  /** Whom sockets lead to. */
  readonly io: Pick<ProcessIo, 'connect' | 'stderr'>;
}

/**
 * Puts a step's mounts into a root where nothing can be mounted: files and folders in the place of what is there, which is set aside and comes back when `undo` is run (in reverse). No time stamp tells of it. Read-only mounts can be written to,
 * and a tmpfs is a folder, of any size.
 */
export function coverAll(mounts: readonly StepMount[], c: Covering): void {
  mounts.forEach((mount, i) => {
    if (mount.type === 'own') return;
    cover(mount.target, { ...c, folder: join(c.folder, `m${i}`), make: (place) => fill(mount, place, c) });
  });
}

/** A file of strake's own in the root while a step runs. */
export function coverFile(target: string, content: string, c: Covering & { readonly name: string }): void {
  cover(target, {
    ...c,
    folder: join(c.folder, c.name),
    make: (place) => {
      writeFileSync(place, content, { flag: 'wx' });
      chmodSync(place, 0o644);
      return () => rmSync(place, { force: true });
    },
  });
}

/** Makes what is mounted, and says how it is taken away. */
function fill(mount: Exclude<StepMount, { type: 'own' }>, place: string, c: Covering): () => void {
  const remove = (): void => rmSync(place, { recursive: true, force: true });
  switch (mount.type) {
    case 'file':
      writeFileSync(place, mount.content, { mode: 0o600, flag: 'wx' });
      chownSync(place, mount.uid, mount.gid);
      chmodSync(place, mount.mode);
      return remove;
    case 'socket': {
      const serving = serveSocket(place, { name: mount.name, io: c.io });
      chownSync(place, mount.uid, mount.gid);
      chmodSync(place, mount.mode);
      return () => {
        serving[Symbol.dispose]();
        remove();
      };
    }
    case 'tmpfs':
      mkdirSync(place);
      chmodSync(place, mount.mode ?? 0o1777);
      return remove;
    case 'bind':
      return bound(mount, place, { source: mount.source, apart: c.root !== '/' });
    case 'tree': {
      const [only, ...more] = mount.mounts;
      if (only?.type !== 'bind' || more.length > 0) throw unsupported(mount.target, 'its source is more than a folder');
      const inside = resolveInRoot(only.source, mount.source);
      if (inside.missing.length > 0)
        throw execError('STEP_MOUNT_MISSING', `mount "${mount.source}" on "${mount.target}": not found`);
      return bound(mount, place, { source: join(only.source, ...inside.exists), apart: c.root !== '/' });
    }
    default:
      return mount satisfies never;
  }
}

/** A folder that is to be written to moves in and out again, so that it is where it seems to be; else a link, or a copy of a file and of what a step in a root of its own (`apart`) could not reach. */
function bound(
  mount: { readonly target: string; readonly readonly: boolean },
  place: string,
  { source, apart }: { readonly source: string; readonly apart: boolean },
): () => void {
  const stats = statSync(source, { throwIfNoEntry: false });
  if (!stats) throw execError('STEP_MOUNT_MISSING', `mount "${source}" on "${mount.target}": not found`);
  const remove = (): void => rmSync(place, { recursive: true, force: true });
  if (mount.readonly && (apart || stats.isFile())) {
    copyTree(Buffer.from(source), Buffer.from(place));
    return remove;
  }
  if (stats.isDirectory() && !mount.readonly && moved(source, place)) return () => renameSync(place, source);
  if (apart) throw unsupported(mount.target, 'its source is on another file system, or no folder');
  symlinkSync(source, place);
  return remove;
}

function moved(from: string, to: string): boolean {
  try {
    renameSync(from, to);
    return true;
  } catch (error) {
    if (hasErrno(error, 'EXDEV', 'EBUSY', 'EINVAL')) return false;
    throw error;
  }
}

function cover(target: string, c: Covering & { readonly make: (place: string) => () => void }): void {
  const { root, undo } = c;
  const place = resolveInRoot(root, target);
  if (place.exists.length === 0 && place.missing.length === 0) throw unsupported(target, 'it is the root');
  let parent = join(root, ...(place.missing.length === 0 ? place.exists.slice(0, -1) : place.exists));
  for (const name of place.missing.slice(0, -1)) {
    const above = parent;
    parent = keepingTimes(above, () => makeFolders(above, { exists: [], missing: [name] }));
    const made = parent;
    undo.push(() => removeIfEmpty(made));
  }
  const at = join(parent, place.missing.at(-1) ?? place.exists.at(-1) ?? '');
  const within = (change: (() => void) | undefined): void => {
    if (change && lstatIfThere(parent)?.isDirectory()) keepingTimes(parent, change);
  };
  if (place.missing.length === 0) {
    const aside = keepingTimes(parent, () => setAside(at, { ...c, target }));
    undo.push(() => within(() => renameSync(aside, at)));
  }
  const remove = keepingTimes(parent, () => c.make(at));
  undo.push(() => within(remove));
}

/** Where what a mount covers is meanwhile. */
function setAside(at: string, c: Covering & { readonly target: string }): string {
  const aside = `${c.folder}-aside`;
  try {
    if (moved(at, aside)) return aside;
    const beside = join(dirname(at), `.strake-${aside.split('/').slice(-2).join('-')}`);
    renameSync(at, beside);
    return beside;
  } catch (error) {
    if (hasErrno(error, 'EBUSY')) throw unsupported(c.target, 'something is mounted there in this container');
    throw error;
  }
}

/** What a step has put there stays. */
function removeIfEmpty(folder: string): void {
  if (!lstatIfThere(folder)?.isDirectory()) return;
  keepingTimes(dirname(folder), () => {
    try {
      rmdirSync(folder);
    } catch (error) {
      if (!hasErrno(error, 'ENOTEMPTY', 'EEXIST', 'EBUSY')) throw error;
    }
  });
}

function unsupported(target: string, why: string): Error {
  return execError('STEP_UNSUPPORTED', `mount on "${target}" in place: ${why}`, {
    remedy: 'Build where strake may mount or make user namespaces, or mount somewhere else.',
  });
}
