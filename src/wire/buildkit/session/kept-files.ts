import {
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  rmdirSync,
  rmSync,
  statSync,
  unlinkSync,
  utimesSync,
} from 'node:fs';
import { join } from 'node:path';
import { hasErrno, type Clock, type Random } from '../../../base/index.ts';
import { digestOf, hexOf, ownProcess, stateOfProcess } from '../../../blob/index.ts';
import { readIndex, writeIndex, type KeptFile, type KeptIndex } from './kept-index.ts';
import { PackWriter } from './pack-writer.ts';

/** Clients' folders whose files are kept. */
const MOST_CONTEXTS = 64;
const MOST_BYTES = 16 * 1024 ** 3;
/** Packs of one folder: each build that brings changes adds one. */
const MOST_PACKS = 32;
/** Indexes that stay in memory, and files in one of them. */
const INDEXES_READ = 4;
const MOST_READ = 100_000;
/** A file that no build had for so long is forgotten. */
const FORGOTTEN_S = 14 * 86_400;
/** Bytes in packs that no file needs any more and nobody minds. */
const IDLE_BYTES = 64 * 1024 ** 2;

/**
 * The contents of files that clients have sent, so that a file which has not changed is not sent again: a folder for each (client, name), with packs of contents and an index, which is what counts. Losing any of it costs time only. Several
 * processes may share it.
 */
export class KeptFiles {
  readonly #folder: string;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #boot: string;
  readonly #mostBytes: number;
  /** Bytes that came since it was last seen how much there is. */
  #added = 0;
  #cleaned = false;
  /** Indexes as they were read last: each source of a build asks for one. */
  readonly #read = new Map<string, { readonly version: string; readonly index: KeptIndex }>();

  constructor(folder: string, o: { clock: Clock; random: Random; mostBytes?: number | undefined }) {
    this.#folder = folder;
    this.#clock = o.clock;
    this.#random = o.random;
    this.#boot = ownProcess().bootId;
    this.#mostBytes = o.mostBytes ?? MOST_BYTES;
  }

