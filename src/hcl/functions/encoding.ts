import { createHash, privateDecrypt } from 'node:crypto';
import { messageOf } from '../../base/index.ts';
import { ValueError } from '../errors.ts';
import { formatNumber, fromJson, isList, isObject, objectOf, type Value } from '../value.ts';
import type { FunctionSpec } from './call.ts';
import { any, define, nullable, text } from './parameters.ts';

/** OpenSSL's number. Node's `constants` would load its cryptography with every command: what is no function cannot be put off. */
const RSA_PKCS1_PADDING = 1;

function hash(algorithm: string): FunctionSpec {
  return define([text], ([value]) => createHash(algorithm).update(value).digest('hex'));
}

function unsupported(reason: string): FunctionSpec {
  return define([any], () => {
    throw new ValueError(reason);
  });
}

/** Functions that encode, decode and hash. */
export const encodingFunctions: Readonly<Record<string, FunctionSpec>> = {
  base64encode: define([text], ([value]) => Buffer.from(value).toString('base64')),
  base64decode: define([text], ([value]) => {
    const plain = value.replace(/[\r\n]/g, '');
    if (!/^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/.test(plain))
      throw new ValueError('failed to decode base64 data', 0);
    return Buffer.from(plain, 'base64').toString();
  }),
  md5: hash('md5'),
  sha1: hash('sha1'),
  sha256: hash('sha256'),
  sha512: hash('sha512'),
  jsonencode: define([nullable], ([value]) => jsonText(value)),
  jsondecode: define([text], ([value]) => {
    try {
      return fromJson(JSON.parse(value));
    } catch (error) {
      throw new ValueError(`invalid JSON: ${messageOf(error)}`, 0);
    }
  }),
  csvdecode: define([text], ([value]) => csvTable(value)),
  urlencode: define([text], ([value]) => queryEscape(value)),
  uuidv4: define([], (_, { random }) => uuidFrom(Buffer.from(random.hex(16), 'hex'), 4)),
  uuidv5: define([text, text], ([namespace, name]) => {
    const digest = createHash('sha1').update(namespaceBytes(namespace)).update(name).digest();
    return uuidFrom(digest.subarray(0, 16), 5);
  }),
  rsadecrypt: define([text, text], ([ciphertext, key]) => {
    try {
      const padding = RSA_PKCS1_PADDING;
      return privateDecrypt({ key, padding }, Buffer.from(ciphertext, 'base64')).toString();
    } catch (error) {
      throw new ValueError(`failed to decrypt: ${messageOf(error)}`);
    }
  }),
  bcrypt: {
    parameters: [text],
    variadic: any,
    run: () => {
      throw new ValueError(
        'strake has no bcrypt: its result is another one each time, so nothing built with it is cached',
      );
    },
  },
  byteslen: unsupported('nothing in a file makes bytes; for a string use strlen'),
  bytesslice: {
    parameters: [any, any, any],
    run: () => {
      throw new ValueError('nothing in a file makes bytes; for a string use substr');
    },
  },
};

/** As Go writes JSON: all digits of a number, and escapes for what HTML or JavaScript would take for something else. */
function jsonText(value: Value): string {
  if (typeof value === 'number') return formatNumber(value);
  if (value === null || typeof value === 'boolean') return String(value);
  if (typeof value === 'string') return quoted(value);
  if (isObject(value))
    return `{${[...value.entries()].map(([key, item]) => `${quoted(key)}:${jsonText(item)}`).join(',')}}`;
  return `[${(isList(value) ? value : value.items).map(jsonText).join(',')}]`;
}

function quoted(text: string): string {
  return JSON.stringify(text).replace(
    /[<>&\u2028\u2029]/g,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

/** Go's url.QueryEscape. */
function queryEscape(value: string): string {
  return encodeURIComponent(value.toWellFormed())
    .replace(/[!'()*]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`)
    .replaceAll('%20', '+');
}

const NAMESPACES: Readonly<Record<string, string>> = {
  dns: '6ba7b810-9dad-11d1-80b4-00c04fd430c8',
  url: '6ba7b811-9dad-11d1-80b4-00c04fd430c8',
  oid: '6ba7b812-9dad-11d1-80b4-00c04fd430c8',
  x500: '6ba7b814-9dad-11d1-80b4-00c04fd430c8',
};

function namespaceBytes(namespace: string): Buffer {
  const uuid = (Object.hasOwn(NAMESPACES, namespace) ? NAMESPACES[namespace] : undefined) ?? namespace;
  if (!/^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(uuid))
    throw new ValueError(`uuidv5() doesn't support namespace ${JSON.stringify(namespace)}`, 0);
  return Buffer.from(uuid.replaceAll('-', ''), 'hex');
}

function uuidFrom(bytes: Buffer, version: number): string {
  const own = Buffer.from(bytes);
  own[6] = ((own[6] ?? 0) & 0x0f) | (version << 4);
  own[8] = ((own[8] ?? 0) & 0x3f) | 0x80;
  return own.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}

function csvTable(value: string): Value {
  const rows = csvRows(value);
  const [header, ...rest] = rows;
  if (header === undefined) throw new ValueError('missing header line', 0);
  const twice = header.find((name, at) => header.indexOf(name) !== at);
  if (twice !== undefined) throw new ValueError(`duplicate column name ${JSON.stringify(twice)}`, 0);
  return rest.map((row, at) => {
    if (row.length !== header.length) throw new ValueError(`wrong number of fields on row ${at + 2}`, 0);
    return objectOf(header.map((name, column) => [name, row[column] ?? ''] as const));
  });
}

/** RFC 4180, lines without anything left out. */
function csvRows(value: string): readonly (readonly string[])[] {
  const rows: string[][] = [];
  let row: string[] = [];
  const field = /(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\r?\n|$)/y;
  let at = 0;
  while (at < value.length || row.length > 0) {
    field.lastIndex = at;
    const found = field.exec(value);
    if (!found) throw new ValueError('a quote does not belong in its field', 0);
    const [whole, quoted, bare = '', after = ''] = found;
    row.push(quoted === undefined ? bare : quoted.replaceAll('""', '"'));
    at += whole.length;
    if (after === ',') {
      if (at === value.length) row.push('');
      else continue;
    }
    if (row.length > 1 || row[0] !== '' || quoted !== undefined) rows.push(row);
    row = [];
  }
  return rows;
}
