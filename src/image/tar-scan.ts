import type { Bytes } from '../base/index.ts';
import { imageError } from './errors.ts';

/** One entry of a tar: what is needed to find contents in an archive and to see that a layer can be read. Names as UTF-8. */
export interface TarItem {
  readonly name: string;
  readonly type: 'file' | 'directory' | 'symlink' | 'hardlink' | 'other';
  /** Bytes of content, and where it begins in the tar. */
  readonly size: number;
  readonly offset: number;
  readonly link: string;
}

const BLOCK = 512;
/** Long names and PAX records: no sound archive has more. */
const EXTENSION_LIMIT = 1 << 20;

/** The entries of a tar that comes as a stream. Throws `ARCHIVE_INVALID` for what is no tar or ends early. */
export async function* scanTar(content: Bytes, what: string): AsyncIterable<TarItem> {
  const parser = tarParser(what);
  let step = parser.next();
  let held: Buffer[] = [];
  let have = 0;
  let skip = 0;
  for await (const chunk of content) {
    let rest = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.length);
    while (!step.done) {
      const skipped = Math.min(skip, rest.length);
      skip -= skipped;
      rest = rest.subarray(skipped);
      if (skip > 0) break;
      const taken = rest.subarray(0, step.value.read - have);
      held.push(taken);
      have += taken.length;
      rest = rest.subarray(taken.length);
      if (have < step.value.read) break;
      step = parser.next(held.length === 1 ? (held[0] as Buffer) : Buffer.concat(held));
      held = [];
      have = 0;
      if (step.done) break;
      skip = step.value.skip;
      if (step.value.item) yield step.value.item;
    }
  }
  if (!step.done && (skip > 0 || have > 0 || !step.value.mayEnd)) throw cut(what);
}

/** The entries of a tar that can be read at any offset: only headers are read. `size` is that of the whole tar. */
export function indexTar(
  read: (offset: number, length: number) => Buffer,
  options: { size: number; what: string },
): TarItem[] {
  const items: TarItem[] = [];
  const parser = tarParser(options.what);
  let at = 0;
  let step = parser.next();
  while (!step.done) {
    at += step.value.skip;
    if (step.value.item) items.push(step.value.item);
    if (at >= options.size && step.value.mayEnd && at === options.size) break;
    if (at + step.value.read > options.size) throw cut(options.what);
    const block = read(at, step.value.read);
    if (block.length < step.value.read) throw cut(options.what);
    at += step.value.read;
    step = parser.next(block);
  }
  return items;
}

/** What the parser wants next: `skip` bytes passed over, then `read` bytes. `item` is the entry just found, whose content is what is skipped. */
interface Want {
  readonly skip: number;
  readonly read: number;
  readonly item?: TarItem | undefined;
  /** The tar may end here, even without its two zero blocks. */
  readonly mayEnd: boolean;
}

function* tarParser(what: string): Generator<Want, void, Buffer> {
  let at = 0;
  let next: Want = { skip: 0, read: BLOCK, mayEnd: false };
  const ask = function* (want: Want): Generator<Want, Buffer, Buffer> {
    at += want.skip + want.read;
    return yield want;
  };
  let long: { name?: string; link?: string; size?: number } = {};
  for (;;) {
    const header = yield* ask(next);
    if (header.every((byte) => byte === 0)) return;
    checkSum(header, what);
    const type = String.fromCharCode(header[156] ?? 0);
    const size = long.size ?? number(header, 124, 12);
    if (!Number.isSafeInteger(size) || size < 0)
      throw imageError('ARCHIVE_INVALID', `read ${what}: an entry has no valid size`);
    const padded = Math.ceil(size / BLOCK) * BLOCK;
    if (type === 'x' || type === 'g' || type === 'L' || type === 'K') {
      const own = number(header, 124, 12);
      if (!(own >= 0 && own <= EXTENSION_LIMIT))
        throw imageError('ARCHIVE_INVALID', `read ${what}: an extended header of ${own} bytes`);
      const length = Math.ceil(own / BLOCK) * BLOCK;
      const content =
        length === 0 ? Buffer.alloc(0) : (yield* ask({ skip: 0, read: length, mayEnd: false })).subarray(0, own);
      if (type === 'x') long = { ...long, ...paxRecords(content) };
      if (type === 'L') long.name = cstring(content);
      if (type === 'K') long.link = cstring(content);
      next = { skip: 0, read: BLOCK, mayEnd: false };
      continue;
    }
    const name = long.name ?? ustarName(header);
    const kind = kindOf(type, name);
    const hasContent = kind === 'file' || kind === 'other';
    const item: TarItem = {
      name,
      type: kind,
      size: hasContent ? size : 0,
      offset: at,
      link: long.link ?? cstring(header.subarray(157, 257)),
    };
    long = {};
    next = { skip: hasContent ? padded : 0, read: BLOCK, item, mayEnd: true };
  }
}

function kindOf(type: string, name: string): TarItem['type'] {
  if (type === '5') return 'directory';
  if (type === '0' || type === '\0' || type === '7') return name.endsWith('/') ? 'directory' : 'file';
  return type === '2' ? 'symlink' : type === '1' ? 'hardlink' : type === 'S' ? 'other' : 'other';
}

function ustarName(header: Buffer): string {
  const name = cstring(header.subarray(0, 100));
  const isUstar = header.toString('latin1', 257, 263) === 'ustar\0';
  const prefix = isUstar ? cstring(header.subarray(345, 500)) : '';
  return prefix === '' ? name : `${prefix}/${name}`;
}

function checkSum(header: Buffer, what: string): void {
  const said = number(header, 148, 8);
  let sum = 0;
  for (let at = 0; at < BLOCK; at++) sum += at >= 148 && at < 156 ? 32 : (header[at] as number);
  if (sum !== said) throw imageError('ARCHIVE_INVALID', `read ${what}: not a tar archive, or a damaged one`);
}

/** An octal number, or a binary one when the first bit is set. */
function number(header: Buffer, offset: number, length: number): number {
  const first = header[offset] as number;
  if (first & 0x80) {
    let value = first & 0x7f;
    for (let at = offset + 1; at < offset + length; at++) value = value * 256 + (header[at] as number);
    return value;
  }
  const digits = cstring(header.subarray(offset, offset + length)).trim();
  return digits === '' ? 0 : /^[0-7]+$/.test(digits) ? Number.parseInt(digits, 8) : Number.NaN;
}

function paxRecords(content: Buffer): { name?: string; link?: string; size?: number } {
  const found: { name?: string; link?: string; size?: number } = {};
  for (let at = 0; at < content.length;) {
    const space = content.indexOf(32, at);
    const length = Number.parseInt(content.toString('latin1', at, space), 10);
    if (space < 0 || !(length > 0)) break;
    const record = content.toString('utf8', space + 1, at + length - 1);
    const equals = record.indexOf('=');
    const value = record.slice(equals + 1);
    const key = record.slice(0, equals);
    if (key === 'path') found.name = value;
    if (key === 'linkpath') found.link = value;
    if (key === 'size') found.size = Number(value);
    at += length;
  }
  return found;
}

function cstring(bytes: Buffer): string {
  const end = bytes.indexOf(0);
  return bytes.toString('utf8', 0, end < 0 ? bytes.length : end);
}

function cut(what: string): Error {
  return imageError('ARCHIVE_INVALID', `read ${what}: it ends in the middle of an entry`);
}
