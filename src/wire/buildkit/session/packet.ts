/**
 * Packets of fsutil's protocol (fsutil.types.Packet), read and written without a message object for each: a context is a hundred thousand of them. Paths are bytes there (`decodePath`), as file names are, whatever protobuf says of
 * strings.
 */
import { decodePath, encodePath } from '../../../tree/index.ts';
import { sessionError } from './errors.ts';
import type { Stat } from './stat.ts';

export const STAT = 0;
export const REQ = 1;
export const DATA = 2;
export const FIN = 3;
export const ERR = 4;

/** The packet read last; the next one takes its place. `data` is a view. */
export class PacketReader {
  type = 0;
  id = 0;
  data: Buffer = EMPTY;
  stat: Stat | undefined;
  #bytes: Buffer = EMPTY;
  #at = 0;
  #low = 0;
  #high = 0;

  /** Throws `SESSION_PROTOCOL`. */
  read(message: Buffer): void {
    this.#bytes = message;
    this.#at = 0;
    this.type = 0;
    this.id = 0;
    this.data = EMPTY;
    this.stat = undefined;
    while (this.#at < message.length) {
      const tag = this.#number();
      if (tag === 0x08) this.type = this.#number();
      else if (tag === 0x18) this.id = this.#number();
      else if (tag === 0x22) this.data = this.#view();
      else if (tag === 0x12) {
        const end = this.#end();
        this.stat = this.#stat(end);
      } else this.#skip(tag);
    }
  }

