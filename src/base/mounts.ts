import { spawnSync } from 'node:child_process';
import { closeSync, constants, openSync, readFileSync, readlinkSync, rmSync } from 'node:fs';
import { dirname, isAbsolute, join, relative } from 'node:path';
import { errorTable, hasErrno, messageOf } from './error.ts';
import * as sys from './sys/index.ts';

export const mountError = errorTable({ MOUNT_FAILED: 'failed', MOUNT_DENIED: 'denied', MOUNT_INVALID: 'invalid' });

/** What one mount does, as plain data: the shape of `Mount` in the tree room. Options as in fstab; in overlay paths ":", "," and "\" are escaped by "\". */
export interface MountSpec {
  readonly type: string;
  readonly source: string;
  /** Where, inside the root that is put together; "/" by default. It must exist. */
  readonly target?: string | undefined;
  readonly options: readonly string[];
}

/**
 * Mounts these one after the other, each at its `target` inside `root` (links on the way are resolved inside it, never outside); the end of the scope undoes all. Call it in a mount namespace of one's own (`sys.unshareMounts`).
 * A read-only bind keeps the flags that a user namespace locks. Overlay options may be longer than a page. Nothing stays mounted when it throws `MOUNT_DENIED` or `MOUNT_FAILED`.
 */
export function mountAll(mounts: readonly MountSpec[], root: string): Disposable {
  const mounted: string[] = [];
  const undo = (): void => {
    for (const path of mounted.splice(0).toReversed()) unmount(path);
  };
  try {
    for (const mount of mounts) {
      const path = placeOf(root, mount.target);
      try {
        mountOne(mount, path, () => mounted.push(path));
      } catch (error) {
        const denied = hasErrno(error, 'EPERM', 'EACCES');
        throw mountError(
          denied ? 'MOUNT_DENIED' : 'MOUNT_FAILED',
          `mount ${mount.type} "${mount.source}" on "${path}": ${messageOf(error)}`,
          { cause: error },
        );
      }
    }
  } catch (error) {
    undo();
    throw error;
  }
  return { [Symbol.dispose]: undo };
}

/** Unmounts what is mounted at `path`, with all below it, at once or as soon as the last user is gone. Nothing happens when nothing is mounted there. */
export function unmount(path: string): void {
  try {
    sys.umount(path, sys.UMOUNT_NOFOLLOW);
  } catch (error) {
    if (hasErrno(error, 'EBUSY')) sys.umount(path, sys.UMOUNT_NOFOLLOW | sys.MNT_DETACH);
    else if (!hasErrno(error, 'EINVAL', 'ENOENT')) throw error;
  }
}

/** A path as it stands in overlay's `lowerdir=`, `upperdir=` and `workdir=`. */
export function escapeOverlayPath(path: string): string {
  return path.replaceAll(/[\\:,]/g, String.raw`\$&`);
}

const { MS } = sys;
const FLAGS: Readonly<Record<string, readonly [set: number, clear: number]>> = {
  ro: [MS.RDONLY, 0],
  rw: [0, MS.RDONLY],
  nosuid: [MS.NOSUID, 0],
  suid: [0, MS.NOSUID],
  nodev: [MS.NODEV, 0],
  dev: [0, MS.NODEV],
  noexec: [MS.NOEXEC, 0],
  exec: [0, MS.NOEXEC],
  noatime: [MS.NOATIME, 0],
  atime: [0, MS.NOATIME],
  nodiratime: [2048, 0],
  diratime: [0, 2048],
  relatime: [MS.RELATIME, 0],
  strictatime: [MS.STRICTATIME, 0],
  bind: [MS.BIND, 0],
  rbind: [MS.BIND | MS.REC, 0],
  sync: [16, 0],
  dirsync: [128, 0],
  defaults: [0, 0],
};
const PROPAGATION: Readonly<Record<string, number>> = {
  private: MS.PRIVATE,
  rprivate: MS.PRIVATE | MS.REC,
  slave: MS.SLAVE,
  rslave: MS.SLAVE | MS.REC,
  shared: MS.SHARED,
  rshared: MS.SHARED | MS.REC,
  unbindable: 1 << 17,
  runbindable: (1 << 17) | MS.REC,
};
/** Per mount point, not per file system: these need a remount after a bind or an fsmount. */
const POINT_FLAGS = MS.RDONLY | MS.NOSUID | MS.NODEV | MS.NOEXEC | MS.NOATIME | 2048 | MS.RELATIME | MS.STRICTATIME;
const PAGE = 4096;
const O_PATH = 0o10000000;

interface Parsed {
  readonly flags: number;
  readonly propagation: readonly number[];
  readonly data: readonly string[];
}

function parse(options: readonly string[]): Parsed {
  let flags = 0;
  const propagation: number[] = [];
  const data: string[] = [];
  for (const option of options) {
    const change = FLAGS[option];
    const spread = PROPAGATION[option];
    if (change) flags = (flags | change[0]) & ~change[1];
    else if (spread !== undefined) propagation.push(spread);
    else if (option !== '') data.push(option);
  }
  return { flags, propagation, data };
}

function mountOne(mount: MountSpec, path: string, made: () => void): void {
  const { flags, propagation, data } = parse(mount.options);
  if (mount.type === 'overlay' && data.includes('volatile')) allowAgain(data);
  if (mount.type === 'bind' || (flags & MS.BIND) !== 0) {
    sys.mount(mount.source, path, { flags: MS.BIND | (flags & MS.REC) });
    made();
    if ((flags & POINT_FLAGS) !== 0) remountBind(path, flags & POINT_FLAGS);
  } else if (mount.type === 'overlay' && data.join(',').length + 1 > PAGE) {
    mountLongOverlay(path, { flags, data }, made);
  } else {
    sys.mount(mount.source, path, {
      type: mount.type,
      flags,
      ...(data.length === 0 ? {} : { data: data.join(',') }),
    });
    made();
  }
  for (const spread of propagation) sys.mount('none', path, { flags: spread });
}

