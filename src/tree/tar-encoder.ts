import type { Entry } from './entry.ts';
import { treeError } from './errors.ts';
import { paxRecord } from './pax.ts';
import { encodePath } from './path-text.ts';
import { BLOCK } from './tar-header.ts';

/**
 * Tar headers as Go's archive/tar writes them, which is what BuildKit, containerd and the buildpacks lifecycle use: ustar (with a split name) wherever everything fits, else a PAX header of just
 * what does not fit, records sorted by key, named "PaxHeaders.0"; empty owner names; octal numbers filled with zeros and ended by NUL.
 */

const TYPES: Readonly<Record<Entry['type'], number>> = {
  file: 0x30,
  hardlink: 0x31,
  symlink: 0x32,
  character: 0x33,
  block: 0x34,
  directory: 0x35,
  fifo: 0x36,
  whiteout: 0x30,
  opaque: 0x30,
};
const MAX_ID = 8 ** 7;
const MAX_LONG = 8 ** 11;
const ZEROS = Buffer.alloc(BLOCK);

/** Writes the header of `entry` into `block` at `at` when one ustar block can say it all; else returns false, having written nothing that counts. `name` is the entry's name in the archive. */
export function writeShortHeader(entry: Entry, name: string, block: Buffer, at: number): boolean {
  const { uid, gid, size, mtime, link = '', device } = entry;
  if (name.length > 256 || link.length > 100 || entry.xattrs !== undefined) return false;
  if (uid >= MAX_ID || gid >= MAX_ID || size >= MAX_LONG || mtime < 0 || mtime >= MAX_LONG) return false;
  if (device && (device.major >= MAX_ID || device.minor >= MAX_ID)) return false;
  block.set(ZEROS, at);
  if (name.length <= 100) {
    if (!ascii(name, 0, name.length, block, at)) return false;
  } else {
    const slash = splitAt(name);
    if (slash < 0 || !ascii(name, slash + 1, name.length, block, at) || !ascii(name, 0, slash, block, at + 345))
      return false;
  }
  if (link !== '' && !ascii(link, 0, link.length, block, at + 157)) return false;
  writeFields(entry, block, at);
  return true;
}