  /** What is kept of a folder. `key`: who sent it and what it is called. */
  read(key: string): KeptIndex & { readonly sameBoot: boolean } {
    const path = join(this.#of(key), 'index');
    const stat = statSync(path, { throwIfNoEntry: false, bigint: true });
    // Each index is a file of its own; `touch` changes its time alone.
    const version = stat && `${stat.ino} ${stat.birthtimeNs} ${stat.size}`;
    const last = this.#read.get(key);
    const index = last && last.version === version ? last.index : readIndex(path);
    this.#read.delete(key);
    if (version !== undefined && index.files.size <= MOST_READ) this.#read.set(key, { version, index });
    for (const [oldest] of this.#read) if (this.#read.size > INDEXES_READ) this.#read.delete(oldest);
    return { ...index, sameBoot: index.boot === this.#boot };
  }

  /** A place for the trees of one session: packs stay readable there, whatever becomes of what is kept. */
  openStay(): Stay {
    const parent = join(this.#folder, 'live');
    mkdirSync(parent, { recursive: true, mode: 0o700 });
    if (!this.#cleaned) this.#cleanUp(parent);
    this.#cleaned = true;
    const own = ownProcess();
    const owner = [own.pid, own.startedAt, own.bootId, own.namespace].join('_');
    const path = join(parent, `${owner}_${this.#random.hex(8)}`);
    mkdirSync(path, { mode: 0o700 });
    return new Stay(path, { random: this.#random, packOf: (key, pack) => join(this.#of(key), pack) });
  }

  /** What processes that were killed have left. */
  #cleanUp(parent: string): void {
    for (const name of readdirSync(parent)) {
      const [pid, startedAt = '', bootId = '', namespace = ''] = name.split('_');
      if (stateOfProcess({ pid: Number(pid), startedAt, bootId, namespace }) === 'ended')
        rmSync(join(parent, name), { recursive: true, force: true });
    }
  }

  /** Remembers files, and the new packs that they are in. Failing to costs time only. */
  keep(key: string, files: ReadonlyMap<string, KeptFile>, packs: readonly PackWriter[]): void {
    const folder = this.#of(key);
    try {
      const isNew = mkdirSync(folder, { recursive: true, mode: 0o700 }) !== undefined;
      for (const pack of packs) linkSync(pack.path, join(folder, pack.name));
      // What others have kept meanwhile, and what this build did not ask for.
      const before = readIndex(join(folder, 'index'));
      const all = before.boot === this.#boot ? new Map(before.files) : new Map<string, KeptFile>();
      for (const [path, file] of files) all.set(path, file);
      const kept = this.#worthKeeping(folder, all);
      writeIndex(
        join(folder, 'index'),
        { boot: this.#boot, files: kept.files },
        join(folder, `new-${this.#random.hex(6)}`),
      );
      this.#tidy(folder, kept.packs);
      for (const pack of packs) this.#added += pack.size;
      if (isNew || this.#added > this.#mostBytes / 64) this.#makeRoom(folder);
    } catch (error) {
      if (
        !hasErrno(
          error,
          'ENOSPC',
          'EDQUOT',
          'EACCES',
          'EPERM',
          'EROFS',
          'ENOENT',
          'EEXIST',
          'EMLINK',
          'EXDEV',
          'ENOTDIR',
        )
      )
        throw error;
    }
  }

  /** Says that what is kept was of use. */
  touch(key: string): void {
    try {
      const now = this.#clock.now() / 1000;
      utimesSync(join(this.#of(key), 'index'), now, now);
    } catch (error) {
      if (!hasErrno(error, 'ENOENT', 'EACCES', 'EPERM', 'EROFS')) throw error;
    }
  }

  /** What is kept, by folder; `key` is for `forget`. */
  list(): readonly { readonly key: string; readonly bytes: number; readonly usedAt: number }[] {
    return this.#folders().map((name) => {
      const path = join(this.#folder, name);
      let bytes = 0;
      for (const file of readdirSync(path)) bytes += statSync(join(path, file), { throwIfNoEntry: false })?.size ?? 0;
      return { key: name, bytes, usedAt: statSync(join(path, 'index'), { throwIfNoEntry: false })?.mtimeMs ?? 0 };
    });
  }

  /** Trees that are in use stay readable. */
  forget(key: string): void {
    if (/^[0-9a-f]{32}$/.test(key)) rmSync(join(this.#folder, key), { recursive: true, force: true });
  }

  #folders(): string[] {
    try {
      return readdirSync(this.#folder).filter((name) => /^[0-9a-f]{32}$/.test(name));
    } catch (error) {
      if (hasErrno(error, 'ENOENT')) return [];
      throw error;
    }
  }

  #of(key: string): string {
    return join(this.#folder, hexOf(digestOf(key)).slice(0, 32));
  }

  /** Without what is old, and without the packs that are mostly idle or too many: their files are sent once more. */
  #worthKeeping(
    folder: string,
    all: ReadonlyMap<string, KeptFile>,
  ): { files: ReadonlyMap<string, KeptFile>; packs: ReadonlySet<string> } {
    const oldest = this.#clock.now() / 1000 - FORGOTTEN_S;
    const live = new Map<string, number>();
    for (const file of all.values())
      if (file.seen >= oldest) live.set(file.pack, (live.get(file.pack) ?? 0) + file.size);
    const packs = [...live].map(([name, used]) => {
      const size = statSync(join(folder, name), { throwIfNoEntry: false })?.size;
      return { name, used, size: size ?? 0, there: size !== undefined };
    });
    const idle = packs.reduce((sum, pack) => sum + pack.size - pack.used, 0);
    const used = packs.reduce((sum, pack) => sum + pack.used, 0);
    let kept = packs.filter((pack) => pack.there);
    if (idle > used + IDLE_BYTES) kept = kept.filter((pack) => pack.used * 2 >= pack.size);
    if (kept.length > MOST_PACKS) kept = kept.toSorted((a, b) => b.used - a.used).slice(0, MOST_PACKS / 2);
    const names = new Set(kept.map(({ name }) => name));
    const files = new Map<string, KeptFile>();
    for (const [path, file] of all) if (file.seen >= oldest && names.has(file.pack)) files.set(path, file);
    return { files, packs: names };
  }

  #tidy(folder: string, packs: ReadonlySet<string>): void {
    for (const name of readdirSync(folder))
      if (name !== 'index' && !packs.has(name) && this.#isOld(join(folder, name)))
        rmSync(join(folder, name), { force: true });
  }

  /** What another process has just made stays until it is surely in no index. */
  #isOld(path: string): boolean {
    const stat = statSync(path, { throwIfNoEntry: false });
    return stat !== undefined && (this.#clock.now() - stat.ctimeMs > 60_000 || stat.nlink === 1);
  }

  #makeRoom(own: string): void {
    this.#added = 0;
    const all = this.list().toSorted((a, b) => b.usedAt - a.usedAt);
    let bytes = 0;
    for (const [i, one] of all.entries()) {
      bytes += one.bytes;
      if ((i >= MOST_CONTEXTS || bytes > this.#mostBytes) && join(this.#folder, one.key) !== own) this.forget(one.key);
    }
  }
}

/** Where the packs of one session's trees lie; all of it goes with the session. */
export class Stay implements Disposable {
  readonly #path: string;
  readonly #random: Random;
  readonly #packOf: (key: string, pack: string) => string;
  /** By name; undefined for one that is gone. */
  readonly #linked = new Map<string, { readonly path: string; readonly size: number } | undefined>();

  constructor(path: string, o: { random: Random; packOf: (key: string, pack: string) => string }) {
    this.#path = path;
    this.#random = o.random;
    this.#packOf = o.packOf;
  }

  /** Makes a pack for what comes now. */
  newPack(): PackWriter {
    const name = this.#random.hex(12);
    return new PackWriter(join(this.#path, name), name);
  }

  drop(pack: PackWriter): void {
    pack[Symbol.dispose]();
    rmSync(pack.path, { force: true });
  }

  /** A kept pack as it can be read until the session ends; undefined where it is gone, or shorter than `size`. */
  borrow(key: string, pack: string, size: number): string | undefined {
    let linked = this.#linked.get(pack);
    if (!linked && !this.#linked.has(pack)) {
      linked = this.#link(key, pack);
      this.#linked.set(pack, linked);
    }
    return linked && linked.size >= size ? linked.path : undefined;
  }

  #link(key: string, pack: string): { readonly path: string; readonly size: number } | undefined {
    const path = join(this.#path, pack);
    try {
      if (!lstatSync(path, { throwIfNoEntry: false })) linkSync(this.#packOf(key, pack), path);
      return { path, size: statSync(path).size };
    } catch (error) {
      if (!hasErrno(error, 'ENOENT', 'EXDEV', 'EPERM', 'EMLINK')) throw error;
      return undefined;
    }
  }

  [Symbol.dispose](): void {
    try {
      // There are no folders in it.
      for (const name of readdirSync(this.#path)) unlinkSync(join(this.#path, name));
      rmdirSync(this.#path);
    } catch {
      rmSync(this.#path, { recursive: true, force: true });
    }
  }
}
