import { compareText, convert, isObject, scalarText, ValueError, type Type, type Value } from '../hcl/index.ts';
import { csvField, csvFields } from './csv.ts';

/** An output, cache or attestation: a type and attributes. Keys of `attributes` are in order. */
export interface Entry {
  readonly type: string;
  readonly attributes: ReadonlyMap<string, string>;
}

export interface Secret {
  readonly id: string;
  readonly src: string;
  readonly env: string;
}

export interface Ssh {
  readonly id: string;
  readonly paths: readonly string[];
}

/** Go's strconv.ParseBool; undefined for what is neither. */
export function parseBool(text: string): boolean | undefined {
  if (['1', 't', 'T', 'true', 'TRUE', 'True'].includes(text)) return true;
  return ['0', 'f', 'F', 'false', 'FALSE', 'False'].includes(text) ? false : undefined;
}

export function entryOf(attributes: Iterable<readonly [string, string]>, what: string): Entry {
  const all = new Map(attributes);
  const type = all.get('type') ?? '';
  all.delete('type');
  if (type === '') throw new ValueError(`type is required for ${what}`);
  return { type, attributes: new Map([...all].sort(([a], [b]) => compareText(a, b))) };
}

function pairsOf(text: string, fields: readonly string[]): [string, string][] {
  return fields.map((field) => {
    const equals = field.indexOf('=');
    if (equals < 0)
      throw new ValueError(`invalid value ${JSON.stringify(field)} in ${JSON.stringify(text)}: write key=value`);
    return [field.slice(0, equals).trim().toLowerCase(), field.slice(equals + 1)];
  });
}

/** `type=…,key=value`, or a folder, or `-`. */
export function outputFromText(text: string): Entry {
  const fields = csvFields(text);
  if (fields.length === 1 && fields[0] === text && !text.startsWith('type='))
    return { type: text === '-' ? 'tar' : 'local', attributes: new Map([['dest', text]]) };
  return entryOf(pairsOf(text, fields), 'output');
}

/** `type=…,key=value`, or names of images. */
export function cachesFromText(text: string): readonly Entry[] {
  const fields = csvFields(text);
  if (!text.includes('=')) return fields.map((ref) => ({ type: 'registry', attributes: new Map([['ref', ref]]) }));
  return [entryOf(pairsOf(text, fields), JSON.stringify(text))];
}

/** `type=provenance,mode=max`, `type=sbom,disabled=true`. */
export function attestFromText(text: string): Entry {
  return checkedAttest(entryOf(pairsOf(text, csvFields(text)), 'an attestation'));
}

function checkedAttest(entry: Entry): Entry {
  const text = entry.attributes.get('disabled');
  if (text === undefined) return entry;
  const disabled = parseBool(text);
  if (disabled === undefined) throw new ValueError(`invalid value disabled=${text}: it is neither true nor false`);
  const attributes = new Map(entry.attributes);
  if (disabled) attributes.set('disabled', 'true');
  else attributes.delete('disabled');
  return { ...entry, attributes };
}

/** `true`, `false` or attributes, of `--provenance` and `--sbom`, as an attestation. */
export function canonicalAttest(type: string, text: string): string {
  const given = parseBool(text);
  return given === undefined ? `type=${type},${text}` : `type=${type},disabled=${String(!given)}`;
}

export function secretFromText(text: string): Secret {
  let [id, src, env, type] = ['', '', '', ''];
  for (const [key, value] of pairsOf(text, csvFields(text))) {
    if (key === 'id') id = value;
    else if (key === 'src' || key === 'source') src = value;
    else if (key === 'env') env = value;
    else if (key === 'type' && (value === 'file' || value === 'env')) type = value;
    else if (key === 'type') throw new ValueError(`unsupported secret type ${JSON.stringify(value)}`);
    else
      throw new ValueError(
        `unexpected key ${JSON.stringify(key)} in ${JSON.stringify(text)}: a secret has id, src, env and type`,
      );
  }
  return type === 'env' && env === '' ? { id, src: '', env: src } : { id, src, env };
}

export function sshFromText(text: string): Ssh {
  const equals = text.indexOf('=');
  if (equals < 0) return { id: text, paths: [] };
  return { id: text.slice(0, equals), paths: text.slice(equals + 1).split(',') };
}

/** An element of a list in a file: a text, or the same as an object. */
export function outputFrom(value: Value): Entry {
  return typeof value === 'string' ? outputFromText(value) : entryOf(attributesOf(value), 'output');
}

export function cachesFrom(value: Value): readonly Entry[] {
  return typeof value === 'string' ? cachesFromText(value) : [entryOf(attributesOf(value), 'a cache')];
}

export function attestFrom(value: Value): Entry {
  return typeof value === 'string'
    ? attestFromText(value)
    : checkedAttest(entryOf(attributesOf(value), 'an attestation'));
}

export function secretFrom(value: Value): Secret {
  if (typeof value === 'string') return secretFromText(value);
  const found = new Map(attributesOf(value));
  return { id: found.get('id') ?? '', src: found.get('src') ?? '', env: found.get('env') ?? '' };
}

const SSH: Type = {
  kind: 'object',
  attributes: new Map([
    ['id', { type: { kind: 'string' }, optional: true }],
    ['paths', { type: { kind: 'list', element: { kind: 'string' } }, optional: true }],
  ]),
};

export function sshFrom(value: Value): Ssh {
  if (typeof value === 'string') return sshFromText(value);
  const found = convert(value, SSH);
  if (!isObject(found)) throw new ValueError('a string or an object is required');
  const paths = found.get('paths') ?? [];
  return { id: scalarText(found.get('id') ?? ''), paths: Array.isArray(paths) ? paths.map(scalarText) : [] };
}

function attributesOf(value: Value): readonly (readonly [string, string])[] {
  if (value === null || !isObject(value)) throw new ValueError('a string or an object of strings is required');
  return [...value.entries()].flatMap(([key, item]) => {
    if (item === null) return [];
    if (typeof item === 'object') throw new ValueError(`attribute "${key}": a string is required`);
    return [[key, scalarText(item)] as const];
  });
}

/** As a flag of `build` takes it. */
export function entryText({ type, attributes }: Entry): string {
  return [csvField('type', type), ...[...attributes].map(([key, value]) => csvField(key, value))].join(',');
}

export function secretText({ id, src, env }: Secret): string {
  return Object.entries({ id, src, env })
    .filter(([, value]) => value !== '')
    .map(([key, value]) => csvField(key, value))
    .join(',');
}

export function sshText({ id, paths }: Ssh): string {
  return paths.length === 0 ? id : `${id}=${paths.join(',')}`;
}

export function isSameEntry(a: Entry, b: Entry): boolean {
  return entryText(a) === entryText(b);
}