/** A volatile overlay leaves a mark that keeps it from being mounted again (Documentation/filesystems/overlayfs.rst, "Volatile mount"). What was written is all there while the machine runs. */
function allowAgain(data: readonly string[]): void {
  const workdir = data.findLast((option) => option.startsWith('workdir='))?.slice('workdir='.length);
  if (workdir !== undefined)
    rmSync(join(unescape(workdir), 'work/incompat/volatile'), { recursive: true, force: true });
}

/** A bind takes its flags by a second mount(2), which in a user namespace must repeat those that the source's mount has. */
function remountBind(path: string, flags: number): void {
  const remount = (all: number): void => sys.mount('none', path, { flags: MS.BIND | MS.REMOUNT | all });
  try {
    remount(flags);
  } catch (error) {
    if (!hasErrno(error, 'EPERM')) throw error;
    remount(flags | flagsOf(path));
  }
}

/** The mount flags in force at a mount point, from mountinfo (proc(5)). */
function flagsOf(path: string): number {
  const fd = openSync(path, O_PATH | constants.O_NOFOLLOW);
  try {
    const id = /^mnt_id:\s*(\d+)/m.exec(readFileSync(`/proc/self/fdinfo/${fd}`, 'latin1'))?.[1];
    for (const line of readFileSync('/proc/self/mountinfo', 'latin1').split('\n')) {
      const fields = line.split(' ');
      if (fields[0] === id) return parse((fields[5] ?? '').split(',')).flags & POINT_FLAGS;
    }
    return 0;
  } finally {
    closeSync(fd);
  }
}

/** Overlay options over a page: one call per lower layer where the kernel has "lowerdir+" (6.7), else relative paths by a `mount` program started in their common folder. */
function mountLongOverlay(path: string, o: { flags: number; data: readonly string[] }, made: () => void): void {
  const lowers = o.data.filter((option) => option.startsWith('lowerdir=')).flatMap((option) => splitLowers(option));
  const others = o.data.filter((option) => !option.startsWith('lowerdir='));
  try {
    sys.mountByOptions(
      'overlay',
      path,
      [
        ['source', 'overlay'],
        ...lowers.map((lower) => ['lowerdir+', lower] as const),
        ...others.map((option): [string, string] => {
          const at = option.indexOf('=');
          return at < 0 ? [option, ''] : [option.slice(0, at), option.slice(at + 1)];
        }),
        ...((o.flags & MS.RDONLY) !== 0 ? [['ro', ''] as const] : []),
      ],
      o.flags,
    );
    made();
    const rest = o.flags & (MS.NOEXEC | MS.NOATIME | 2048 | MS.RELATIME | MS.STRICTATIME);
    if (rest !== 0) remountBind(path, o.flags & POINT_FLAGS);
    return;
  } catch (error) {
    if (!hasErrno(error, 'EINVAL', 'ENOSYS', 'EPERM') || messageOf(error).includes('move_mount')) throw error;
    mountRelative(path, { lowers, others, flags: o.flags }, error);
    made();
  }
}

function mountRelative(
  path: string,
  o: { lowers: readonly string[]; others: readonly string[]; flags: number },
  first: unknown,
): void {
  const common = commonFolder(o.lowers);
  const lowers = o.lowers.map((lower) => escapeOverlayPath(relative(common, lower) || '.'));
  const short = o.others.map((option) =>
    option.replace(/^(upperdir|workdir)=(.*)$/, (_, key, value) => {
      const plain = unescape(String(value));
      return `${key}=${escapeOverlayPath(isAbsolute(plain) ? relative(common, plain) : plain)}`;
    }),
  );
  const named = Object.entries(FLAGS).filter(([name, [set]]) => !name.endsWith('bind') && (o.flags & set) !== 0);
  const options = [`lowerdir=${lowers.join(':')}`, ...short, ...named.map(([name]) => name)].join(',');
  if (options.length + 1 > PAGE) throw first;
  const done = spawnSync('mount', ['-i', '-t', 'overlay', 'overlay', path, '-o', options], {
    cwd: common,
    encoding: 'utf8',
  });
  if (done.status !== 0)
    throw mountError('MOUNT_FAILED', `mount overlay of ${lowers.length} layers: ${done.stderr.trim()}`, {
      cause: done.error ?? first,
    });
}

function splitLowers(option: string): string[] {
  return [...option.slice('lowerdir='.length).matchAll(/((?:[^\\:]|\\.)+)(?::|$)/gs)].map((m) => unescape(m[1] ?? ''));
}

function unescape(text: string): string {
  return text.replaceAll(/\\(.)/gs, '$1');
}

function commonFolder(paths: readonly string[]): string {
  let common = dirname(paths[0] ?? '/');
  for (const path of paths) while (common !== '/' && !path.startsWith(`${common}/`)) common = dirname(common);
  return common;
}

/** The real place of `target` inside `root`. */
function placeOf(root: string, target = '/'): string {
  if (target === '/' || target === '') return root;
  const rootFd = openSync(root, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    const fd = sys.openInRoot(rootFd, target, O_PATH);
    try {
      return readlinkSync(`/proc/self/fd/${fd}`);
    } finally {
      closeSync(fd);
    }
  } catch (error) {
    throw mountError('MOUNT_INVALID', `mount on "${join(root, target)}": ${messageOf(error)}`, { cause: error });
  } finally {
    closeSync(rootFd);
  }
}
