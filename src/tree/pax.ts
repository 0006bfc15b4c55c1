/** PAX extended headers (POSIX pax, "pax Extended Header"; GNU tar manual, "Storing Sparse Files"; star's and libarchive's extended attributes). */
import { TarFault } from './tar-header.ts';
import { decodePath } from './path-text.ts';

/** What extended headers say about an entry. */
export interface PaxValues {
  path?: string;
  linkpath?: string;
  size?: number;
  uid?: number;
  gid?: number;
  mtime?: { seconds: number; ns: number };
  xattrs?: Map<string, Uint8Array>;
  /** `GNU.sparse.*`, by the rest of the key; `map` gathers the offsets and lengths of all forms. */
  sparse?: { major: number; minor: number; name?: string; size?: number; map: number[] };
}

/** Reads the records of one extended header into `into`; later ones win, empty ones take a value back. Throws TarFault. */
export function readPax(data: Buffer, into: PaxValues): void {
  const viaLibarchive = new Map<string, Uint8Array>();
  for (let at = 0; at < data.length;) {
    let length = 0;
    let i = at;
    for (; i < data.length && i < at + 12; i++) {
      const digit = data[i]! - 0x30;
      if (digit < 0 || digit > 9) break;
      length = length * 10 + digit;
    }
    const end = at + length;
    const equals = data.indexOf(0x3d, i + 1);
    if (i === at || data[i] !== 0x20 || end > data.length || data[end - 1] !== 0x0a || equals <= i + 1 || equals >= end)
      throw new TarFault('a record of its extended header is malformed');
    record(data.toString('utf8', i + 1, equals), data.subarray(equals + 1, end - 1), into, viaLibarchive);
    at = end;
  }
  for (const [name, value] of viaLibarchive) {
    into.xattrs ??= new Map();
    if (!into.xattrs.has(name)) into.xattrs.set(name, value);
  }
}

/** One record, as `<length of all> key=value\n`. */
export function paxRecord(key: string, value: Uint8Array | string): Buffer {
  const body = Buffer.concat([Buffer.from(` ${key}=`), Buffer.from(value), Buffer.from('\n')]);
  let length = body.length + String(body.length).length;
  if (String(length).length > String(body.length).length) length = body.length + String(length).length;
  return Buffer.concat([Buffer.from(String(length)), body]);
}

function record(key: string, value: Buffer, into: PaxValues, viaLibarchive: Map<string, Uint8Array>): void {
  if (key.startsWith('SCHILY.xattr.')) {
    (into.xattrs ??= new Map()).set(key.slice(13), Uint8Array.from(value));
    return;
  }
  if (key.startsWith('LIBARCHIVE.xattr.')) {
    viaLibarchive.set(unescapeUrl(key.slice(17)), Uint8Array.from(Buffer.from(value.toString('latin1'), 'base64')));
    return;
  }
  if (key.startsWith('GNU.sparse.')) {
    sparseRecord(key.slice(11), value, (into.sparse ??= { major: 0, minor: 0, map: [] }));
    return;
  }
  const empty = value.length === 0;
  switch (key) {
    case 'path':
    case 'linkpath':
      if (empty) delete into[key];
      else into[key] = pathValue(value, key);
      break;
    case 'size':
    case 'uid':
    case 'gid':
      if (empty) delete into[key];
      else into[key] = decimal(value.toString('latin1'), key);
      break;
    case 'mtime':
      if (empty) delete into.mtime;
      else into.mtime = timeValue(value.toString('latin1'));
      break;
    default:
  }
}

function sparseRecord(key: string, value: Buffer, sparse: NonNullable<PaxValues['sparse']>): void {
  const text = value.toString('latin1');
  switch (key) {
    case 'major':
    case 'minor':
      sparse[key] = decimal(text, `GNU.sparse.${key}`);
      break;
    case 'name':
      sparse.name = pathValue(value, 'GNU.sparse.name');
      break;
    case 'size':
    case 'realsize':
      sparse.size = decimal(text, `GNU.sparse.${key}`);
      break;
    case 'offset':
    case 'numbytes':
      sparse.map.push(decimal(text, `GNU.sparse.${key}`));
      break;
    case 'map':
      sparse.map = text === '' ? [] : text.split(',').map((part) => decimal(part, 'GNU.sparse.map'));
      break;
    default:
  }
}

function pathValue(value: Buffer, key: string): string {
  if (value.includes(0)) throw new TarFault(`its ${key} holds a NUL`);
  return decodePath(value);
}

/** A natural number in decimal that a double holds exactly. Throws TarFault. */
export function decimal(text: string, name: string): number {
  const value = /^\d{1,19}$/.test(text) ? Number(text) : -1;
  if (value < 0) throw new TarFault(`its ${name} "${text.slice(0, 40)}" is not a natural number`);
  if (!Number.isSafeInteger(value)) throw new TarFault(`its ${name} is too large`);
  return value;
}

function timeValue(text: string): { seconds: number; ns: number } {
  const match = /^(-?)(\d{1,15})(?:\.(\d*))?$/.exec(text);
  if (!match) throw new TarFault(`its mtime "${text.slice(0, 40)}" is not a time`);
  const whole = Number(match[2]);
  const ns = Number((match[3] ?? '').slice(0, 9).padEnd(9, '0'));
  if (match[1] === '') return { seconds: whole, ns };
  return ns === 0 ? { seconds: whole === 0 ? 0 : -whole, ns } : { seconds: -whole - 1, ns: 1e9 - ns };
}

function unescapeUrl(text: string): string {
  return text.replace(/%([0-9a-fA-F]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
}
