import { treeError } from './errors.ts';
import { decodePath } from './path-text.ts';
import { decimal, readPax, type PaxValues } from './pax.ts';
import { BLOCK, checksumHolds, isZeroBlock, numberField, pathField, TarFault, textField } from './tar-header.ts';
import type { Extent, TarMember } from './tar-member.ts';

/** Largest extended header or long name; archive/tar has the same limit. */
const META_LIMIT = 1 << 20;
const SPARSE_MAP_LIMIT = 16 << 20;
const PATH_LIMIT = 16 << 10;
/** Extended headers in a row that no entry follows. */
const META_RUN_LIMIT = 32;

type Expect = 'header' | 'meta' | 'sparse-header' | 'sparse-map' | 'nothing';

/**
 * Reads a tar archive that is fed to it in chunks of any size: V7, ustar, star, GNU (long names, base-256 numbers, sparse) and PAX (local and global headers, xattrs, sparse 0.0, 0.1, 1.0).
 * Content is passed over; `skippable` tells how much of it need not be fed. Throws `TAR_CORRUPT`, `TAR_LIMIT`, `TAR_UNSUPPORTED`.
 */
export class TarParser {
  readonly #what: string;
  readonly #member: (member: TarMember) => void;
  #position = 0;
  #expect: Expect = 'header';
  /** Bytes of what is expected; they are gathered in `#held` unless a chunk has them whole. */
  #want = BLOCK;
  #held = Buffer.allocUnsafeSlow(BLOCK);
  #have = 0;
  #skip = 0;
  /** How much of `#skip` is padding, which may be missing at the very end. */
  #padding = 0;
  #zeroBlock = false;
  #metaType = 0;
  #metaSize = 0;
  #metaRun = 0;
  #local: PaxValues = {};
  readonly #global: PaxValues = {};
  #longName: string | undefined;
  #longLink: string | undefined;
  #pending: TarMember | undefined;
  #sparseMap: number[] = [];

  /** `what` names the archive in messages: `read layer "x.tar"`. */
  constructor(what: string, member: (member: TarMember) => void) {
    this.#what = what;
    this.#member = member;
  }

  /** Offset in the archive of the byte that comes next. */
  get position(): number {
    return this.#position;
  }

  /** Bytes from here on that the parser does not look at. */
  get skippable(): number {
    return this.#skip;
  }

  skip(bytes: number): void {
    this.#skip -= bytes;
    this.#position += bytes;
  }