/** The headers of an entry that `writeShortHeader` cannot write: a PAX header and the entry's own. Throws `ENTRY_UNENCODABLE`. */
export function longHeader(entry: Entry, name: string): Buffer {
  const { uid, gid, size, mtime, link = '', device } = entry;
  const fail = (detail: string): Error => treeError('ENTRY_UNENCODABLE', `write "${entry.path}" into a tar: ${detail}`);
  if (device && (device.major >= MAX_ID || device.minor >= MAX_ID)) throw fail('its device number is too large');
  if (name.includes('\0') || link.includes('\0')) throw fail('its name or target holds a NUL');
  const records: [string, Buffer | string | Uint8Array][] = [];
  const nameBytes = encodePath(name);
  const linkBytes = encodePath(link);
  if (nameBytes.length > 100 || !isAscii(nameBytes)) records.push(['path', nameBytes]);
  if (linkBytes.length > 100 || !isAscii(linkBytes)) records.push(['linkpath', linkBytes]);
  if (uid >= MAX_ID) records.push(['uid', String(uid)]);
  if (gid >= MAX_ID) records.push(['gid', String(gid)]);
  if (size >= MAX_LONG) records.push(['size', String(size)]);
  if (mtime < 0 || mtime >= MAX_LONG) records.push(['mtime', String(mtime)]);
  for (const [key, value] of entry.xattrs ?? []) {
    if (key === '' || key.includes('=') || key.includes('\0'))
      throw fail(`its extended attribute "${key}" has no name that tar can hold`);
    records.push([`SCHILY.xattr.${key}`, value]);
  }
  records.sort(([a], [b]) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
  const data = Buffer.concat(records.map(([key, value]) => paxRecord(key, value)));
  const own = BLOCK + Math.ceil(data.length / BLOCK) * BLOCK;
  const out = Buffer.alloc(own + BLOCK);
  putText(out, 0, 100, paxName(nameBytes));
  octal(out, 100, 8, 0);
  octal(out, 108, 8, 0);
  octal(out, 116, 8, 0);
  octal(out, 124, 12, data.length);
  octal(out, 136, 12, 0);
  out[156] = 0x78;
  seal(out, 0);
  data.copy(out, BLOCK);
  putText(out, own, 100, asciiOnly(nameBytes));
  putText(out, own + 157, 100, asciiOnly(linkBytes));
  writeFields(entry, out, own);
  return out;
}

/** All of a header but the names. What an octal field cannot hold is zero there. */
function writeFields(entry: Entry, b: Buffer, at: number): void {
  octal(b, at + 100, 8, entry.mode);
  octal(b, at + 108, 8, entry.uid);
  octal(b, at + 116, 8, entry.gid);
  octal(b, at + 124, 12, entry.size);
  octal(b, at + 136, 12, entry.mtime);
  b[at + 156] = TYPES[entry.type];
  octal(b, at + 329, 8, entry.device?.major ?? 0);
  octal(b, at + 337, 8, entry.device?.minor ?? 0);
  seal(b, at);
}

/** Magic, version and checksum. */
function seal(b: Buffer, at: number): void {
  b[at + 257] = 0x75;
  b[at + 258] = 0x73;
  b[at + 259] = 0x74;
  b[at + 260] = 0x61;
  b[at + 261] = 0x72;
  b[at + 263] = 0x30;
  b[at + 264] = 0x30;
  let sum = 8 * 0x20;
  for (let i = at; i < at + BLOCK; i++) sum += b[i]!;
  octal(b, at + 148, 7, sum);
  b[at + 155] = 0x20;
}

function octal(b: Buffer, at: number, length: number, value: number): void {
  let rest = value < 0 || value >= 8 ** (length - 1) ? 0 : value;
  for (let i = at + length - 2; i >= at; i--) {
    const next = Math.floor(rest / 8);
    b[i] = 0x30 + (rest - next * 8);
    rest = next;
  }
}

/** Copies ASCII text; false at the first character that is none (or NUL). */
function ascii(text: string, from: number, to: number, b: Buffer, at: number): boolean {
  for (let i = from; i < to; i++) {
    const unit = text.charCodeAt(i);
    if (unit >= 0x80 || unit === 0) return false;
    b[at + i - from] = unit;
  }
  return true;
}

/** Where ustar splits a name of more than 100 bytes into prefix and name: the last "/" that leaves at most 155 before it; -1 when there is none. */
function splitAt(name: string): number {
  const length = name.length > 156 ? 156 : name.endsWith('/') ? name.length - 1 : name.length;
  const slash = name.lastIndexOf('/', length - 1);
  const rest = name.length - slash - 1;
  return slash <= 0 || rest > 100 || rest === 0 ? -1 : slash;
}

function isAscii(bytes: Buffer): boolean {
  return bytes.every((x) => x < 0x80);
}

function asciiOnly(bytes: Buffer): Buffer {
  return isAscii(bytes) ? bytes : Buffer.from(bytes.filter((x) => x < 0x80));
}

/** As much of `text` as fits; a name that is cut right after a "/" loses the slash, as readers might take it for a folder's. */
function putText(b: Buffer, at: number, length: number, text: Buffer): void {
  const end = text.length > length && text[length - 1] === 0x2f ? length - 1 : Math.min(length, text.length);
  text.copy(b, at, 0, end);
}

function paxName(name: Buffer): Buffer {
  const slash = name.lastIndexOf(0x2f);
  const folder = slash < 0 ? Buffer.alloc(0) : name.subarray(0, slash + 1);
  const full = asciiOnly(Buffer.concat([folder, Buffer.from('PaxHeaders.0/'), name.subarray(slash + 1)]));
  let end = Math.min(100, full.length);
  while (end > 0 && full[end - 1] === 0x2f) end -= 1;
  return full.subarray(0, end);
}
