import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { treeError } from './errors.ts';

/** An entry of a zip archive as its central directory has it. */
export interface ZipMember {
  /** As written, "\" made "/" where a system wrote it that has such paths. */
  readonly name: string;
  readonly method: 'stored' | 'deflated';
  readonly crc: number;
  readonly compressed: number;
  readonly size: number;
  /** Of its local header. */
  readonly offset: number;
  /** Type and permissions as Unix has them; undefined where another system wrote it. */
  readonly mode: number | undefined;
  /** Seconds since the epoch; a time without a zone is taken for UTC. */
  readonly mtime: number;
}

const LIMIT = 256 << 20;
const END = 0x06054b50;
const END64 = 0x06064b50;
const LOCATOR64 = 0x07064b50;
const CENTRAL = 0x02014b50;
const LOCAL = 0x04034b50;
const MAX32 = 0xffffffff;
const UNIX = 3;
const DOS = 0;

/** The members of a zip archive, in its order (APPNOTE 6.3, sections 4.3.12 to 4.3.16). Throws `ZIP_INVALID`, `ZIP_UNSUPPORTED` (encrypted, split, another method). */
export function zipMembers(path: string): readonly ZipMember[] {
  const fd = openSync(path, 'r');
  const bad = (detail: string): Error => treeError('ZIP_INVALID', `read zip "${path}": ${detail}`);
  const at = (offset: number, length: number): Buffer => {
    const buffer = Buffer.alloc(length);
    if (offset < 0 || readSync(fd, buffer, 0, length, offset) < length) throw bad('it ends early');
    return buffer;
  };
  try {
    const { size } = fstatSync(fd);
    const place = endOf(at, { size, bad });
    if (place.length > LIMIT) throw bad('its directory is too large');
    const directory = at(place.offset, place.length);
    const members: ZipMember[] = [];
    for (let from = 0; members.length < place.count;) {
      if (from + 46 > directory.length || directory.readUInt32LE(from) !== CENTRAL)
        throw bad('its directory is damaged');
      const member = centralMember(directory, from, { path, bad });
      members.push(member.member);
      from += member.length;
    }
    return members;
  } finally {
    closeSync(fd);
  }
}

/** Where the content of a member begins. */
export function zipContentOffset(fd: number, member: ZipMember, path: string): number {
  const header = Buffer.alloc(30);
  if (readSync(fd, header, 0, 30, member.offset) < 30 || header.readUInt32LE(0) !== LOCAL)
    throw treeError('ZIP_INVALID', `read zip "${path}": "${member.name}" is not where its directory says`);
  return member.offset + 30 + header.readUInt16LE(26) + header.readUInt16LE(28);
}

function endOf(
  at: (offset: number, length: number) => Buffer,
  o: { size: number; bad: (detail: string) => Error },
): { readonly offset: number; readonly length: number; readonly count: number } {
  const tail = at(Math.max(0, o.size - 65_557), Math.min(o.size, 65_557));
  let end = tail.length - 22;
  while (end >= 0 && tail.readUInt32LE(end) !== END) end -= 1;
  if (end < 0) throw o.bad('it is no zip archive');
  if (tail.readUInt16LE(end + 4) !== 0 && tail.readUInt16LE(end + 4) !== 0xffff)
    throw o.bad('it is one part of several');
  const place = {
    count: tail.readUInt16LE(end + 10),
    length: tail.readUInt32LE(end + 12),
    offset: tail.readUInt32LE(end + 16),
  };
  if (place.count !== 0xffff && place.length !== MAX32 && place.offset !== MAX32) return place;
  if (end < 20 || tail.readUInt32LE(end - 20) !== LOCATOR64) return place;
  const large = at(Number(tail.readBigUInt64LE(end - 20 + 8)), 56);
  if (large.readUInt32LE(0) !== END64) throw o.bad('its directory is damaged');
  return {
    count: Number(large.readBigUInt64LE(32)),
    length: Number(large.readBigUInt64LE(40)),
    offset: Number(large.readBigUInt64LE(48)),
  };
}

function centralMember(
  directory: Buffer,
  from: number,
  o: { path: string; bad: (detail: string) => Error },
): { readonly member: ZipMember; readonly length: number } {
  const u16 = (at: number): number => directory.readUInt16LE(from + at);
  const u32 = (at: number): number => directory.readUInt32LE(from + at);
  const nameEnd = from + 46 + u16(28);
  const extraEnd = nameEnd + u16(30);
  const length = extraEnd + u16(32) - from;
  if (from + length > directory.length) throw o.bad('its directory is damaged');
  const system = directory.readUInt8(from + 5);
  const text = directory.toString('utf8', from + 46, nameEnd);
  const name = system === DOS && !text.includes('/') ? text.replaceAll('\\', '/') : text;
  const unsupported = (detail: string): Error =>
    treeError('ZIP_UNSUPPORTED', `read zip "${o.path}": "${name}" ${detail}`, {
      remedy: 'Pack it again as a plain zip or tar archive.',
    });
  if ((u16(8) & 1) !== 0) throw unsupported('is encrypted');
  const method = u16(10);
  if (method !== 0 && method !== 8) throw unsupported(`is compressed by method ${method}`);
  const sizes = { compressed: u32(20), size: u32(24), offset: u32(42), mtime: dosTime(u16(14), u16(12)) };
  readExtra(directory.subarray(nameEnd, extraEnd), sizes);
  return {
    member: {
      name,
      method: method === 0 ? 'stored' : 'deflated',
      crc: u32(16),
      ...sizes,
      mode: system === UNIX ? u32(38) >>> 16 : undefined,
    },
    length,
  };
}

/** Sizes that 32 bits cannot hold (field 1), and the time as Unix has it (field 0x5455). */
function readExtra(extra: Buffer, o: { compressed: number; size: number; offset: number; mtime: number }): void {
  for (let at = 0; at + 4 <= extra.length;) {
    const [id, length] = [extra.readUInt16LE(at), extra.readUInt16LE(at + 2)];
    const field = extra.subarray(at + 4, at + 4 + length);
    if (id === 1) {
      let from = 0;
      for (const key of ['size', 'compressed', 'offset'] as const) {
        if (o[key] !== MAX32 || from + 8 > field.length) continue;
        o[key] = Number(field.readBigUInt64LE(from));
        from += 8;
      }
    } else if (id === 0x5455 && field.length >= 5 && ((field[0] ?? 0) & 1) !== 0) o.mtime = field.readInt32LE(1);
    at += 4 + length;
  }
}

function dosTime(date: number, time: number): number {
  const [year, month, day] = [1980 + (date >> 9), (date >> 5) & 15, date & 31];
  return Date.UTC(year, Math.max(0, month - 1), Math.max(1, day), time >> 11, (time >> 5) & 63, (time & 31) * 2) / 1000;
}