  feed(chunk: Uint8Array): void {
    const b = chunk instanceof Buffer ? chunk : Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
    for (let from = 0; from < b.length;) {
      const left = b.length - from;
      if (this.#skip > 0) {
        const n = Math.min(this.#skip, left);
        this.skip(n);
        from += n;
      } else if (this.#have === 0 && left >= this.#want) {
        const n = this.#want;
        this.#position += n;
        this.#take(b, from);
        from += n;
      } else {
        if (this.#held.length < this.#want) {
          const larger = Buffer.allocUnsafeSlow(Math.max(this.#want, this.#held.length * 2));
          this.#held.copy(larger, 0, 0, this.#have);
          this.#held = larger;
        }
        const n = Math.min(this.#want - this.#have, left);
        b.copy(this.#held, this.#have, from, from + n);
        this.#have += n;
        this.#position += n;
        from += n;
        if (this.#have === this.#want) {
          this.#have = 0;
          this.#take(this.#held, 0);
        }
      }
    }
  }

  /** Says that the archive has ended. */
  end(): void {
    if (this.#expect === 'nothing') return;
    const whole = this.#expect === 'header' && this.#have === 0 && this.#skip <= this.#padding && this.#metaRun === 0;
    if (!whole) throw this.#corrupt(`it is truncated at byte ${this.#position}`);
  }

  #take(b: Buffer, at: number): void {
    try {
      if (this.#expect === 'header') this.#header(b, at);
      else if (this.#expect === 'meta') this.#meta(b, at);
      else if (this.#expect === 'sparse-header') this.#sparseHeader(b, at);
      else this.#sparseData(b, at);
    } catch (error) {
      if (!(error instanceof TarFault)) throw error;
      throw this.#corrupt(error.message, this.#pending?.path);
    }
  }

  #corrupt(detail: string, path?: string): Error {
    const where = path === undefined || path === '' ? `header at byte ${this.#position - BLOCK}` : `entry "${path}"`;
    return treeError('TAR_CORRUPT', `${this.#what}: ${detail}${detail.startsWith('it ') ? '' : ` (${where})`}`, {
      remedy: 'Make or fetch the archive again.',
    });
  }

  #limit(detail: string): Error {
    return treeError('TAR_LIMIT', `${this.#what}: ${detail} (header at byte ${this.#position - BLOCK})`, {
      remedy: 'Do not use this archive unless you know who made it, and why.',
    });
  }

  #header(b: Buffer, at: number): void {
    if (b[at] === 0 && isZeroBlock(b, at)) {
      if (this.#zeroBlock) {
        this.#expect = 'nothing';
        this.#skip = Number.MAX_SAFE_INTEGER;
      }
      this.#zeroBlock = true;
      return;
    }
    if (this.#zeroBlock) throw new TarFault('a block follows what looks like its end');
    if (!checksumHolds(b, at))
      throw new TarFault(this.#position === BLOCK ? 'it is not a tar archive' : 'a header has a wrong checksum');
    const type = b[at + 156]!;
    const size = numberField(b, at + 124, 12, 'size');
    switch (type) {
      case X_LOCAL:
      case X_GLOBAL:
      case X_SOLARIS:
      case GNU_LONG_NAME:
      case GNU_LONG_LINK:
        if (size < 0) throw new TarFault('its size is negative');
        if (size > META_LIMIT) throw this.#limit(`an extended header has ${size} bytes, more than ${META_LIMIT}`);
        if (++this.#metaRun > META_RUN_LIMIT)
          throw this.#limit(`more than ${META_RUN_LIMIT} extended headers in a row`);
        this.#metaType = type;
        this.#metaSize = size;
        if (size === 0) this.#meta(b, at);
        else {
          this.#expect = 'meta';
          this.#want = padded(size);
        }
        break;
      case GNU_VOLUME:
        this.#content(size);
        break;
      case GNU_MULTIVOLUME:
        throw treeError('TAR_UNSUPPORTED', `${this.#what}: it is a part of an archive of several volumes`, {
          remedy: 'Make the archive again as one volume.',
        });
      default:
        this.#entry(b, at, type, size);
    }
  }

  #meta(b: Buffer, at: number): void {
    const data = b.subarray(at, at + this.#metaSize);
    this.#expect = 'header';
    this.#want = BLOCK;
    if (this.#metaType === GNU_LONG_NAME) this.#longName = cText(data);
    else if (this.#metaType === GNU_LONG_LINK) this.#longLink = cText(data);
    else if (this.#metaType === X_GLOBAL) {
      readPax(data, this.#global);
      if ((this.#global.xattrs?.size ?? 0) > 64) throw this.#limit('more than 64 global extended attributes');
      this.#metaRun = Math.max(0, this.#metaRun - 1);
    } else {
      this.#local = {};
      readPax(data, this.#local);
    }
  }

  #entry(b: Buffer, at: number, typeFlag: number, headerSize: number): void {
    const { path: paxPath, linkpath, size, uid, gid, mtime, xattrs, sparse } = { ...this.#global, ...this.#local };
    const path = sparse?.name ?? paxPath ?? this.#longName ?? pathField(b, at);
    const member: TarMember = {
      path,
      type: 'file',
      mode: numberField(b, at + 100, 8, 'mode') & 0o7777,
      uid: id(uid ?? numberField(b, at + 108, 8, 'uid'), 'uid'),
      gid: id(gid ?? numberField(b, at + 116, 8, 'gid'), 'gid'),
      size: size ?? headerSize,
      mtime: mtime ? mtime.seconds : numberField(b, at + 136, 12, 'mtime'),
      mtimeNs: mtime ? mtime.ns : 0,
      link: '',
      major: 0,
      minor: 0,
      xattrs: mergedXattrs(this.#global.xattrs, xattrs),
      at: this.#position,
      stored: 0,
      sparse: undefined,
    };
    this.#pending = member;
    if (path.length > PATH_LIMIT) {
      member.path = `${path.slice(0, 80)}…`;
      throw this.#limit(`the path "${member.path}" has ${path.length} characters, more than ${PATH_LIMIT}`);
    }
    if (member.size < 0) throw new TarFault('its size is negative');
    let payload = 0;
    switch (typeFlag) {
      case 0x31:
      case 0x32:
        member.type = typeFlag === 0x31 ? 'hardlink' : 'symlink';
        member.link = linkpath ?? this.#longLink ?? textField(b, at + 157, 100);
        if (member.link.length > PATH_LIMIT)
          throw this.#limit(`the target of link "${path}" has more than ${PATH_LIMIT} characters`);
        break;
      case 0x33:
      case 0x34:
        member.type = typeFlag === 0x33 ? 'character' : 'block';
        member.major = numberField(b, at + 329, 8, 'device number');
        member.minor = numberField(b, at + 337, 8, 'device number');
        break;
      case 0x35:
        member.type = 'directory';
        break;
      case 0x36:
        member.type = 'fifo';
        break;
      case GNU_DUMPDIR:
        member.type = 'directory';
        payload = member.size;
        break;
      default:
        // V7 marks a folder by its slash; POSIX wants types unknown to the reader taken as files.
        payload = member.size;
        if (path.endsWith('/') && sparse === undefined && (typeFlag === 0 || typeFlag === 0x30))
          member.type = 'directory';
    }
    this.#local = {};
    this.#longName = undefined;
    this.#longLink = undefined;
    this.#metaRun = 0;
    member.stored = payload;
    if (member.type !== 'file') {
      member.size = 0;
      this.#finish(payload);
    } else if (typeFlag === GNU_SPARSE) this.#startOldSparse(b, at);
    else if (sparse) this.#startPaxSparse(sparse);
    else this.#finish(payload);
  }

  #startOldSparse(b: Buffer, at: number): void {
    const member = this.#pending!;
    member.size = numberField(b, at + 483, 12, 'size');
    this.#sparseMap = [];
    this.#sparseFields(b, at + 386, 4);
    if (b[at + 482] === 0) this.#finishSparse();
    else this.#expect = 'sparse-header';
  }

  #sparseHeader(b: Buffer, at: number): void {
    this.#sparseFields(b, at, 21);
    if (this.#sparseMap.length * 12 > SPARSE_MAP_LIMIT) throw this.#limit('a sparse file has too many parts');
    if (b[at + 504] !== 0) return;
    this.#expect = 'header';
    this.#pending!.at = this.#position;
    this.#finishSparse();
  }

  #sparseFields(b: Buffer, at: number, count: number): void {
    for (let i = 0; i < count; i++) {
      const field = at + i * 24;
      if (b[field] === 0) return;
      this.#sparseMap.push(numberField(b, field, 12, 'sparse map'), numberField(b, field + 12, 12, 'sparse map'));
    }
  }

  #startPaxSparse(sparse: NonNullable<PaxValues['sparse']>): void {
    const member = this.#pending!;
    if (sparse.size === undefined) throw new TarFault('its sparse header names no size');
    member.size = sparse.size;
    this.#sparseMap = sparse.map;
    if (sparse.major === 0) this.#finishSparse();
    else if (sparse.major === 1 && sparse.minor === 0) {
      this.#expect = 'sparse-map';
      this.#want = BLOCK;
    } else throw new TarFault(`its sparse format ${sparse.major}.${sparse.minor} is unknown`);
  }

  /** Sparse 1.0: the content begins with decimal numbers, a line each: how many extents, then offset and length of each; padded to whole blocks. */
  #sparseData(b: Buffer, at: number): void {
    const member = this.#pending!;
    const length = this.#want;
    const text = b.toString('latin1', at, at + length);
    const lines = text.split('\n');
    const count = lines.length > 1 ? decimal(lines[0] ?? '', 'sparse map') : undefined;
    const missing = count === undefined ? 1 : 2 + 2 * count - lines.length;
    if (missing > 0) {
      // What is missing has two bytes a line at least, so that no more is asked for than the map has.
      const more = length + Math.max(BLOCK, padded(2 * missing - 1));
      if (more > SPARSE_MAP_LIMIT) throw this.#limit('a sparse file has too many parts');
      if (more > padded(member.stored)) throw new TarFault('its sparse map is cut short');
      const held = Buffer.allocUnsafeSlow(more);
      b.copy(held, 0, at, at + length);
      this.#held = held;
      this.#have = length;
      this.#want = more;
      return;
    }
    this.#sparseMap = lines.slice(1, 1 + 2 * count!).map((line) => decimal(line, 'sparse map'));
    member.at = this.#position;
    member.stored -= length;
    if (member.stored < 0) throw new TarFault('its sparse map is longer than the entry');
    this.#expect = 'header';
    this.#want = BLOCK;
    this.#finishSparse();
  }

  #finishSparse(): void {
    const member = this.#pending!;
    const extents: Extent[] = [];
    let end = 0;
    let data = 0;
    if (this.#sparseMap.length % 2 !== 0) throw new TarFault('its sparse map is malformed');
    for (let i = 0; i < this.#sparseMap.length; i += 2) {
      const offset = this.#sparseMap[i]!;
      const length = this.#sparseMap[i + 1]!;
      if (offset < end || length < 0 || offset + length > member.size)
        throw new TarFault('its sparse map is malformed');
      if (length > 0) extents.push({ offset, length });
      end = offset + length;
      data += length;
    }
    if (data !== member.stored) throw new TarFault(`its sparse map has ${data} bytes, the entry ${member.stored}`);
    const only = extents[0];
    if (!(extents.length === 1 && only!.length === member.size) && member.size > 0) member.sparse = extents;
    this.#finish(member.stored);
  }

  #finish(payload: number): void {
    const member = this.#pending!;
    this.#content(payload);
    this.#member(member);
    this.#pending = undefined;
  }

  #content(payload: number): void {
    if (payload < 0) throw new TarFault('its size is negative');
    this.#padding = padded(payload) - payload;
    this.#skip = padded(payload);
  }
}

const X_LOCAL = 0x78;
const X_GLOBAL = 0x67;
const X_SOLARIS = 0x58;
const GNU_LONG_NAME = 0x4c;
const GNU_LONG_LINK = 0x4b;
const GNU_VOLUME = 0x56;
const GNU_MULTIVOLUME = 0x4d;
const GNU_DUMPDIR = 0x44;
const GNU_SPARSE = 0x53;

function padded(size: number): number {
  return Math.ceil(size / BLOCK) * BLOCK;
}

function cText(data: Buffer): string {
  const end = data.indexOf(0);
  return decodePath(end < 0 ? data : data.subarray(0, end));
}

/** Ids are 32 bits; GNU writes those above 2^31 as negative numbers at times. */
function id(value: number, name: string): number {
  const unsigned = value < 0 ? value + 2 ** 32 : value;
  if (unsigned < 0 || unsigned >= 2 ** 32) throw new TarFault(`its ${name} ${value} is out of range`);
  return unsigned;
}

function mergedXattrs(
  global: ReadonlyMap<string, Uint8Array> | undefined,
  local: ReadonlyMap<string, Uint8Array> | undefined,
): ReadonlyMap<string, Uint8Array> | undefined {
  return global && local && global !== local ? new Map([...global, ...local]) : local;
}
