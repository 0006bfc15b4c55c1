/**
 * System calls that Node lacks, by `node:ffi`: the only module that may use it. All calls are synchronous and act on the calling
 * thread or on what their arguments name; what changes the whole process says so. A failure throws an Error with `code` (as `ENOENT`), `errno`, `syscall` and `path`, as
 * Node's own do. Paths are strings (UTF-8) or Buffers (any bytes). Constants are those of Linux (x86-64 and arm64 agree).
 */
import { constants as os } from 'node:os';
import { call } from './call.ts';
import {
  openPty as openPtyBy,
  rawTermios,
  TCGETS,
  TCSETS,
  TERMIOS_SIZE,
  TIOCSWINSZ,
  windowSizeData,
  type Pty,
  type WindowSize,
} from './pty.ts';

import { FdReceiver } from './fd-receiver.ts';
import * as own from './process.ts';

export type { Pty, WindowSize } from './pty.ts';

export type SysPath = string | Buffer;

export const MS = {
  RDONLY: 1,
  NOSUID: 2,
  NODEV: 4,
  NOEXEC: 8,
  REMOUNT: 32,
  NOATIME: 1024,
  BIND: 4096,
  MOVE: 8192,
  REC: 16384,
  PRIVATE: 1 << 18,
  SLAVE: 1 << 19,
  SHARED: 1 << 20,
  RELATIME: 1 << 21,
  STRICTATIME: 1 << 24,
} as const;
export const MNT_DETACH = 2;
export const UMOUNT_NOFOLLOW = 8;
export const CLONE_NEWNS = 0x20000;

/** mount(2). `data` longer than a page (4095 bytes) is refused with EINVAL, because the kernel would cut it silently. */
export function mount(
  source: SysPath,
  target: SysPath,
  o: { type?: string; flags?: number; data?: string | Buffer } = {},
): void {
  const data = o.data === undefined ? null : cstr(o.data);
  if (data && data.length > 4096) throw sysError(os.errno.EINVAL, 'mount', target);
  check(call('mount', cstr(source), cstr(target), cstr(o.type ?? ''), o.flags ?? 0, data), 'mount', target);
}

/** umount2(2). */
export function umount(target: SysPath, flags = 0): void {
  check(call('umount2', cstr(target), flags), 'umount2', target);
}

/** Gives the calling thread, and the threads and children it starts from now on, a mount namespace of its own, unshared from the parent's. */
export function unshareMounts(): void {
  check(call('unshare', CLONE_NEWNS), 'unshare');
  mount('none', '/', { flags: MS.REC | MS.PRIVATE });
}

/** mknod(2). `mode` includes the type bits (S_IFCHR 0o020000, S_IFBLK 0o060000, S_IFIFO 0o010000). */
export function mknod(
  path: SysPath,
  mode: number,
  device: { major: number; minor: number } = { major: 0, minor: 0 },
): void {
  check(call('mknod', cstr(path), mode, makedev(device.major, device.minor)), 'mknod', path);
}

/** An extended attribute of the path itself (links are not followed); undefined when there is none or the file system has none. */
export function getXattr(path: SysPath, name: string): Uint8Array | undefined {
  const p = cstr(path);
  const n = cstr(name);
  for (let size = 256; ;) {
    const buffer = Buffer.alloc(size);
    const got = call('lgetxattr', p, n, buffer, size);
    if (got >= 0) return buffer.subarray(0, got);
    const errno = lastErrno();
    if (errno === os.errno.ENODATA || errno === os.errno.ENOTSUP) return undefined;
    if (errno !== os.errno.ERANGE) throw sysError(errno, 'lgetxattr', path);
    size = check(call('lgetxattr', p, n, null, 0), 'lgetxattr', path) + 64;
  }
}

