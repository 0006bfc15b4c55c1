import {
  closeSync,
  existsSync,
  futimesSync,
  mkdirSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
} from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { hasErrno, sleep, sys, throwIfCancelled, type Clock, type Random, type Wait } from '../../base/index.ts';
import { digestOf, hexOf } from '../../blob/index.ts';

/** What is kept of a remote repository: a bare one, locked against all other processes while the scope lasts. */
export interface Mirror extends Disposable {
  readonly path: string;
  /** Throws it away; the next `open` begins anew. */
  reset(): void;
}

export interface MirrorInfo {
  readonly name: string;
  readonly bytes: number;
  /** Milliseconds since the epoch. */
  readonly usedAt: number;
}

/**
 * Bare repositories in a folder of the store, one for each remote and kind of digest: `<name>.git`, and `<name>.lock`, whose lock (flock) whoever works on it holds and whose time says when that was. A name is a digest of the
 * address, which is written nowhere.
 */
export class Mirrors {
  readonly folder: string;
  readonly #clock: Clock;
  readonly #random: Random;

  constructor(folder: string, o: { clock: Clock; random: Random }) {
    this.folder = folder;
    this.#clock = o.clock;
    this.#random = o.random;
  }

  /** `init` makes an empty repository at a path. */
  async open(
    remote: string,
    o: { format: 'sha1' | 'sha256'; init: (path: string) => Promise<void> } & Wait,
  ): Promise<Mirror> {
    const name = hexOf(digestOf(`${o.format} ${remote}`)).slice(0, 32);
    mkdirSync(this.folder, { recursive: true, mode: 0o700 });
    const fd = openSync(join(this.folder, `${name}.lock`), 'a', 0o600);
    try {
      while (!sys.flock(fd, 'exclusive')) await sleep(50, o);
      const now = this.#clock.now() / 1000;
      futimesSync(fd, now, now);
      const path = join(this.folder, `${name}.git`);
      if (existsSync(path)) unlock(path);
      else {
        const made = join(this.folder, `tmp-${process.pid}-${this.#random.hex(6)}`);
        try {
          await o.init(made);
          renameSync(made, path);
        } finally {
          rmSync(made, { recursive: true, force: true });
        }
      }
      return {
        path,
        reset: () => rmSync(path, { recursive: true, force: true }),
        [Symbol.dispose]: () => closeSync(fd),
      };
    } catch (error) {
      closeSync(fd);
      throw error;
    }
  }

  /** What is kept, the least recently used first. */
  async list(w?: Wait): Promise<readonly MirrorInfo[]> {
    const found: MirrorInfo[] = [];
    for (const entry of names(this.folder)) {
      const name = /^([0-9a-f]{32})\.git$/.exec(entry)?.[1];
      if (name === undefined) continue;
      throwIfCancelled(w);
      const usedAt = statSync(join(this.folder, `${name}.lock`), { throwIfNoEntry: false })?.mtimeMs ?? 0;
      found.push({ name, bytes: await bytesBelow(join(this.folder, entry)), usedAt });
    }
    return found.sort((a, b) => a.usedAt - b.usedAt || (a.name < b.name ? -1 : 1));
  }

  /** False when somebody works on it. */
  remove(name: string): boolean {
    const lock = join(this.folder, `${name}.lock`);
    const fd = openSync(lock, 'a', 0o600);
    try {
      if (!sys.flock(fd, 'exclusive')) return false;
      rmSync(join(this.folder, `${name}.git`), { recursive: true, force: true });
      return true;
    } finally {
      closeSync(fd);
    }
  }
}

/** Takes away the lock files and packs that a killed git left. */
function unlock(path: string): void {
  for (const name of ['shallow.lock', 'packed-refs.lock', 'config.lock', 'HEAD.lock', 'FETCH_HEAD'])
    rmSync(join(path, name), { force: true });
  for (const name of names(join(path, 'objects/pack')))
    if (name.startsWith('tmp_')) rmSync(join(path, 'objects/pack', name), { force: true });
  for (const name of names(join(path, 'refs/strake')))
    if (name.endsWith('.lock')) rmSync(join(path, 'refs/strake', name), { force: true });
}

function names(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch (error) {
    if (hasErrno(error, 'ENOENT')) return [];
    throw error;
  }
}

async function bytesBelow(folder: string): Promise<number> {
  let bytes = 0;
  for (const entry of await readdir(folder, { withFileTypes: true, recursive: true })) {
    if (!entry.isFile()) continue;
    try {
      bytes += (await stat(join(entry.parentPath, entry.name))).blocks * 512;
    } catch (error) {
      if (!hasErrno(error, 'ENOENT')) throw error;
    }
  }
  return bytes;
}