  #stat(end: number): Stat {
    let path = '';
    let link = '';
    let [mode, uid, gid, size, major, minor] = [0, 0, 0, 0, 0, 0];
    let mtime = 0n;
    let xattrs: Map<string, Uint8Array> | undefined;
    while (this.#at < end) {
      const tag = this.#number();
      switch (tag) {
        case 0x0a:
          path = decodePath(this.#view());
          break;
        case 0x10:
          mode = this.#number() >>> 0;
          break;
        case 0x18:
          uid = this.#number();
          break;
        case 0x20:
          gid = this.#number();
          break;
        case 0x28:
          size = this.#number();
          break;
        case 0x30:
          this.#varint();
          mtime = BigInt.asIntN(64, (BigInt(this.#high) << 32n) | BigInt(this.#low));
          break;
        case 0x3a:
          link = decodePath(this.#view());
          break;
        case 0x40:
          major = this.#number();
          break;
        case 0x48:
          minor = this.#number();
          break;
        case 0x52:
          this.#xattr((xattrs ??= new Map()));
          break;
        default:
          this.#skip(tag);
      }
    }
    if (this.#at !== end) throw malformed();
    return { path, mode, uid, gid, size, mtime, link, major, minor, xattrs };
  }

  #xattr(into: Map<string, Uint8Array>): void {
    const end = this.#end();
    let name = '';
    let value = EMPTY;
    while (this.#at < end) {
      const tag = this.#number();
      if (tag === 0x0a) name = this.#view().toString();
      else if (tag === 0x12) value = Buffer.from(this.#view());
      else this.#skip(tag);
    }
    into.set(name, value);
  }

  /** A varint of up to 53 bits. */
  #number(): number {
    this.#varint();
    if (this.#high > 0x1f_ffff) throw malformed();
    return this.#high * 0x1_0000_0000 + this.#low;
  }

  /** Into `#low` and `#high`, 32 bits each. */
  #varint(): void {
    const bytes = this.#bytes;
    let low = 0;
    let high = 0;
    for (let shift = 0; shift < 70; shift += 7) {
      if (this.#at >= bytes.length) throw malformed();
      const byte = bytes[this.#at++]!;
      const bits = byte & 0x7f;
      if (shift < 28) low |= bits << shift;
      else if (shift === 28) {
        low |= bits << 28;
        high = bits >>> 4;
      } else if (shift < 63) high |= bits << (shift - 32);
      else high |= (bits & 1) << 31;
      if (byte < 0x80) {
        this.#low = low >>> 0;
        this.#high = high >>> 0;
        return;
      }
    }
    throw malformed();
  }

  #end(): number {
    const length = this.#number();
    const end = this.#at + length;
    if (end > this.#bytes.length) throw malformed();
    return end;
  }

  #view(): Buffer {
    const end = this.#end();
    const view = this.#bytes.subarray(this.#at, end);
    this.#at = end;
    return view;
  }

  #skip(tag: number): void {
    const wire = tag & 7;
    if (wire === 0) this.#varint();
    else if (wire === 2) this.#at = this.#end();
    else if (wire === 1) this.#at += 8;
    else if (wire === 5) this.#at += 4;
    else throw malformed();
    if (this.#at > this.#bytes.length) throw malformed();
  }
}

const EMPTY = Buffer.alloc(0);

function malformed(): Error {
  return sessionError('SESSION_PROTOCOL', 'read a packet of files: it is malformed');
}

/** A packet without a stat. Of one with data, what comes before these (see `send`). */
export function packetHead(type: number, o: { id?: number | undefined; data?: number | undefined } = {}): Buffer {
  const out = Buffer.allocUnsafe(24);
  let at = 0;
  if (type !== 0) {
    out[at++] = 0x08;
    out[at++] = type;
  }
  if (o.id !== undefined && o.id > 0) {
    out[at++] = 0x18;
    at = putVarint(out, at, o.id);
  }
  if (o.data !== undefined && o.data > 0) {
    out[at++] = 0x22;
    at = putVarint(out, at, o.data);
  }
  return out.subarray(0, at);
}

/** A STAT packet; without a stat, the one that ends the list. */
export function statPacket(stat: Stat | undefined): Buffer {
  if (!stat) return EMPTY;
  const path = encodePath(stat.path);
  const link = encodePath(stat.link);
  const xattrs = [...(stat.xattrs ?? [])].map(([name, value]) => {
    const key = Buffer.from(name);
    const size = 2 + varintSize(key.length) + key.length + varintSize(value.length) + value.length;
    return { key, value, size };
  });
  let size = path.length + link.length + 100;
  for (const one of xattrs) size += one.size + 11;
  const out = Buffer.allocUnsafe(size);
  let at = 0;
  const number = (tag: number, value: number): void => {
    if (value === 0) return;
    out[at++] = tag;
    at = putVarint(out, at, value);
  };
  const bytes = (tag: number, value: Uint8Array): void => {
    out[at++] = tag;
    at = putVarint(out, at, value.length);
    out.set(value, at);
    at += value.length;
  };
  if (path.length > 0) bytes(0x0a, path);
  number(0x10, stat.mode);
  number(0x18, stat.uid);
  number(0x20, stat.gid);
  number(0x28, stat.size);
  if (stat.mtime !== 0n) {
    out[at++] = 0x30;
    let rest = BigInt.asUintN(64, stat.mtime);
    for (; rest >= 0x80n; rest >>= 7n) out[at++] = Number(rest & 0x7fn) | 0x80;
    out[at++] = Number(rest);
  }
  if (link.length > 0) bytes(0x3a, link);
  number(0x40, stat.major);
  number(0x48, stat.minor);
  for (const one of xattrs) {
    out[at++] = 0x52;
    at = putVarint(out, at, one.size);
    bytes(0x0a, one.key);
    bytes(0x12, one.value);
  }
  const head = Buffer.allocUnsafe(11);
  head[0] = 0x12;
  const length = putVarint(head, 1, at);
  return Buffer.concat([head.subarray(0, length), out.subarray(0, at)]);
}

function putVarint(out: Buffer, start: number, value: number): number {
  let at = start;
  let rest = value;
  for (; rest >= 0x80; rest = Math.floor(rest / 128)) out[at++] = (rest % 128) | 0x80;
  out[at++] = rest;
  return at;
}

function varintSize(value: number): number {
  let size = 1;
  for (let rest = value; rest >= 0x80; rest = Math.floor(rest / 128)) size += 1;
  return size;
}