/** The names of the path's own extended attributes; none where the file system has none. */
export function listXattrs(path: SysPath): string[] {
  const p = cstr(path);
  let size = XATTR_LIST.length;
  let buffer = XATTR_LIST;
  for (;;) {
    const got = call('llistxattr', p, buffer, size);
    if (got === 0) return NO_NAMES;
    if (got > 0) return buffer.toString('latin1', 0, got - 1).split('\0');
    const errno = lastErrno();
    if (errno === os.errno.ENOTSUP) return NO_NAMES;
    if (errno !== os.errno.ERANGE) throw sysError(errno, 'llistxattr', path);
    size = check(call('llistxattr', p, null, 0), 'llistxattr', path) + 256;
    buffer = Buffer.alloc(size);
  }
}

export function setXattr(path: SysPath, name: string, value: Uint8Array): void {
  const buffer = value.length === 0 ? EMPTY : Buffer.from(value);
  check(call('lsetxattr', cstr(path), cstr(name), buffer, value.length, 0), 'lsetxattr', path);
}

export function removeXattr(path: SysPath, name: string): void {
  check(call('lremovexattr', cstr(path), cstr(name)), 'lremovexattr', path);
}

/** Sets atime and mtime of the path itself, in nanoseconds since the epoch. */
export function utimes(path: SysPath, atimeNs: bigint, mtimeNs: bigint): void {
  const spec = Buffer.alloc(32);
  writeTimespec(spec, 0, atimeNs);
  writeTimespec(spec, 16, mtimeNs);
  check(call('utimensat', AT_FDCWD, cstr(path), spec, AT_SYMLINK_NOFOLLOW), 'utimensat', path);
}

/** flock(2): true when the lock was taken, false when `wait` is off and another open file has it. */
export function flock(fd: number, how: 'shared' | 'exclusive' | 'unlock', o: { wait?: boolean } = {}): boolean {
  const op = { shared: 1, exclusive: 2, unlock: 8 }[how] | (o.wait === true ? 0 : 4);
  for (;;) {
    if (call('flock', fd, op) === 0) return true;
    const errno = lastErrno();
    if (errno === os.errno.EWOULDBLOCK) return false;
    if (errno !== os.errno.EINTR) throw sysError(errno, 'flock');
  }
}

/** Makes `to` share all of `from`'s blocks (FICLONE); false when the file system cannot. */
export function reflink(toFd: number, fromFd: number): boolean {
  return call('ioctl', toFd, 0x40049409, fromFd) === 0;
}

/** copy_file_range(2) between the given offsets; the number of bytes copied, or undefined when these files do not allow it. */
export function copyRange(
  from: { fd: number; offset: number },
  to: { fd: number; offset: number },
  length: number,
): number | undefined {
  const offsets = Buffer.alloc(16);
  offsets.writeBigInt64LE(BigInt(from.offset), 0);
  offsets.writeBigInt64LE(BigInt(to.offset), 8);
  const n = call('copy_file_range', from.fd, offsets.subarray(0, 8), to.fd, offsets.subarray(8), length, 0);
  if (n >= 0) return n;
  const errno = lastErrno();
  if (
    errno === os.errno.EXDEV ||
    errno === os.errno.EINVAL ||
    errno === os.errno.ENOSYS ||
    errno === os.errno.EOPNOTSUPP
  )
    return undefined;
  throw sysError(errno, 'copy_file_range');
}

/** renameat2(2) with RENAME_NOREPLACE: false when `to` exists. */
export function renameNoReplace(from: SysPath, to: SysPath): boolean {
  if (call('renameat2', AT_FDCWD, cstr(from), AT_FDCWD, cstr(to), 1) === 0) return true;
  const errno = lastErrno();
  if (errno === os.errno.EEXIST || errno === os.errno.ENOTEMPTY) return false;
  throw sysError(errno, 'renameat2', to);
}

/** A new pseudo terminal (pty(7)) of the devpts that `ptmx` belongs to, the machine's by default; it is nobody's controlling terminal. Its ends are not inherited. */
export function openPty(ptmx?: string): Pty {
  return openPtyBy(check, ptmx);
}

/** Gives a terminal its size; whoever runs in it is told by SIGWINCH. Both ends of a pseudo terminal will do. */
export function setWindowSize(fd: number, size: WindowSize): void {
  check(call('ioctl', fd, TIOCSWINSZ, windowSizeData(size)), 'ioctl TIOCSWINSZ');
}

