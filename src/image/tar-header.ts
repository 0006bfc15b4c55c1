/** An entry of an archive that we write: owned by 0:0, dated at the epoch unless told. */
export interface ArchiveEntry {
  /** A folder's ends with "/". */
  readonly name: string;
  readonly mode: number;
  /** Bytes of content; 0 for a folder. */
  readonly size: number;
  /** Seconds since the epoch. */
  readonly mtime?: number | undefined;
  /** A folder whose name does not end with "/". */
  readonly isFolder?: boolean | undefined;
}

const BLOCK = 512;
const OCTAL_LIMIT = 8 ** 11;

/** The header blocks of an entry, byte for byte as Go's archive/tar writes them: ustar, with a PAX header before it for a name or size that does not fit. */
export function tarHeader(entry: ArchiveEntry): Uint8Array {
  const split = splitName(entry.name);
  const records: [string, string][] = [];
  if (!split) records.push(['path', entry.name]);
  if (entry.size >= OCTAL_LIMIT) records.push(['size', String(entry.size)]);
  const header = block(entry.isFolder === true || entry.name.endsWith('/') ? '5' : '0', {
    name: split?.name ?? Buffer.from(entry.name).toString('latin1', 0, 100),
    mode: entry.mode,
    size: entry.size >= OCTAL_LIMIT ? 0 : entry.size,
    mtime: entry.mtime ?? 0,
  });
  if (split?.prefix) header.write(split.prefix, 345, 155, 'latin1');
  header.write('0000000\0', 329, 'latin1');
  header.write('0000000\0', 337, 'latin1');
  sealed(header);
  if (records.length === 0) return header;
  const content = Buffer.from(records.map(([key, value]) => paxRecord(key, value)).join(''));
  const slash = entry.name.lastIndexOf('/', entry.name.length - 2);
  const pax = block('x', {
    name: `${entry.name.slice(0, slash + 1)}PaxHeaders.0/${entry.name.slice(slash + 1)}`.slice(0, 100),
    mode: 0,
    size: content.length,
    mtime: 0,
  });
  return Buffer.concat([sealed(pax), content, tarPadding(content.length), header]);
}

/** The zero bytes that follow `size` bytes of content. */
export function tarPadding(size: number): Uint8Array {
  return Buffer.alloc((BLOCK - (size % BLOCK)) % BLOCK);
}

/** The two zero blocks that end a tar. */
export function tarEnd(): Uint8Array {
  return Buffer.alloc(2 * BLOCK);
}

function block(type: string, o: { name: string; mode: number; size: number; mtime: number }): Buffer {
  const header = Buffer.alloc(BLOCK);
  header.write(o.name, 0, 100, 'latin1');
  header.write(octal(o.mode, 7), 100, 'latin1');
  header.write(octal(0, 7), 108, 'latin1');
  header.write(octal(0, 7), 116, 'latin1');
  header.write(octal(o.size, 11), 124, 'latin1');
  header.write(octal(o.mtime, 11), 136, 'latin1');
  header.write(type, 156, 'latin1');
  header.write('ustar\x0000', 257, 'latin1');
  return header;
}

function sealed(header: Buffer): Buffer {
  header.fill(' ', 148, 156);
  let sum = 0;
  for (const byte of header) sum += byte;
  header.write(`${octal(sum, 6)} `, 148, 'latin1');
  return header;
}

function octal(value: number, digits: number): string {
  return `${value.toString(8).padStart(digits, '0')}\0`;
}

function splitName(name: string): { name: string; prefix: string } | undefined {
  if (!/^[\x20-\x7e]*$/.test(name)) return undefined;
  if (name.length <= 100) return { name, prefix: '' };
  const slash = name.lastIndexOf('/', Math.min(155, name.length - 2));
  if (slash <= 0 || name.length - slash - 1 > 100) return undefined;
  return { name: name.slice(slash + 1), prefix: name.slice(0, slash) };
}

function paxRecord(key: string, value: string): string {
  const body = ` ${key}=${value}\n`;
  const length = Buffer.byteLength(body);
  let total = length + String(length).length;
  total = length + String(total).length;
  return `${total}${body}`;
}
