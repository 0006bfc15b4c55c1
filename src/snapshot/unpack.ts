import {
  closeSync,
  fchmodSync,
  fchownSync,
  futimesSync,
  lchownSync,
  linkSync,
  openSync,
  readFileSync,
  symlinkSync,
} from 'node:fs';
import { setImmediate } from 'node:timers/promises';
import { CodedError, hasErrno, messageOf, sys, throwIfCancelled, type Wait } from '../base/index.ts';
import { encodePath, type Entry, type FileTree } from '../tree/index.ts';
import { snapshotError } from './errors.ts';
import { isPrivateXattr, native, OWNER_XATTR, setMode, writeAll } from './files.ts';
import { RegionReader } from './region-reader.ts';
import { UnpackRoot, type UnpackTarget } from './unpack-root.ts';

export type { UnpackTarget } from './unpack-root.ts';

/** Entries made before the event loop, and with it a cancellation, gets a turn. */
const TURN = 256;

/**
 * Unpacks a layer's entries, synchronously in turns. Whiteouts and opaque marks hide what lies below; a file replaces a folder and a folder a file; a path that leads through links is resolved inside the root. Throws
 * `LAYER_INVALID` or `LAYER_UNSAFE` for entries that make no sense or name something outside, `LAYER_OWNER` for an owner that cannot be given here. Returns what could not be kept, one sentence each.
 */
export async function unpack(tree: FileTree, target: UnpackTarget, w?: Wait): Promise<readonly string[]> {
  const run = new Unpacking(tree, target);
  const entries = await tree.entries(w);
  let turn = 0;
  let at = '';
  try {
    for (const entry of entries) {
      if (++turn % TURN === 0) {
        await setImmediate();
        throwIfCancelled(w);
      }
      at = entry.path;
      const left = run.place(entry);
      if (left) await left;
    }
    at = '';
    run.finish();
  } catch (error) {
    throw clear(error, at);
  } finally {
    run.close();
  }
  return run.notes();
}

function clear(error: unknown, path: string): unknown {
  if (error instanceof CodedError) return error;
  const message = `unpack "/${path}": ${messageOf(error)}`;
  return hasErrno(error, 'ENOSPC', 'EDQUOT')
    ? snapshotError('UNPACK_FULL', message, { cause: error, remedy: 'Free some space, or let "strake prune" do so.' })
    : snapshotError('UNPACK_FAILED', message, { cause: error });
}

class Unpacking {
  readonly #tree: FileTree;
  readonly #target: UnpackTarget;
  readonly #root: UnpackRoot;
  readonly #umask = readUmask();
  readonly #regions = new RegionReader();
  readonly #lost = new Map<string, { first: string; count: number }>();

  constructor(tree: FileTree, target: UnpackTarget) {
    this.#tree = tree;
    this.#target = target;
    this.#root = new UnpackRoot(target);
  }

  /** Makes one entry; a promise only when its content has to be waited for. */
  place(entry: Entry): Promise<void> | undefined {
    checkPath(entry.path, entry.path);
    const root = this.#root;
    switch (entry.type) {
      case 'directory':
        root.makeFolder(root.claim(entry.path), (path) => this.#dress(entry, path));
        return undefined;
      case 'whiteout':
        root.whiteOut(entry.path);
        return undefined;
      case 'opaque':
        root.makeOpaque(root.folder(entry.path));
        return undefined;
      default:
    }
    if (entry.path === '') throw snapshotError('LAYER_INVALID', 'unpack "/": the root is not a folder');
    const real = root.claim(entry.path);
    if (entry.type === 'file') return this.#file(entry, real);
    if (entry.type === 'hardlink') this.#link(entry, real);
    else this.#node(entry, real);
    return undefined;
  }

  finish(): void {
    this.#root.finish();
  }

  close(): void {
    this.#regions.close();
  }

  notes(): string[] {
    return [...this.#lost].map(([what, { first, count }]) =>
      count === 1 ? `${what}: "${first}"` : `${what}: "${first}" and ${count - 1} more`,
    );
  }

  #file(entry: Entry, real: string): Promise<void> | undefined {
    const path = this.#root.at(real);
    const fd = this.#fresh(real, () => openSync(native(path), 'wx', entry.mode & 0o777));
    let waits: Promise<void> | undefined;
    try {
      const region = entry.size === 0 ? undefined : this.#tree.locate?.(entry);
      if (region) this.#regions.copyTo(fd, region);
      else if (entry.size > 0) {
        waits = this.#stream(entry, fd, path);
        return waits;
      }
      this.#dressFile(entry, fd, path);
    } finally {
      if (!waits) closeSync(fd);
    }
    return undefined;
  }

  async #stream(entry: Entry, fd: number, path: string): Promise<void> {
    try {
      for await (const chunk of this.#tree.read([entry])) writeAll(fd, chunk, 0, chunk.length);
      this.#dressFile(entry, fd, path);
    } finally {
      closeSync(fd);
    }
  }