/** Makes a terminal pass bytes on as they are: no echo, no lines, no signals (cfmakeraw(3)). */
export function setRaw(fd: number): void {
  const termios = Buffer.alloc(TERMIOS_SIZE);
  check(call('ioctl', fd, TCGETS, termios), 'ioctl TCGETS');
  check(call('ioctl', fd, TCSETS, rawTermios(termios)), 'ioctl TCSETS');
}

/** Where somebody hands over one file descriptor (SCM_RIGHTS of unix(7)). */
export interface HandedOver extends Disposable {
  /** It, once it has come, not inherited: the caller's to close. Does not wait. */
  take(): number | undefined;
}

/** Listens at a path, which is made and stays, for who hands over a file descriptor. */
export function receiveFd(path: string): HandedOver {
  const receiver = new FdReceiver(path, check, () => lastErrno() === os.errno.EAGAIN);
  return { take: () => receiver.take(check), [Symbol.dispose]: () => receiver[Symbol.dispose]() };
}

/** syncfs(2) of the file system that `fd` is on. */
export function syncfs(fd: number): void {
  check(call('syncfs', fd), 'syncfs');
}

/**
 * Asks the kernel to send `signal` to this process when the thread that started it ends (PR_SET_PDEATHSIG), kept until the next exec of a set-id program.
 */
export function setParentDeathSignal(signal: number): void {
  check(call('prctl', 1, signal, 0, 0, 0), 'prctl');
}

/** Makes this process the one that processes below it fall to when their own parent ends (PR_SET_CHILD_SUBREAPER). */
export function adoptOrphans(): void {
  check(call('prctl', 36, 1, 0, 0, 0), 'prctl');
}

/** Keeps other processes of this user out of this one: neither its memory nor its environment can be read by /proc or ptrace, until it executes something else (prctl PR_SET_DUMPABLE). */
export function hideProcess(): void {
  check(call('prctl', 4, 0, 0, 0, 0), 'prctl');
}

/** Takes note of the end of a child that Node does not know of (waitpid(2), WNOHANG): false while it runs, or when there is none. */
export function reap(pid: number): boolean {
  return call('waitpid', pid, Buffer.alloc(4), 1) === pid;
}

/** Lets a file descriptor live on in what this process becomes (FD_CLOEXEC off): Node closes its own three. */
export function keepAcrossExec(fd: number): void {
  check(call('fcntl', fd, 2, 0), 'fcntl');
}

/** dup2(2). */
export function duplicate(from: number, to: number): void {
  check(call('dup2', from, to), 'dup2');
}

/** chroot(2), and the new root as the working folder, of the whole process. */
export function chroot(path: string): void {
  own.chroot(check, path);
}

/** Default actions for all signals and none blocked, of the whole process. */
export function resetSignals(): void {
  own.resetSignals();
}

/** setrlimit(2) of the whole process; -1 is no limit. */
export function setLimit(resource: number, limit: { soft: bigint; hard: bigint }): void {
  own.setLimit(check, resource, limit);
}

/** execve(2): this process becomes another program. Only comes back to throw. */
export function exec(path: string, o: { args: readonly string[]; env: readonly string[] }): never {
  return own.exec(check, path, o);
}

/** openat2(2) with RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS: opens `path` with `rootFd` as "/", so that no link or ".." leads outside. */
export function openInRoot(rootFd: number, path: SysPath, flags: number, mode = 0): number {
  const how = Buffer.alloc(24);
  how.writeBigUInt64LE(BigInt(flags), 0);
  how.writeBigUInt64LE(BigInt(mode), 8);
  how.writeBigUInt64LE(0x12n, 16);
  for (;;) {
    const fd = syscall(437, rootFd, cstr(path), how, 24);
    if (fd >= 0) return fd;
    const errno = lastErrno();
    if (errno !== os.errno.EINTR && errno !== os.errno.EAGAIN) throw sysError(errno, 'openat2', path);
  }
}

