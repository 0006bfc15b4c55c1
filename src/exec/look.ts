import {
  closeSync,
  constants,
  fstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readlinkSync,
  readSync,
  rmSync,
} from 'node:fs';
import { join } from 'node:path';
import { hasErrno, mountAll, sys, throwIfCancelled, unmount, type Wait } from '../base/index.ts';
import type { Entry, Mount } from '../tree/index.ts';
import { execError } from './errors.ts';
import type { Looked, LookedAt, Question } from './executor.ts';
import type { StepMount } from './process.ts';
import { prepareMounts } from './step-mounts.ts';

/**
 * `Executor.look` by mounts in this process, below `folder`, which is to be made and on a tmpfs. What processes write to meanwhile is seen through read-only mounts of its layers, so that neither disturbs the other; paths are opened by the kernel inside
 * the root, so that no link that changes meanwhile leads out of it.
 */
export function lookInto(
  at: LookedAt,
  question: Question,
  o: { readonly folder: string; readonly rootless: boolean } & Wait,
): Looked | undefined {
  throwIfCancelled(o);
  using undo = new DisposableStack();
  mkdirSync(o.folder, { mode: 0o700 });
  undo.defer(() => rmSync(o.folder, { recursive: true, force: true }));
  const point = join(o.folder, 'root');
  mkdirSync(point);
  undo.defer(() => unmount(point));
  undo.use(mountAll(at.root.map(readOnly), point));
  const io = { stderr: () => undefined };
  const wanted = at.mounts.filter(({ type }) => type !== 'socket' && type !== 'own').map(readOnlyMount);
  const { mounts } = undo.use(prepareMounts({ mounts: wanted }, { ...o, io }));
  const root = undo.adopt(openSync(point, O_PATH | constants.O_DIRECTORY), closeSync);
  let from = root;
  let path = question.path;
  for (const { target, spec } of mounts) {
    const on = opened(root, target, O_PATH);
    if (on !== undefined) {
      using _ = closing(on);
      sys.mount(spec.source, `/proc/self/fd/${on}`, { flags: sys.MS.BIND | sys.MS.REC });
    } else if (isBelow(question.path, target)) {
      // The point is made when a process starts: until then the mount stands alone.
      from = undo.adopt(openSync(spec.source, O_PATH), closeSync);
      path = question.path.slice(target.length);
    }
  }
  return answer(from, path, question);
}