  /** By file descriptor where that is enough: fewer path look-ups. */
  #dressFile(entry: Entry, fd: number, path: string): void {
    this.#own(entry, path, () => fchownSync(fd, entry.uid, entry.gid));
    if ((entry.mode & (this.#umask | 0o7000)) !== 0) fchmodSync(fd, entry.mode);
    if (entry.xattrs) this.#attributes(entry, path);
    if (entry.mtimeNs === 0) futimesSync(fd, entry.mtime, entry.mtime);
    else setTimes(entry, path);
  }

  #link(entry: Entry, real: string): void {
    const link = entry.link ?? '';
    checkPath(link, entry.path);
    const missing = (): Error =>
      snapshotError('LAYER_INVALID', `unpack "${entry.path}": hard link to "${link}", which is no file`);
    if (link === '') throw missing();
    const source = this.#root.linkSource(link);
    const path = this.#root.at(real);
    if (source === undefined) throw missing();
    if (source === path) return;
    this.#fresh(real, () => linkSync(native(source), native(path)));
  }

  #node(entry: Entry, real: string): void {
    const path = this.#root.at(real);
    const at = native(path);
    const { major, minor } = entry.device ?? { major: 0, minor: 0 };
    try {
      this.#fresh(real, () => {
        if (entry.type === 'symlink') symlinkSync(encodePath(entry.link ?? ''), at);
        else if (entry.type === 'fifo') sys.mknod(at, 0o010600);
        else sys.mknod(at, entry.type === 'block' ? 0o060600 : 0o020600, { major, minor });
      });
    } catch (error) {
      if (!hasErrno(error, 'EPERM') || entry.type === 'symlink' || entry.type === 'fifo') throw error;
      this.#lose('device nodes cannot be made without root and were left out', entry.path);
      return;
    }
    // To an overlay this is the mark of a name that is gone.
    if (entry.type === 'character' && major === 0 && minor === 0) return;
    this.#dress(entry, path);
  }

  #dress(entry: Entry, path: string): void {
    this.#own(entry, path, () => lchownSync(native(path), entry.uid, entry.gid));
    if (entry.type !== 'symlink') setMode(path, entry.mode);
    if (entry.xattrs) this.#attributes(entry, path);
    setTimes(entry, path);
  }

  #own(entry: Entry, path: string, chown: () => void): void {
    if (this.#target.ids === 'single') {
      if (entry.uid === 0 && entry.gid === 0) return;
      this.#lose('files that belong to others than root belong to root here', entry.path);
      if (entry.type === 'file' || entry.type === 'directory')
        sys.setXattr(native(path), OWNER_XATTR, Buffer.from(`${entry.uid}:${entry.gid}`));
      return;
    }
    try {
      chown();
    } catch (error) {
      if (!hasErrno(error, 'EINVAL', 'EPERM')) throw error;
      throw snapshotError(
        'LAYER_OWNER',
        `unpack "${entry.path}": its owner ${entry.uid}:${entry.gid} is outside the ids that this user may use`,
        { cause: error, remedy: 'Give the user a larger range in /etc/subuid and /etc/subgid.' },
      );
    }
  }

  #attributes(entry: Entry, path: string): void {
    for (const [name, value] of entry.xattrs ?? []) {
      if (isPrivateXattr(name)) continue;
      try {
        sys.setXattr(native(path), name, value);
      } catch (error) {
        if (!hasErrno(error, 'ENOTSUP', 'EOPNOTSUPP', 'EPERM', 'EINVAL')) throw error;
        this.#lose(`attribute "${name}" cannot be set here`, entry.path);
      }
    }
  }

  /** Makes something at a real path; what an earlier entry or the tree has there gives way. */
  #fresh<T>(real: string, make: () => T): T {
    this.#root.giveWay(real);
    try {
      return make();
    } catch (error) {
      if (!hasErrno(error, 'EEXIST')) throw error;
      this.#root.clear(real);
      return make();
    }
  }

  #lose(what: string, path: string): void {
    const lost = this.#lost.get(what);
    if (lost) lost.count += 1;
    else this.#lost.set(what, { first: path, count: 1 });
  }
}

function setTimes(entry: Entry, path: string): void {
  const ns = BigInt(entry.mtime) * 1_000_000_000n + BigInt(entry.mtimeNs);
  sys.utimes(native(path), ns, ns);
}

const UNSAFE = /(?:^|\/)\.{0,2}(?:\/|$)|\0/;

/** Throws `LAYER_UNSAFE` for a path of `entry` that names no place inside the root. */
export function checkPath(path: string, entry: string): void {
  if (path !== '' && UNSAFE.test(path))
    throw snapshotError('LAYER_UNSAFE', `unpack "${entry}": "${path}" does not name a place inside the root`);
}

/** The bits that the kernel takes off the modes of new files. Read, because setting it to read it changes the whole process. */
function readUmask(): number {
  try {
    const octal = /^Umask:\s*([0-7]+)/m.exec(readFileSync('/proc/self/status', 'latin1'))?.[1];
    return octal === undefined ? 0o777 : Number.parseInt(octal, 8);
  } catch (error) {
    if (hasErrno(error, 'ENOENT')) return 0o777;
    throw error;
  }
}
