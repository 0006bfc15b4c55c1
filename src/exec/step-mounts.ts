import {
  chmodSync,
  chownSync,
  closeSync,
  constants,
  fstatSync,
  mkdirSync,
  openSync,
  readFileSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { hasErrno, messageOf, mountAll, sys, unmount } from '../base/index.ts';
import { execError } from './errors.ts';
import type { Process, ProcessIo, StepMount } from './process.ts';
import type { SpecMount } from './spec.ts';
import { serveSocket } from './step-socket.ts';
import type { MountPoint } from './stubs.ts';

export interface PreparedMount extends MountPoint {
  readonly spec: SpecMount;
  /** A tmpfs that gets the mode of its mount point. */
  readonly takesMode?: boolean | undefined;
  /** A folder of the root; its source is not known yet. */
  readonly own?: boolean | undefined;
}

export interface PreparedMounts extends Disposable {
  readonly mounts: readonly PreparedMount[];
}

/**
 * Makes the sources of a process's mounts ready below `folder`, which is on a tmpfs: files are written, trees are mounted, parts of trees are bound by their open file, so that a tree that changes meanwhile cannot lead elsewhere.
 * Throws `STEP_MOUNT_MISSING` for a source that is not there.
 */
export function prepareMounts(
  process: Pick<Process, 'mounts'>,
  o: { readonly folder: string; readonly rootless: boolean; readonly io: Pick<ProcessIo, 'connect' | 'stderr'> },
): PreparedMounts {
  const undo: (() => void)[] = [];
  const dispose = (): void => {
    for (const step of undo.splice(0).toReversed()) step();
  };
  try {
    const mounts = process.mounts.map((mount, i) => prepare(mount, { ...o, folder: join(o.folder, `m${i}`), undo }));
    return { mounts, [Symbol.dispose]: dispose };
  } catch (error) {
    dispose();
    throw error;
  }
}

interface Context {
  readonly folder: string;
  readonly rootless: boolean;
  readonly io: Pick<ProcessIo, 'connect' | 'stderr'>;
  readonly undo: (() => void)[];
}

function prepare(mount: StepMount, c: Context): PreparedMount {
  if (mount.type === 'bind') return bound(mount, mount.source, c);
  if (mount.type === 'tmpfs') return temporary(mount, c);
  if (mount.type === 'file') return file(mount, c);
  if (mount.type === 'own') return own(mount);
  if (mount.type === 'socket') return socket(mount, c);
  mkdirSync(c.folder);
  const mounted = mountAll(mount.mounts, c.folder);
  c.undo.push(() => mounted[Symbol.dispose]());
  return bound(mount, partOf(mount, c), c);
}

/** Mounted here and bound, because the runtimes differ in what they make of its mode. */
function temporary(mount: Extract<StepMount, { type: 'tmpfs' }>, c: Context): PreparedMount {
  mkdirSync(c.folder);
  const size = mount.size !== undefined && mount.size > 0 ? [`size=${mount.size}`] : [];
  const mode = `mode=${(mount.mode ?? 0o1777).toString(8)}`;
  const mounted = mountAll([{ type: 'tmpfs', source: 'tmpfs', options: ['nosuid', mode, ...size] }], c.folder);
  c.undo.push(() => mounted[Symbol.dispose]());
  const options = ['rbind', 'nosuid', ...(mount.flags ?? [])];
  const spec: SpecMount = { destination: mount.target, type: 'bind', source: c.folder, options };
  return { target: mount.target, kind: 'folder', takesMode: mount.mode === undefined, spec };
}

function own({ target }: Extract<StepMount, { type: 'own' }>): PreparedMount {
  return {
    target,
    kind: 'folder',
    own: true,
    spec: { destination: target, type: 'bind', source: '', options: ['rbind', 'rw'] },
  };
}

function file(mount: Extract<StepMount, { type: 'file' }>, c: Context): PreparedMount {
  writeFileSync(c.folder, mount.content, { mode: 0o600, flag: 'wx' });
  give(c.folder, mount);
  const options = ['nosuid', 'nodev', ...((mount.mode & 0o111) === 0 ? ['noexec'] : []), 'rbind', 'ro'];
  const spec: SpecMount = { destination: mount.target, type: 'bind', source: c.folder, options };
  return { target: mount.target, kind: 'file', spec };
}

function socket(mount: Extract<StepMount, { type: 'socket' }>, c: Context): PreparedMount {
  const serving = serveSocket(c.folder, { name: mount.name, io: c.io });
  c.undo.push(() => serving[Symbol.dispose]());
  give(c.folder, mount);
  const options = ['nosuid', 'nodev', 'noexec', 'rbind', 'ro'];
  return {
    target: mount.target,
    kind: 'file',
    spec: { destination: mount.target, type: 'bind', source: c.folder, options },
  };
}

function give(path: string, o: { readonly mode: number; readonly uid: number; readonly gid: number }): void {
  try {
    chownSync(path, o.uid, o.gid);
  } catch (error) {
    // An id that is not mapped: the one there is reads it.
    if (!hasErrno(error, 'EINVAL', 'EPERM')) throw error;
  }
  chmodSync(path, o.mode);
}

function bound(mount: { target: string; readonly: boolean }, source: string, c: Context): PreparedMount {
  let stats;
  try {
    stats = statSync(source);
  } catch (error) {
    throw missing(mount.target, source, error);
  }
  const options = [
    'rbind',
    mount.readonly ? 'ro' : 'rw',
    ...(c.rootless ? mountFlags(source).filter((flag) => LOCKED.has(flag)) : []),
  ];
  return {
    target: mount.target,
    kind: stats.isDirectory() ? 'folder' : 'file',
    spec: { destination: mount.target, type: 'bind', source, options: [...new Set(options)] },
  };
}

/** The folder or file of the mounted tree that is wanted, as a place that cannot be led elsewhere. */
function partOf(mount: Extract<StepMount, { type: 'tree' }>, c: Context): string {
  if (/^[/.]*$/.test(mount.source)) return c.folder;
  const root = openSync(c.folder, O_PATH | constants.O_DIRECTORY);
  try {
    const fd = sys.openInRoot(root, mount.source, O_PATH);
    try {
      const part = `${c.folder}-part`;
      if (fstatSync(fd).isDirectory()) mkdirSync(part);
      else writeFileSync(part, '');
      sys.mount(`/proc/self/fd/${fd}`, part, { flags: sys.MS.BIND | sys.MS.REC });
      c.undo.push(() => unmount(part));
      return part;
    } finally {
      closeSync(fd);
    }
  } catch (error) {
    if (hasErrno(error, 'ENOENT', 'ENOTDIR', 'ELOOP')) throw missing(mount.target, mount.source, error);
    throw error;
  } finally {
    closeSync(root);
  }
}

function missing(target: string, source: string, cause: unknown): Error {
  const detail = hasErrno(cause, 'ENOENT') ? 'not found' : messageOf(cause);
  return execError('STEP_MOUNT_MISSING', `mount "${source}" on "${target}": ${detail}`, { cause });
}

/** The flags of the mount that a path is on, as mountinfo has them (proc(5)). */
export function mountFlags(path: string): string[] {
  const fd = openSync(path, O_PATH);
  try {
    const id = /^mnt_id:\s*(\d+)/m.exec(readFileSync(`/proc/self/fdinfo/${fd}`, 'latin1'))?.[1];
    const line = readFileSync('/proc/self/mountinfo', 'latin1')
      .split('\n')
      .find((text) => text.startsWith(`${id} `));
    return (line?.split(' ')[5] ?? '').split(',');
  } finally {
    closeSync(fd);
  }
}

/** What a user namespace may not take away: a bind in it must repeat it (moby/buildkit#3098). */
const LOCKED = new Set(['ro', 'nodev', 'noexec', 'nosuid', 'noatime', 'relatime', 'nodiratime']);
const O_PATH = 0o10000000;
