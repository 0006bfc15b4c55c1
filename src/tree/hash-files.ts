import { createHash, hash } from 'node:crypto';
import { closeSync, constants, fstatSync, openSync, readSync, type BigIntStats } from 'node:fs';
import { fsPath } from './path-text.ts';
import type { FileStat } from './stat-cache.ts';

/** Files of a folder whose contents are to be hashed on a worker. */
export interface HashJob {
  readonly root: string;
  readonly paths: readonly string[];
  /** What each was when walked: the columns of `FileStat`, `STAT` of them a file. */
  readonly stats: Float64Array;
}

const STAT = 7;
const CHUNK = 1 << 20;
const NS = 1_000_000_000n;
/** A symlink or a fifo that took the file's place is not followed, nor waited for. */
export const NOFOLLOW: number = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;

export function hashJob(root: string, files: readonly { readonly path: string; readonly stat: FileStat }[]): HashJob {
  const stats = new Float64Array(STAT * files.length);
  for (const [i, { stat: s }] of files.entries())
    stats.set([s.dev, s.ino, s.size, s.mtime, s.mtimeNs, s.ctime, s.ctimeNs], STAT * i);
  return { root, paths: files.map(({ path }) => path), stats };
}

let buffer: Buffer | undefined;

/** sha256 of each, in hexadecimal; empty for one that cannot be read or is not what it was: who asks finds out why. Synchronous. */
export function hashFiles({ root, paths, stats }: HashJob): string[] {
  buffer ??= Buffer.allocUnsafeSlow(CHUNK);
  const into = buffer;
  return paths.map((path, i) => {
    const [dev = 0, ino = 0, size = 0, mtime = 0, mtimeNs = 0, ctime = 0, ctimeNs = 0] = stats.subarray(STAT * i);
    try {
      return hashFile(fsPath(root, path), { dev, ino, size, mtime, mtimeNs, ctime, ctimeNs }, into);
    } catch {
      return '';
    }
  });
}

function hashFile(path: string | Buffer, was: FileStat, into: Buffer): string {
  const fd = openSync(path, NOFOLLOW);
  try {
    const digester = was.size > into.length ? createHash('sha256') : undefined;
    for (let done = 0; done < was.size;) {
      const at = digester ? 0 : done;
      const n = readSync(fd, into, at, Math.min(into.length - at, was.size - done), null);
      if (n === 0) return '';
      digester?.update(into.subarray(0, n));
      done += n;
    }
    const hex = digester ? digester.digest('hex') : hash('sha256', into.subarray(0, was.size), 'hex');
    return isSame(fstatSync(fd, { bigint: true }), was) ? hex : '';
  } finally {
    closeSync(fd);
  }
}

/** Whether a file that was just read is what it was when walked. */
export function isSame(s: BigIntStats, was: FileStat): boolean {
  return (
    Number(s.ino) === was.ino &&
    Number(s.dev) === was.dev &&
    Number(s.size) === was.size &&
    s.mtimeNs === BigInt(was.mtime) * NS + BigInt(was.mtimeNs) &&
    s.ctimeNs === BigInt(was.ctime) * NS + BigInt(was.ctimeNs)
  );
}
