import {
  chmodSync,
  closeSync,
  constants,
  existsSync,
  fchmodSync,
  fchownSync,
  futimesSync,
  lchownSync,
  linkSync,
  lstatSync,
  mkdirSync,
  openSync,
  rmSync,
  statSync,
  symlinkSync,
  writeSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { hasErrno, reasonOf, sys, throwIfCancelled, type Wait } from '../base/index.ts';
import type { Entry } from './entry.ts';
import { treeError } from './errors.ts';
import type { FileTree } from './file-tree.ts';
import { encodePath, fsPath } from './path-text.ts';
import { viewTree, type TreeView } from './tree-view.ts';
import { unionOf } from './union.ts';

export interface Extracted {
  readonly entries: number;
  readonly bytes: number;
  /** Paths of devices that an ordinary user may not make. */
  readonly skipped: readonly string[];
}

/**
 * Writes a tree to a folder of this machine, which is made if missing: modes, times, links, hard links, and extended attributes as far as they may be set. With `owner: 'keep'` ids are given too (root
 * only) and devices made; `current`, the default, leaves everything to the user who runs. What is in the way of an entry is replaced; folders are kept; other files in the folder stay. Nothing is
 * written through a symbolic link. Throws `EXTRACT_DENIED`, `EXTRACT_FULL`, `EXTRACT_FAILED`.
 */
export async function extractTree(
  source: TreeView | FileTree,
  folder: string,
  o: { owner?: 'keep' | 'current' } & Wait = {},
): Promise<Extracted> {
  const tree = viewTree('walk' in source ? source : await unionOf([source], o));
  const entries = await tree.entries(o);
  const extraction = new Extraction(folder, o.owner === 'keep');
  let current = '';
  try {
    makeFolder(folder);
    for (const entry of entries) {
      current = entry.path;
      if (entry.type === 'directory') extraction.folder(entry);
    }
    const files = entries.filter((entry) => entry.type === 'file');
    await extraction.files(files, tree, o, (path) => (current = path));
    for (const entry of entries) {
      current = entry.path;
      if (entry.type !== 'directory' && entry.type !== 'file') extraction.other(entry);
    }
    for (const entry of entries.toReversed()) {
      current = entry.path;
      if (entry.type === 'directory') extraction.finishFolder(entry);
    }
  } catch (error) {
    throw extractError(join(folder, current), error);
  }
  const bytes = entries.reduce((sum, entry) => sum + entry.size, 0);
  return { entries: entries.length, bytes, skipped: extraction.skipped };
}

const EXCLUSIVE = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;

class Extraction {
  readonly skipped: string[] = [];
  readonly #root: string;
  readonly #keep: boolean;

  constructor(root: string, keep: boolean) {
    this.#root = root;
    this.#keep = keep;
  }

  /** Writable until `finishFolder`. */
  folder(entry: Entry): void {
    const path = this.#path(entry);
    const there = lstatSync(path, { throwIfNoEntry: false });
    if (there?.isDirectory()) {
      if ((there.mode & 0o700) !== 0o700) chmodSync(path, 0o700);
      return;
    }
    if (there) rmSync(path);
    mkdirSync(path, 0o700);
  }

  finishFolder(entry: Entry): void {
    const path = this.#path(entry);
    this.#attributes(entry, path);
    if (this.#keep) lchownSync(path, entry.uid, entry.gid);
    chmodSync(path, entry.mode);
    setTime(entry, path);
  }

  /** All contents come in one stream, cut where files end. */
  async files(files: readonly Entry[], tree: FileTree, w: Wait, at: (path: string) => void): Promise<void> {
    let next = 0;
    let fd: number | undefined;
    let left = 0;
    const advance = (): void => {
      while (fd === undefined && next < files.length) {
        const file = files[next]!;
        at(file.path);
        fd = this.#create(file);
        left = file.size;
        if (left > 0) return;
        const done = fd;
        fd = undefined;
        this.#finishFile(files[next++]!, done);
      }
    };
    try {
      advance();
      for await (const chunk of tree.read(files, w)) {
        throwIfCancelled(w);
        for (let from = 0; from < chunk.length && fd !== undefined;) {
          const n = writeSync(fd, chunk, from, Math.min(chunk.length - from, left));
          from += n;
          left -= n;
          if (left > 0) continue;
          const done = fd;
          fd = undefined;
          this.#finishFile(files[next++]!, done);
          advance();
        }
      }
    } finally {
      if (fd !== undefined) closeSync(fd);
    }
    if (next < files.length) throw new Error(`the content of "${files[next]!.path}" ended early`);
  }

  #create(entry: Entry): number {
    const path = this.#path(entry);
    try {
      return openSync(path, EXCLUSIVE, 0o600);
    } catch (error) {
      if (!hasErrno(error, 'EEXIST', 'EISDIR', 'ELOOP')) throw error;
      rmSync(path, { recursive: true, force: true });
      return openSync(path, EXCLUSIVE, 0o600);
    }
  }

  #finishFile(entry: Entry, fd: number): void {
    try {
      if (this.#keep) fchownSync(fd, entry.uid, entry.gid);
      // After chown, which takes capabilities away, and before chmod, which may take the right to write.
      if (entry.xattrs) this.#attributes(entry, this.#path(entry));
      fchmodSync(fd, entry.mode);
      // Node takes a negative time for now.
      if (entry.mtimeNs === 0 && entry.mtime >= 0) futimesSync(fd, entry.mtime, entry.mtime);
      else setTime(entry, this.#path(entry));
    } finally {
      closeSync(fd);
    }
  }

  other(entry: Entry): void {
    const path = this.#path(entry);
    if (lstatSync(path, { throwIfNoEntry: false })) rmSync(path, { recursive: true, force: true });
    if (entry.type === 'hardlink') {
      linkSync(fsPath(this.#root, entry.link ?? ''), path);
      return;
    }
    if (entry.type === 'symlink') symlinkSync(encodePath(entry.link ?? ''), path);
    else if (!this.#node(entry, path)) return;
    if (this.#keep) lchownSync(path, entry.uid, entry.gid);
    this.#attributes(entry, path);
    if (entry.type !== 'symlink') chmodSync(path, entry.mode);
    setTime(entry, path);
  }

  #node(entry: Entry, path: string | Buffer): boolean {
    const kind = entry.type === 'character' ? 0o020000 : entry.type === 'block' ? 0o060000 : 0o010000;
    try {
      sys.mknod(path, kind | entry.mode, entry.device);
      return true;
    } catch (error) {
      if (this.#keep || !hasErrno(error, 'EPERM', 'EACCES')) throw error;
      this.skipped.push(entry.path);
      return false;
    }
  }

  #attributes(entry: Entry, path: string | Buffer): void {
    for (const [name, value] of entry.xattrs ?? [])
      try {
        sys.setXattr(path, name, value);
      } catch (error) {
        if (!hasErrno(error, 'ENOTSUP', 'EOPNOTSUPP', 'EPERM', 'EACCES', 'ENOSPC', 'EINVAL', 'E2BIG', 'ERANGE'))
          throw error;
      }
  }

  #path(entry: Entry): string | Buffer {
    return fsPath(this.#root, entry.path);
  }
}

/** Node's own `recursive` never returns where a folder says ENOENT for whatever is made in it, as /proc does. */
function makeFolder(path: string): void {
  try {
    mkdirSync(path);
  } catch (error) {
    if (hasErrno(error, 'EEXIST') && statSync(path).isDirectory()) return;
    if (!hasErrno(error, 'ENOENT') || existsSync(dirname(path))) throw error;
    makeFolder(dirname(path));
    mkdirSync(path);
  }
}

function setTime(entry: Entry, path: string | Buffer): void {
  const time = BigInt(entry.mtime) * 1_000_000_000n + BigInt(entry.mtimeNs);
  sys.utimes(path, time, time);
}

function extractError(path: string, error: unknown): unknown {
  const cause = { cause: error };
  if (hasErrno(error, 'ENOSPC', 'EDQUOT', 'EMFILE'))
    return treeError('EXTRACT_FULL', `write "${path}": ${reasonOf(error)}`, {
      ...cause,
      remedy: 'Make room and run it again.',
    });
  if (hasErrno(error, 'EACCES', 'EPERM', 'EROFS'))
    return treeError('EXTRACT_DENIED', `write "${path}": ${reasonOf(error)}`, {
      ...cause,
      remedy: 'Write to a folder that you may write to; ids and devices can be kept by root only.',
    });
  const { code } = error as { code?: unknown };
  if (typeof code === 'string' && /^E[A-Z]+$/.test(code))
    return treeError('EXTRACT_FAILED', `write "${path}": ${reasonOf(error)}`, cause);
  return error;
}
