import { readSync } from 'node:fs';

/** What a program or library of ELF (64 bits, little endian; elf(5)) says to whoever loads it. */
export interface Linkage {
  /** The loader that it asks for, and where its name lies in the file. */
  readonly interpreter?: { readonly path: string; readonly offset: number; readonly size: number } | undefined;
  /** What a library is called. */
  readonly soname?: string | undefined;
  /** Names of libraries it cannot do without. */
  readonly needed: readonly string[];
  /** Where the last byte of the file that is loaded ends; what comes after it is for debuggers. */
  readonly end: number;
}

const [LOAD, DYNAMIC, INTERPRETER] = [1, 2, 3];
const [NEEDED, STRINGS, STRINGS_SIZE, SONAME] = [1n, 5n, 10n, 14n];

/** Undefined where the open file `fd` is no such ELF file. */
export function linkageOf(fd: number): Linkage | undefined {
  const head = bytesAt(fd, 0, 64);
  if (head.length < 64 || !head.subarray(0, 6).equals(Buffer.from([0x7f, 0x45, 0x4c, 0x46, 2, 1]))) return undefined;
  const count = head.readUInt16LE(56);
  const table = bytesAt(fd, Number(head.readBigUInt64LE(32)), count * 56);
  const segments = Array.from({ length: count }, (_, at) => {
    const row = table.subarray(at * 56);
    const number = (offset: number): number => Number(row.readBigUInt64LE(offset));
    return { type: row.readUInt32LE(0), offset: number(8), address: number(16), size: number(32) };
  });
  const loaded = segments.filter(({ type }) => type === LOAD);
  const fileOffset = (address: number): number => {
    const segment = loaded.find((one) => address >= one.address && address < one.address + one.size);
    return segment ? address - segment.address + segment.offset : -1;
  };
  const place = segments.find(({ type }) => type === INTERPRETER);
  const dynamic = segments.find(({ type }) => type === DYNAMIC);
  const values = dynamic ? entriesOf(bytesAt(fd, dynamic.offset, dynamic.size)) : [];
  const number = (tag: bigint): number => Number(values.find(([one]) => one === tag)?.[1] ?? -1n);
  const strings =
    number(STRINGS) < 0 ? Buffer.alloc(0) : bytesAt(fd, fileOffset(number(STRINGS)), number(STRINGS_SIZE));
  const text = (at: bigint): string => strings.toString('latin1', Number(at), strings.indexOf(0, Number(at)));
  const soname = values.find(([tag]) => tag === SONAME);
  return {
    interpreter: place && {
      path: bytesAt(fd, place.offset, place.size).toString('latin1').replace(/\0.*$/s, ''),
      offset: place.offset,
      size: place.size,
    },
    soname: soname && text(soname[1]),
    needed: values.filter(([tag]) => tag === NEEDED).map(([, at]) => text(at)),
    end: Math.max(0, ...loaded.map(({ offset, size }) => offset + size)),
  };
}

/** The dynamic section: tag and value. */
function entriesOf(section: Buffer): readonly (readonly [bigint, bigint])[] {
  const found: (readonly [bigint, bigint])[] = [];
  for (let at = 0; at + 16 <= section.length; at += 16)
    found.push([section.readBigUInt64LE(at), section.readBigUInt64LE(at + 8)]);
  return found;
}

function bytesAt(fd: number, offset: number, length: number): Buffer {
  const bytes = Buffer.alloc(length);
  return bytes.subarray(0, offset < 0 ? 0 : readSync(fd, bytes, 0, length, offset));
}
