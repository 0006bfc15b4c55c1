/** The 512-byte header block of tar archives (POSIX pax "ustar Interchange Format"; GNU tar manual, "Basic Tar Format"; V7), read in place. */
import { decodePath } from './path-text.ts';

export const BLOCK = 512;

/** Why a number or a record cannot be read; the reader adds which archive and entry. */
export class TarFault extends Error {}

/** True when the block at `at` is all zeros. */
export function isZeroBlock(b: Buffer, at: number): boolean {
  for (let i = at; i < at + BLOCK; i++) if (b[i] !== 0) return false;
  return true;
}

/** True when the block's checksum is right, as sum of unsigned or (old tars) signed bytes. */
export function checksumHolds(b: Buffer, at: number): boolean {
  let sum = 8 * 0x20;
  let high = 0;
  for (let i = at; i < at + 148; i++) {
    const x = b[i]!;
    sum += x;
    high += x >> 7;
  }
  for (let i = at + 156; i < at + BLOCK; i++) {
    const x = b[i]!;
    sum += x;
    high += x >> 7;
  }
  const stored = octal(b, at + 148, 8);
  return stored !== undefined && (stored === sum || stored === sum - 256 * high);
}

/** Text up to the first NUL or the end of the field. */
export function textField(b: Buffer, at: number, length: number): string {
  let end = at;
  let all = 0;
  for (const stop = at + length; end < stop; end++) {
    const x = b[end]!;
    if (x === 0) break;
    all |= x;
  }
  return all < 0x80 ? b.toString('latin1', at, end) : decodePath(b.subarray(at, end));
}

/** A number: octal digits, or GNU's base 256 (two's complement, big end first). Throws TarFault. */
export function numberField(b: Buffer, at: number, length: number, name: string): number {
  const first = b[at]!;
  if (first < 0x80) {
    const value = octal(b, at, length);
    if (value === undefined) throw new TarFault(`its ${name} is not a number`);
    return value;
  }
  let value = (first & 0x40) !== 0 ? -1 : 0;
  const low = first & 0x7f;
  value = value < 0 ? (low & 0x3f) - 0x40 : low & 0x3f;
  for (let i = at + 1; i < at + length; i++) {
    value = value * 256 + b[i]!;
    if (!Number.isSafeInteger(value)) throw new TarFault(`its ${name} is too large`);
  }
  return value;
}

/** The path that name and prefix fields give: POSIX has a prefix, "star" a shorter one, GNU and V7 none. */
export function pathField(b: Buffer, at: number): string {
  const name = textField(b, at, 100);
  if (b[at + 345] === 0 || !isPosix(b, at)) return name;
  const star = b[at + 508] === 0x74 && b.toString('latin1', at + 508, at + 512) === 'tar\0';
  const prefix = textField(b, at + 345, star ? 131 : 155);
  return prefix === '' ? name : `${prefix}/${name}`;
}

/** Magic "ustar" and NUL; GNU's has a space there. */
function isPosix(b: Buffer, at: number): boolean {
  return (
    b[at + 257] === 0x75 &&
    b[at + 258] === 0x73 &&
    b[at + 259] === 0x74 &&
    b[at + 260] === 0x61 &&
    b[at + 261] === 0x72 &&
    b[at + 262] === 0
  );
}

/** Octal digits between spaces and NULs; nothing at all is 0; undefined when there is anything else. */
function octal(b: Buffer, at: number, length: number): number | undefined {
  const end = at + length;
  let i = at;
  while (i < end && (b[i] === 0x20 || b[i] === 0)) i++;
  let value = 0;
  for (; i < end; i++) {
    const digit = b[i]! - 0x30;
    if (digit < 0 || digit > 7) break;
    value = value * 8 + digit;
  }
  for (; i < end; i++) if (b[i] !== 0x20 && b[i] !== 0) return undefined;
  return value;
}
