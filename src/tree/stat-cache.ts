import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { hasErrno, type Clock, type Random } from '../base/index.ts';
import { digestOf, hexOf, type Digest } from '../blob/index.ts';

/** What identifies the content of a regular file without reading it: whole seconds and nanoseconds apart. */
export interface FileStat {
  readonly dev: number;
  readonly ino: number;
  readonly size: number;
  readonly mtime: number;
  readonly mtimeNs: number;
  readonly ctime: number;
  readonly ctimeNs: number;
}

/** Digests of files by their stat data, as git's index: a folder of small files, one per build context, which several processes may share (the last to write wins). Losing it costs time only. */
export class StatCache {
  readonly #folder: string;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #open = new Map<string, FolderStats>();

  constructor(folder: string, o: { clock: Clock; random: Random }) {
    this.#folder = folder;
    this.#clock = o.clock;
    this.#random = o.random;
  }

  /** The digests known of files below the folder `root`; read from disk when first asked. */
  of(root: string): FolderStats {
    let stats = this.#open.get(root);
    if (!stats) {
      const path = join(this.#folder, `${hexOf(digestOf(root)).slice(0, 32)}.stat`);
      stats = new FolderStats(path, this.#clock, (data) => this.#write(path, data));
      this.#open.set(root, stats);
    }
    return stats;
  }

  /** Atomically; a cache that cannot be written is done without. */
  #write(path: string, data: Uint8Array): void {
    const temporary = `${path}.${process.pid}-${this.#random.hex(4)}.new`;
    try {
      mkdirSync(this.#folder, { recursive: true });
      this.#makeRoom();
      writeFileSync(temporary, data);
      renameSync(temporary, path);
    } catch (error) {
      if (!hasErrno(error, 'EACCES', 'EPERM', 'EROFS', 'ENOSPC', 'EDQUOT', 'ENOTDIR', 'ENOENT', 'EEXIST', 'EISDIR'))
        throw error;
      if (existsSync(temporary)) unlinkSync(temporary);
    }
  }

  #makeRoom(): void {
    const names = readdirSync(this.#folder);
    if (names.length < MAX_FOLDERS) return;
    const files = names.map((name) => {
      const path = join(this.#folder, name);
      return { path, at: statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0 };
    });
    files.sort((a, b) => a.at - b.at);
    for (const { path } of files.slice(0, files.length - MAX_FOLDERS + 1)) rmSync(path, { force: true });
  }
}

const MAX_FOLDERS = 64;
/** Records of one folder; 84 bytes each. */
const MAX_RECORDS = 1 << 20;
/** A record that so many writes in a row did not see is dropped. */
const MAX_AGE = 16;
const MAGIC = 0x31637473;
const HEADER = 16;

/** The records of one folder, in columns, so that loading is one read. */
export class FolderStats {
  readonly #path: string;
  readonly #clock: Clock;
  readonly #write: (data: Uint8Array) => void;
  #table: StatTable | undefined;
  #added: { key: number; stat: FileStat; digest: Digest; xattrs: boolean }[] = [];

  constructor(path: string, clock: Clock, write: (data: Uint8Array) => void) {
    this.#path = path;
    this.#clock = clock;
    this.#write = write;
  }

  /** What is known now. Record numbers are this table's own. */
  table(): StatTable {
    return (this.#table ??= load(this.#path));
  }

  /**
   * Remembers a digest, unless the file was changed so shortly before it was read that a change after the read could have left the same times (git's "racily clean" entries): file systems stamp by
   * the tick of a clock. `readAt` is the time, in milliseconds, just before the first byte was read.
   */
  add(path: string, stat: FileStat, o: { digest: Digest; xattrs: boolean; readAt: number }): void {
    const tick = stat.ctimeNs === 0 ? 2.1 : 0.05;
    if (stat.ctime + stat.ctimeNs / 1e9 >= o.readAt / 1000 - tick) return;
    this.#added.push({ key: hashOf(path), stat, digest: o.digest, xattrs: o.xattrs });
  }

  /** The time for `add`. */
  now(): number {
    return this.#clock.now();
  }

  /** Writes what was added since the last time, if anything. */
  save(): void {
    if (this.#added.length === 0) return;
    const old = this.table();
    const kept = old.survivors(MAX_RECORDS - Math.min(MAX_RECORDS, this.#added.length));
    const table = StatTable.empty(kept.length + this.#added.length);
    kept.forEach((from, to) => table.copy(old, from, to));
    this.#added.forEach((item, i) => table.put(kept.length + i, item.key, item));
    this.#added = [];
    this.#table = table;
    this.#write(table.bytes());
  }
}

/** FNV-1a over the UTF-16 units. */
function hashOf(path: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < path.length; i++) hash = Math.imul(hash ^ path.charCodeAt(i), 0x01000193);
  return hash >>> 0;
}

function load(path: string): StatTable {
  try {
    return StatTable.parse(readFileSync(path)) ?? StatTable.empty(0);
  } catch (error) {
    if (!hasErrno(error, 'ENOENT', 'ENOTDIR', 'EACCES', 'EISDIR')) throw error;
    return StatTable.empty(0);
  }
}

const FLOATS = 5;
const WORDS = 5;
const RECORD = FLOATS * 8 + WORDS * 4 + 32;

/** ino, size, mtime, ctime, dev as float64; mtimeNs, ctimeNs, path hash, age, flags as uint32; digests: `count` of each in a row. */
export class StatTable {
  readonly #buffer: Buffer;
  readonly #count: number;
  readonly #floats: Float64Array;
  readonly #words: Uint32Array;
  readonly #digests: Buffer;
  /** Open addressing: 1 + record, by path hash. */
  #index: Int32Array | undefined;
  readonly #seen: Uint8Array;

  private constructor(buffer: Buffer, count: number) {
    this.#buffer = buffer;
    this.#count = count;
    const at = buffer.byteOffset + HEADER;
    this.#floats = new Float64Array(buffer.buffer, at, FLOATS * count);
    this.#words = new Uint32Array(buffer.buffer, at + FLOATS * 8 * count, WORDS * count);
    this.#digests = buffer.subarray(HEADER + (FLOATS * 8 + WORDS * 4) * count);
    this.#seen = new Uint8Array(count);
  }

  static empty(count: number): StatTable {
    return new StatTable(Buffer.from(new ArrayBuffer(HEADER + RECORD * count)), count);
  }

  /** Undefined for what is not a whole table of this version. */
  static parse(data: Buffer): StatTable | undefined {
    if (data.length < HEADER || data.readUInt32LE(0) !== MAGIC) return undefined;
    const count = data.readUInt32LE(4);
    if (data.length !== HEADER + RECORD * count || crc32(data.subarray(HEADER)) !== data.readUInt32LE(8))
      return undefined;
    const aligned = data.byteOffset % 8 === 0 ? data : Buffer.from(new Uint8Array(data).buffer);
    return new StatTable(aligned, count);
  }

  bytes(): Buffer {
    this.#buffer.writeUInt32LE(MAGIC, 0);
    this.#buffer.writeUInt32LE(this.#count, 4);
    this.#buffer.writeUInt32LE(crc32(this.#buffer.subarray(HEADER)), 8);
    return this.#buffer;
  }

  /** The record of the file `path` (relative) with these stat data, or -1. */
  find(path: string, s: FileStat): number {
    if (this.#count === 0) return -1;
    const key = hashOf(path);
    this.#index ??= this.#makeIndex();
    const [f, w, n, mask] = [this.#floats, this.#words, this.#count, this.#index.length - 1];
    for (let slot = key & mask; this.#index[slot] !== 0; slot = (slot + 1) & mask) {
      const i = this.#index[slot]! - 1;
      if (w[2 * n + i] !== key || f[i] !== s.ino || f[n + i] !== s.size || f[4 * n + i] !== s.dev) continue;
      if (f[2 * n + i] !== s.mtime || w[i] !== s.mtimeNs || f[3 * n + i] !== s.ctime || w[n + i] !== s.ctimeNs)
        continue;
      this.#seen[i] = 1;
      return i;
    }
    return -1;
  }

  digest(i: number): Digest {
    return `sha256:${this.#digests.toString('hex', i * 32, i * 32 + 32)}`;
  }

  /** Whether the file had extended attributes that belong into a layer; a change of them changes the ctime too. */
  hasXattrs(i: number): boolean {
    return (this.#words[4 * this.#count + i]! & 1) === 1;
  }

  put(i: number, key: number, o: { stat: FileStat; digest: Digest; xattrs: boolean }): void {
    const [f, w, n] = [this.#floats, this.#words, this.#count];
    const { stat: s } = o;
    f[i] = s.ino;
    f[n + i] = s.size;
    f[2 * n + i] = s.mtime;
    f[3 * n + i] = s.ctime;
    f[4 * n + i] = s.dev;
    w[i] = s.mtimeNs;
    w[n + i] = s.ctimeNs;
    w[2 * n + i] = key;
    w[4 * n + i] = o.xattrs ? 1 : 0;
    this.#digests.write(hexOf(o.digest), i * 32, 'hex');
    this.#seen[i] = 1;
  }

  copy(from: StatTable, j: number, i: number): void {
    const [n, m] = [this.#count, from.#count];
    for (let column = 0; column < FLOATS; column++) this.#floats[column * n + i] = from.#floats[column * m + j]!;
    for (let column = 0; column < WORDS; column++) this.#words[column * n + i] = from.#words[column * m + j]!;
    from.#digests.copy(this.#digests, i * 32, j * 32, j * 32 + 32);
    this.#seen[i] = from.#seen[j]!;
    const age = 3 * n + i;
    this.#words[age] = from.#seen[j] === 1 ? 0 : this.#words[age]! + 1;
  }

  /** Records worth keeping, those seen first when there are more than `most`. */
  survivors(most: number): number[] {
    const seen: number[] = [];
    const unseen: number[] = [];
    for (let i = 0; i < this.#count; i++)
      if (this.#seen[i] === 1) seen.push(i);
      else if (this.#words[3 * this.#count + i]! < MAX_AGE) unseen.push(i);
    return [...seen.slice(0, most), ...unseen.slice(0, Math.max(0, most - seen.length))];
  }

  #makeIndex(): Int32Array {
    let size = 16;
    while (size < this.#count * 2) size *= 2;
    const index = new Int32Array(size);
    for (let i = 0; i < this.#count; i++) {
      let slot = this.#words[2 * this.#count + i]! & (size - 1);
      while (index[slot] !== 0) slot = (slot + 1) & (size - 1);
      index[slot] = i + 1;
    }
    return index;
  }
}
