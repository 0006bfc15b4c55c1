import { crc32 } from 'node:zlib';
import type { Entry, EntryType } from './entry.ts';
import type { Place, TarIndex } from './tar-index.ts';

/**
 * The table of contents of a layer as bytes: a head (magic with version, CRC of the rest, count, lengths), columns of numbers (little end first), one text with all paths and link targets, and JSON for what few
 * entries have (devices, xattrs, extents).
 *
 *     0 magic 8 | 8 crc 4 | 12 count 4 | 16 text bytes 4 | 20 text is UTF-16 4 | 24 extras bytes 4 | 28 zero 4
 *     32 at f64[n] | size f64[n] | mtime f64[n] | mtimeNs u32[n] | uid u32[n] | gid u32[n] | type and mode u32[n] | path length u32[n] | link length u32[n] (0xffffffff: no link) | text | extras
 */
/** Changes with the bytes of a table, and with what the index of a tar is. */
export const TOC_VERSION = 1;
const MAGIC = `strTOC${String.fromCharCode(TOC_VERSION)}\n`;
const HEAD = 32;
const ROW = 48;
const NO_LINK = 0xffff_ffff;
const TYPES: readonly EntryType[] = [
  'file',
  'directory',
  'symlink',
  'hardlink',
  'character',
  'block',
  'fifo',
  'whiteout',
  'opaque',
];

type Writable<T> = { -readonly [K in keyof T]: T[K] };

/** By the number of the entry. */
type Extras = Record<
  string,
  {
    device?: readonly [number, number];
    xattrs?: readonly (readonly [string, string])[];
    extents?: readonly (readonly [number, number])[];
  }
>;

export function encodeToc({ entries, places }: TarIndex): Buffer {
  const n = entries.length;
  const texts: string[] = [];
  const extras: Extras = {};
  const columns = Buffer.alloc(n * ROW);
  const view = columnsOf(columns, 0, n);
  for (let i = 0; i < n; i++) {
    const entry = entries[i]!;
    const place = places.get(entry.path);
    view.at[i] = entry.type !== 'file' || place === undefined ? 0 : typeof place === 'number' ? place : place.at;
    view.size[i] = entry.size;
    view.mtime[i] = entry.mtime;
    view.mtimeNs[i] = entry.mtimeNs;
    view.uid[i] = entry.uid;
    view.gid[i] = entry.gid;
    view.kind[i] = (TYPES.indexOf(entry.type) << 16) | entry.mode;
    view.pathLength[i] = entry.path.length;
    view.linkLength[i] = entry.link === undefined ? NO_LINK : entry.link.length;
    texts.push(entry.path, entry.link ?? '');
    const extents = entry.type === 'file' && typeof place === 'object' ? place.extents : undefined;
    if (!entry.device && !entry.xattrs && !extents) continue;
    extras[i] = {
      ...(entry.device && { device: [entry.device.major, entry.device.minor] }),
      ...(entry.xattrs && {
        xattrs: [...entry.xattrs].map(([name, value]) => [name, Buffer.from(value).toString('base64')] as const),
      }),
      ...(extents && { extents: extents.map(({ offset, length }) => [offset, length] as const) }),
    };
  }
  const text = texts.join('');
  const wide = !isLatin1(text);
  const textBytes = Buffer.from(text, wide ? 'utf16le' : 'latin1');
  const extrasBytes = Buffer.from(JSON.stringify(extras));
  const head = Buffer.alloc(HEAD);
  const all = Buffer.concat([head, columns, textBytes, extrasBytes]);
  all.write(MAGIC, 'latin1');
  all.writeUInt32LE(n, 12);
  all.writeUInt32LE(textBytes.length, 16);
  all.writeUInt32LE(wide ? 1 : 0, 20);
  all.writeUInt32LE(extrasBytes.length, 24);
  all.writeUInt32LE(crc32(all.subarray(12)), 8);
  return all;
}

/** Undefined when these are not the whole bytes of a table of this version. */
export function decodeToc(bytes: Buffer): TarIndex | undefined {
  if (bytes.length < HEAD || bytes.toString('latin1', 0, 8) !== MAGIC) return undefined;
  const n = bytes.readUInt32LE(12);
  const textLength = bytes.readUInt32LE(16);
  const extrasLength = bytes.readUInt32LE(24);
  const textAt = HEAD + n * ROW;
  if (bytes.length !== textAt + textLength + extrasLength || crc32(bytes.subarray(12)) !== bytes.readUInt32LE(8))
    return undefined;
  const view = columnsOf(bytes, HEAD, n);
  const text = bytes.toString(bytes.readUInt32LE(20) === 1 ? 'utf16le' : 'latin1', textAt, textAt + textLength);
  const extras = JSON.parse(bytes.toString('utf8', textAt + textLength)) as Extras;
  const special = extrasLength > 2;
  const entries: Entry[] = [];
  let from = 0;
  for (let i = 0; i < n; i++) {
    const kind = view.kind[i]!;
    const pathEnd = from + view.pathLength[i]!;
    const path = text.slice(from, pathEnd);
    from = pathEnd;
    const type = TYPES[kind >> 16]!;
    const extra = special ? extras[i] : undefined;
    const entry: Writable<Entry> = {
      path,
      type,
      mode: kind & 0o7777,
      uid: view.uid[i]!,
      gid: view.gid[i]!,
      size: view.size[i]!,
      mtime: view.mtime[i]!,
      mtimeNs: view.mtimeNs[i]!,
    };
    const linkLength = view.linkLength[i]!;
    if (linkLength !== NO_LINK) {
      entry.link = text.slice(from, from + linkLength);
      from += linkLength;
    }
    if (extra?.device) entry.device = { major: extra.device[0], minor: extra.device[1] };
    if (extra?.xattrs)
      entry.xattrs = new Map(
        extra.xattrs.map(([name, value]) => [name, Uint8Array.from(Buffer.from(value, 'base64'))]),
      );
    entries.push(entry);
  }
  // Made when first asked for: many readers want the entries only.
  let places: Map<string, Place> | undefined;
  const placeAll = (): Map<string, Place> => {
    places = new Map();
    for (const [i, { path, type }] of entries.entries()) {
      const extents = special ? extras[i]?.extents : undefined;
      const at = view.at[i]!;
      if (type === 'file')
        places.set(path, extents ? { at, extents: extents.map(([offset, length]) => ({ offset, length })) } : at);
    }
    return places;
  };
  return { entries, places: { get: (path) => (places ?? placeAll()).get(path) } };
}

function columnsOf(
  bytes: Buffer,
  at: number,
  n: number,
): {
  at: Float64Array;
  size: Float64Array;
  mtime: Float64Array;
  mtimeNs: Uint32Array;
  uid: Uint32Array;
  gid: Uint32Array;
  kind: Uint32Array;
  pathLength: Uint32Array;
  linkLength: Uint32Array;
} {
  const { buffer } = bytes;
  let offset = bytes.byteOffset + at;
  const doubles = (): Float64Array => {
    offset += n * 8;
    return new Float64Array(buffer, offset - n * 8, n);
  };
  const words = (): Uint32Array => {
    offset += n * 4;
    return new Uint32Array(buffer, offset - n * 4, n);
  };
  return {
    at: doubles(),
    size: doubles(),
    mtime: doubles(),
    mtimeNs: words(),
    uid: words(),
    gid: words(),
    kind: words(),
    pathLength: words(),
    linkLength: words(),
  };
}

function isLatin1(text: string): boolean {
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) > 0xff) return false;
  return true;
}