/** What is at a path below an open folder; undefined when there is nothing. */
function answer(root: number, path: string, { kind, limit = Infinity }: Question): Looked | undefined {
  const name = path.split('/').findLast((part) => part !== '') ?? '';
  if (kind === 'read') {
    const fd = opened(root, path, constants.O_RDONLY | constants.O_NONBLOCK);
    if (fd === undefined) return undefined;
    using _ = closing(fd);
    return { entries: [], content: contentOf(fd, path, limit) };
  }
  const fd = opened(root, path, O_PATH) ?? opened(root, path, O_PATH | constants.O_NOFOLLOW);
  if (fd === undefined) return undefined;
  using _ = closing(fd);
  if (kind === 'stat') {
    const folder = opened(root, path.replace(/[^/]*\/*$/, ''), O_PATH);
    using _folder = folder === undefined ? undefined : closing(folder);
    return { entries: [entryOf(fd, name, folder)] };
  }
  if (!fstatSync(fd).isDirectory()) throw execError('STEP_INVALID', `list "${path}" of the root: it is not a folder`);
  const names = readdirSync(`/proc/self/fd/${fd}`).sort();
  return {
    entries: names.flatMap((one) => {
      const child = opened(fd, one, O_PATH | constants.O_NOFOLLOW);
      if (child === undefined) return [];
      using _child = closing(child);
      return [entryOf(child, one, fd)];
    }),
  };
}

function contentOf(fd: number, path: string, limit: number): Uint8Array {
  const stats = fstatSync(fd);
  if (!stats.isFile()) throw execError('STEP_INVALID', `read "${path}" of the root: it is not a file`);
  if (stats.size > limit)
    throw execError('STEP_INVALID', `read "${path}" of the root: ${stats.size} bytes, which is more than ${limit}`);
  const content = Buffer.alloc(stats.size);
  let length = 0;
  for (let read = -1; read !== 0 && length < content.length; length += read)
    read = readSync(fd, content, length, content.length - length, null);
  return content.subarray(0, length);
}

/** What is open, under the name that it has in `folder`. */
function entryOf(fd: number, path: string, folder: number | undefined): Entry {
  const stats = fstatSync(fd, { bigint: true });
  const format = Number(stats.mode) & constants.S_IFMT;
  const type = TYPES[format] ?? 'fifo';
  const seconds = stats.mtimeNs / 1_000_000_000n;
  const device = type === 'character' || type === 'block' ? sys.splitDevice(stats.rdev) : undefined;
  return {
    path,
    type,
    mode: Number(stats.mode) & 0o7777,
    uid: Number(stats.uid),
    gid: Number(stats.gid),
    size: type === 'file' ? Number(stats.size) : 0,
    mtime: Number(seconds),
    mtimeNs: Number(stats.mtimeNs - seconds * 1_000_000_000n),
    ...(type === 'symlink' ? { link: linkAt(folder, path) } : {}),
    ...(device ? { device } : {}),
  };
}

/** Empty for one that is gone meanwhile. */
function linkAt(folder: number | undefined, name: string): string {
  try {
    return readlinkSync(`/proc/self/fd/${folder}/${name}`);
  } catch (error) {
    if (hasErrno(error, 'ENOENT', 'EINVAL', 'ENOTDIR')) return '';
    throw error;
  }
}

const TYPES: Readonly<Record<number, Entry['type']>> = {
  [constants.S_IFREG]: 'file',
  [constants.S_IFDIR]: 'directory',
  [constants.S_IFLNK]: 'symlink',
  [constants.S_IFCHR]: 'character',
  [constants.S_IFBLK]: 'block',
};

/** Undefined where there is nothing. */
function opened(root: number, path: string, flags: number): number | undefined {
  try {
    // It may be a file itself.
    if (/^\/*$/.test(path)) return openSync(`/proc/self/fd/${root}`, flags & ~constants.O_NOFOLLOW);
    return sys.openInRoot(root, path, flags);
  } catch (error) {
    if (hasErrno(error, 'ENOENT', 'ENOTDIR', 'ELOOP', 'ENXIO', 'ENAMETOOLONG')) return undefined;
    throw error;
  }
}

function closing(fd: number): Disposable {
  return { [Symbol.dispose]: () => closeSync(fd) };
}

function isBelow(path: string, target: string): boolean {
  return path === target || path.startsWith(`${target}/`);
}

function readOnlyMount(mount: StepMount): StepMount {
  return mount.type === 'tree' ? { ...mount, mounts: mount.mounts.map(readOnly), readonly: true } : mount;
}

/** The same tree without a way to change it: an overlay's upper folder becomes its topmost layer, and its work folder stays another mount's alone. */
export function readOnly(mount: Mount): Mount {
  const valueOf = (name: string): string | undefined =>
    mount.options.find((option) => option.startsWith(`${name}=`))?.slice(name.length + 1);
  const upper = valueOf('upperdir');
  if (mount.type !== 'overlay' || upper === undefined)
    return { ...mount, options: ['ro', ...mount.options.filter((option) => option !== 'rw' && option !== 'ro')] };
  const kept = mount.options.filter((option) => !/^(?:(?:upper|work|lower)dir=|volatile$|rw$|ro$)/.test(option));
  return { ...mount, options: ['ro', ...kept, `lowerdir=${upper}:${valueOf('lowerdir') ?? ''}`] };
}

const O_PATH = 0o10000000;