/**
 * Mounts by the file-descriptor interface (fsopen, fsconfig, fsmount, move_mount), which has no limit of one page for the options.
 * Throws ENOSYS or EINVAL on kernels that lack it or an option, with the kernel's own words in the message.
 */
export function mountByOptions(
  type: string,
  target: SysPath,
  options: readonly (readonly [string, string])[],
  flags = 0,
): void {
  const fsfd = check(syscall(430, cstr(type), 1), 'fsopen', type);
  try {
    for (const [key, value] of options) {
      const op = value === '' ? 0 : 1;
      const result = syscall(431, fsfd, op, cstr(key), value === '' ? null : cstr(value), 0);
      if (result < 0) throw sysError(lastErrno(), `fsconfig ${key}`, target);
    }
    check(syscall(431, fsfd, 6, null, null, 0), 'fsconfig create', target);
    const attributes = (flags & MS.RDONLY ? 1 : 0) | (flags & MS.NOSUID ? 2 : 0) | (flags & MS.NODEV ? 4 : 0);
    const mountFd = check(syscall(432, fsfd, 1, attributes), 'fsmount', target);
    try {
      check(syscall(429, mountFd, cstr(''), AT_FDCWD, cstr(target), 4), 'move_mount', target);
    } finally {
      call('close', mountFd);
    }
  } finally {
    call('close', fsfd);
  }
}

export function makedev(major: number, minor: number): bigint {
  const a = BigInt(major);
  const b = BigInt(minor);
  return ((a & 0xfffff000n) << 32n) | ((a & 0xfffn) << 8n) | ((b & 0xffffff00n) << 12n) | (b & 0xffn);
}

/** The device numbers in a `st_rdev`. */
export function splitDevice(rdev: number | bigint): { major: number; minor: number } {
  const r = BigInt(rdev);
  return {
    major: Number(((r >> 32n) & 0xfffff000n) | ((r >> 8n) & 0xfffn)),
    minor: Number(((r >> 12n) & 0xffffff00n) | (r & 0xffn)),
  };
}

const AT_FDCWD = -100;
const AT_SYMLINK_NOFOLLOW = 0x100;
const EMPTY = Buffer.alloc(1);
const NO_NAMES: string[] = [];
const XATTR_LIST = Buffer.alloc(1024);

function cstr(text: SysPath): Buffer {
  const bytes = typeof text === 'string' ? Buffer.from(text) : text;
  if (bytes.includes(0)) throw sysError(os.errno.EINVAL, 'path', text);
  const out = Buffer.alloc(bytes.length + 1);
  bytes.copy(out);
  return out;
}

function writeTimespec(buffer: Buffer, at: number, ns: bigint): void {
  let seconds = ns / 1_000_000_000n;
  let rest = ns % 1_000_000_000n;
  if (rest < 0n) {
    seconds -= 1n;
    rest += 1_000_000_000n;
  }
  buffer.writeBigInt64LE(seconds, at);
  buffer.writeBigInt64LE(rest, at + 8);
}

function syscall(number: number, ...args: (Buffer | number | null)[]): number {
  return call('syscall', number, ...args, ...UNUSED.slice(args.length));
}

const UNUSED: readonly number[] = [0, 0, 0, 0, 0, 0];

function lastErrno(): number {
  return call('errno');
}

function check(result: number, syscall: string, path?: SysPath): number {
  if (result < 0) throw sysError(lastErrno(), syscall, path);
  return result;
}

const ERRNO_NAMES = new Map(Object.entries(os.errno).map(([name, value]) => [value, name]));

function sysError(errno: number, syscall: string, path?: SysPath): NodeJS.ErrnoException {
  const code = ERRNO_NAMES.get(errno) ?? `E${errno}`;
  const at = path === undefined ? '' : ` '${path.toString()}'`;
  const error: NodeJS.ErrnoException = new Error(`${code}: ${syscall}${at}`);
  error.errno = -errno;
  error.code = code;
  error.syscall = syscall;
  if (path !== undefined) error.path = path.toString();
  return error;
}
