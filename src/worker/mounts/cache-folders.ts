import {
  chmodSync,
  chownSync,
  closeSync,
  constants,
  existsSync,
  fstatSync,
  futimesSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmdirSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import {
  canonicalJson,
  hasErrno,
  mountAll,
  sleep,
  sys,
  throwIfCancelled,
  type Clock,
  type Random,
  type Wait,
} from '../../base/index.ts';
import { digestOf } from '../../blob/index.ts';
import { cloneTree, measureTree } from '../../snapshot/index.ts';
import type { Mount } from '../../tree/index.ts';
import { workerError } from '../errors.ts';
import type { CacheInfo, CacheMounts, CacheSpec, TakenCache } from './cache-mounts.ts';

export interface CacheFoldersOptions {
  /** Of caches alone. */
  readonly folder: string;
  readonly clock: Clock;
  readonly random: Random;
  /** Names the map from ids in caches to ids on disk: caches made under another are not used. */
  readonly idMapStamp: string;
}

/** What is written beside a cache. */
interface About {
  readonly id: string;
  readonly createdAt: number;
}

/**
 * Caches as folders `<key>-<n>/f`, beside each a file `lock`: who has the cache holds it (flock(2)), so that its end, by kill -9 too, gives the cache back. They are made in `new-…` and renamed; what is removed becomes `trash-…`
 * first. `making.lock` is held while that goes on, so that `recover` knows what a killed process left.
 */
export class CacheFolders implements CacheMounts {
  readonly #o: CacheFoldersOptions;
  /** Settle when a cache was given back in this process. */
  #given = Promise.withResolvers<void>();

  constructor(o: CacheFoldersOptions) {
    this.#o = o;
  }

  async take(spec: CacheSpec, o: { onWait?: (() => void) | undefined } & Wait = {}): Promise<TakenCache> {
    const key = this.#keyOf(spec);
    for (let waited = false; ; waited = true) {
      throwIfCancelled(o);
      const given = this.#given.promise;
      const taken = await this.#tryTake(key, spec, o);
      if (taken) return taken;
      if (!waited) o.onWait?.();
      const enough = new AbortController();
      const signal = o.signal ? AbortSignal.any([o.signal, enough.signal]) : enough.signal;
      await Promise.race([given, sleep(POLL_MS, { signal })]).catch(() => undefined);
      enough.abort();
    }
  }

  async find(spec: CacheSpec): Promise<string | undefined> {
    const name = `${this.#keyOf(spec)}-0`;
    return existsSync(join(this.#o.folder, name)) ? name : undefined;
  }

  async copyTo(name: string, mounts: readonly Mount[], w: Wait = {}): Promise<boolean> {
    if (!this.#names().includes(name)) return false;
    using making = await this.#making(w);
    void making;
    const at = join(this.#o.folder, name);
    const lock = this.#lock(at, 'exclusive');
    if (typeof lock !== 'number') return false;
    const fresh = this.#fresh('new');
    try {
      mkdirSync(fresh, { mode: 0o700 });
      using tree = treeAt(mounts, join(fresh, 'tree'));
      await cloneTree(join(at, CONTENT), tree.path, { how: 'copy', signal: w.signal });
      return true;
    } finally {
      closeSync(lock);
      this.#given.resolve();
      this.#given = Promise.withResolvers<void>();
      await rm(fresh, { recursive: true, force: true });
    }
  }

  async list(w: Wait = {}): Promise<readonly CacheInfo[]> {
    const found: CacheInfo[] = [];
    for (const name of this.#names()) {
      throwIfCancelled(w);
      try {
        const at = join(this.#o.folder, name);
        const about = JSON.parse(readFileSync(join(at, ABOUT), 'utf8')) as About;
        const usedAt = statSync(join(at, LOCK)).mtimeMs;
        const lock = this.#lock(at, 'exclusive');
        if (typeof lock === 'number') closeSync(lock);
        const { bytes } = await measureTree(join(at, CONTENT), w);
        found.push({ name, ...about, bytes, usedAt, inUse: lock === 'busy' });
      } catch (error) {
        // Removed meanwhile, or another user's.
        if (!hasErrno(error, 'ENOENT', 'EACCES')) throw error;
      }
    }
    return found;
  }

  async remove(name: string, w: Wait = {}): Promise<boolean> {
    if (!this.#names().includes(name)) return false;
    using making = await this.#making(w);
    void making;
    const at = join(this.#o.folder, name);
    const lock = this.#lock(at, 'exclusive');
    if (typeof lock !== 'number') return false;
    const trash = this.#fresh('trash');
    try {
      renameSync(at, trash);
    } finally {
      closeSync(lock);
    }
    await rm(trash, { recursive: true, force: true });
    return true;
  }

  /** Removes what killed processes left half-made or half-removed; says how much. */
  async recover(w: Wait = {}): Promise<number> {
    const left = (): string[] => this.#entries().filter((name) => /^(new|trash)-/.test(name));
    if (left().length === 0) return 0;
    const lock = openSync(join(this.#o.folder, MAKING), 'a', 0o600);
    try {
      if (!sys.flock(lock, 'exclusive')) return 0;
      const names = left();
      for (const name of names) {
        throwIfCancelled(w);
        await rm(join(this.#o.folder, name), { recursive: true, force: true });
      }
      return names.length;
    } finally {
      closeSync(lock);
    }
  }

  #keyOf({ id, seed, mode, uid, gid }: CacheSpec): string {
    const begins = seed ? { tree: seed.name, source: seed.source } : { mode, uid, gid };
    const digest = digestOf(canonicalJson({ id, ids: this.#o.idMapStamp, ...begins }));
    return digest.slice('sha256:'.length, 'sha256:'.length + 24);
  }

  async #tryTake(key: string, spec: CacheSpec, w: Wait): Promise<TakenCache | undefined> {
    for (let n = 0; ;) {
      const at = join(this.#o.folder, `${key}-${n}`);
      const lock = this.#lock(at, spec.sharing === 'shared' ? 'shared' : 'exclusive');
      if (lock === 'absent') await this.#make(at, spec, w);
      else if (lock === 'busy') {
        if (spec.sharing !== 'private') return undefined;
        n += 1;
      } else {
        // Moved away by a step in place that was killed.
        if (!existsSync(join(at, CONTENT))) makeContent(join(at, CONTENT), spec);
        const now = this.#o.clock.now() / 1000;
        futimesSync(lock, now, now);
        return this.#taken(at, lock);
      }
    }
  }

  #taken(at: string, lock: number): TakenCache {
    let open = true;
    return {
      mounts: [{ type: 'bind', source: join(at, CONTENT), options: ['rbind'] }],
      [Symbol.asyncDispose]: async () => {
        if (!open) return;
        open = false;
        closeSync(lock);
        this.#given.resolve();
        this.#given = Promise.withResolvers<void>();
      },
    };
  }

  /** The open lock of the cache that is at this place now. */
  #lock(at: string, how: 'shared' | 'exclusive'): number | 'absent' | 'busy' {
    let fd: number;
    try {
      fd = openSync(join(at, LOCK), 'r+');
    } catch (error) {
      if (hasErrno(error, 'ENOENT')) return 'absent';
      throw error;
    }
    const locked = sys.flock(fd, how);
    if (locked && statSync(join(at, LOCK), { throwIfNoEntry: false })?.ino === fstatSync(fd).ino) return fd;
    closeSync(fd);
    return locked ? 'absent' : 'busy';
  }

  async #make(at: string, spec: CacheSpec, w: Wait): Promise<void> {
    mkdirSync(this.#o.folder, { recursive: true, mode: 0o700 });
    using making = await this.#making(w);
    void making;
    const fresh = this.#fresh('new');
    const content = join(fresh, CONTENT);
    mkdirSync(fresh, { mode: 0o700 });
    try {
      const about: About = { id: spec.id, createdAt: this.#o.clock.now() };
      writeFileSync(join(fresh, ABOUT), JSON.stringify(about), { mode: 0o600 });
      writeFileSync(join(fresh, LOCK), '', { mode: 0o600 });
      if (spec.seed) {
        const at = join(fresh, 'seed');
        mkdirSync(content);
        await fill(content, spec.seed, { at, ...w });
      } else if (spec.start) {
        mkdirSync(content);
        await fill(content, { mounts: spec.start.mounts, source: '/' }, { at: join(fresh, 'start'), ...w });
        ownContent(content, spec);
      } else {
        makeContent(content, spec);
      }
      if (sys.renameNoReplace(fresh, at)) return;
    } catch (error) {
      await rm(fresh, { recursive: true, force: true });
      throw error;
    }
    await rm(fresh, { recursive: true, force: true });
  }

  /** Held while something is made or removed. */
  async #making(w: Wait): Promise<Disposable> {
    const fd = openSync(join(this.#o.folder, MAKING), 'a', 0o600);
    try {
      while (!sys.flock(fd, 'shared')) await sleep(POLL_MS, w);
    } catch (error) {
      closeSync(fd);
      throw error;
    }
    return { [Symbol.dispose]: () => closeSync(fd) };
  }

  #fresh(kind: 'new' | 'trash'): string {
    return join(this.#o.folder, `${kind}-${this.#o.random.hex(8)}`);
  }

  #names(): string[] {
    return this.#entries().filter((name) => NAME.test(name));
  }

  #entries(): string[] {
    return existsSync(this.#o.folder) ? readdirSync(this.#o.folder) : [];
  }
}

const CONTENT = 'f';
const LOCK = 'lock';
const ABOUT = 'about.json';
const MAKING = 'making.lock';
const NAME = /^[0-9a-f]{24}-\d+$/;
/** How often a lock that another process has is tried again. */
const POLL_MS = 50;
const O_PATH = 0o10000000;

function makeContent(path: string, spec: CacheSpec): void {
  mkdirSync(path);
  ownContent(path, spec);
}

function ownContent(path: string, { uid, gid, mode }: CacheSpec): void {
  try {
    chownSync(path, uid, gid);
  } catch (error) {
    // An id that is not mapped: the one there is has it.
    if (!hasErrno(error, 'EINVAL', 'EPERM')) throw error;
  }
  chmodSync(path, mode);
}

/** Copies a folder of a tree, which is mounted at `at` meanwhile. */
async function fill(
  content: string,
  seed: Pick<NonNullable<CacheSpec['seed']>, 'mounts' | 'source'>,
  o: { readonly at: string } & Wait,
): Promise<void> {
  using tree = treeAt(seed.mounts, o.at);
  const root = openSync(tree.path, O_PATH | constants.O_DIRECTORY);
  try {
    const fd = sys.openInRoot(root, seed.source, O_PATH | constants.O_DIRECTORY);
    try {
      await cloneTree(`/proc/self/fd/${fd}/.`, content, { how: 'copy', signal: o.signal });
    } finally {
      closeSync(fd);
    }
  } catch (error) {
    if (!hasErrno(error, 'ENOENT', 'ENOTDIR', 'ELOOP')) throw error;
    const what = hasErrno(error, 'ENOENT') ? 'not found' : 'it is no folder';
    throw workerError('MOUNT_SOURCE_MISSING', `fill a cache from "${seed.source}": ${what}`, {
      cause: error,
      remedy: 'Name a folder of the stage or image that "from" says.',
    });
  } finally {
    closeSync(root);
  }
}

/** Mounts are made at `at` while the scope lasts; a plain folder is where it is, which needs no right to mount. */
function treeAt(mounts: readonly Mount[], at: string): { readonly path: string } & Disposable {
  const [only, ...more] = mounts;
  if (only?.type === 'bind' && (only.target ?? '/') === '/' && more.length === 0)
    return { path: only.source, [Symbol.dispose]: () => undefined };
  mkdirSync(at);
  const mounted = mountAll(mounts, at);
  return {
    path: at,
    [Symbol.dispose]: () => {
      mounted[Symbol.dispose]();
      rmdirSync(at);
    },
  };
}
