import { csvFields } from './csv.ts';
import { dockerfileError } from './errors.ts';
import { parseBool, quote } from './go-text.ts';
import type { DeviceFlag, MountFlag } from './instruction.ts';
import { didYouMean } from './suggest.ts';

const KEYS = [
  'type',
  'from',
  'source',
  'target',
  'readonly',
  'id',
  'sharing',
  'required',
  'size',
  'mode',
  'uid',
  'gid',
  'src',
  'dst',
  'destination',
  'ro',
  'rw',
  'readwrite',
  'env',
];
const TYPES = ['bind', 'cache', 'tmpfs', 'secret', 'ssh'];
const SHARING = ['shared', 'private', 'locked'];
const BARE = ['readonly', 'ro', 'readwrite', 'rw', 'required'];

/**
 * Reads the value of `RUN --mount` (facts 1.7), so that its faults are found; what it means comes with RUN mounts themselves. Fields that hold a variable are checked
 * only as far as that allows. Throws `DOCKERFILE_FLAG` without a place.
 */
export function parseMount(written: string): MountFlag {
  const fields = csvFields(written);
  if (fields === undefined) throw wrong(`failed to parse csv mounts: ${quote(written)}`);
  const mount = new Map<string, string>();
  let variable = false;
  for (const field of fields) {
    const equals = field.indexOf('=');
    const key = (equals < 0 ? field : field.slice(0, equals)).toLowerCase();
    const value = equals < 0 ? '' : field.slice(equals + 1);
    const dollar = value.indexOf('$');
    if (key === 'from' && dollar >= 0 && dollar !== value.length - 1)
      throw dockerfileError(
        'DOCKERFILE_FLAG',
        "'from' doesn't support variable expansion, define alias stage instead",
        {
          remedy: 'Add a stage "FROM $VARIABLE AS name" with a global ARG, and use from=name.',
        },
      );
    if (!KEYS.includes(key)) throw wrong(`unexpected key '${key}' in '${field}'${didYouMean(key, KEYS)}`);
    if (equals < 0 && !BARE.includes(key)) throw wrong(`invalid field '${field}' must be a key=value pair`);
    if (dollar >= 0) variable = true;
    else checkField(key, equals < 0 ? 'true' : value);
    mount.set(canonical(key), value);
  }
  if (!variable) checkMount(mount);
  return { written, from: mount.get('from') ?? '' };
}

function checkField(key: string, value: string): void {
  if (key === 'type' && !TYPES.includes(value.toLowerCase()))
    throw wrong(`unsupported mount type ${quote(value)}${didYouMean(value, TYPES)}`);
  if (key === 'sharing' && !SHARING.includes(value.toLowerCase()))
    throw wrong(`unsupported sharing value ${quote(value)}${didYouMean(value, SHARING)}`);
  if (BARE.includes(key) && parseBool(value) === undefined) throw wrong(`invalid value for ${key}: ${value}`);
  if (key === 'mode' && !/^[0-7]{1,11}$/.test(value)) throw wrong(`invalid value ${value} for mode`);
  if ((key === 'uid' || key === 'gid') && (!/^\d{1,10}$/.test(value) || Number(value) > 0xffff_ffff))
    throw wrong(`invalid value ${value} for ${key}`);
  if (key === 'size' && !/^\d+(\.\d+)? ?([kmgtp]i?b?|b)?$/i.test(value))
    throw wrong(`invalid value for size: ${value}`);
}

function checkMount(mount: ReadonlyMap<string, string>): void {
  const type = (mount.get('type') ?? 'bind').toLowerCase();
  const only = (key: string, ...types: readonly string[]): boolean => mount.has(key) && !types.includes(type);
  if (only('required', 'secret', 'ssh')) throw wrong(`unexpected key 'required' for mount type '${type}'`);
  if (only('size', 'tmpfs')) throw wrong(`unexpected key 'size' for mount type '${type}'`);
  for (const key of ['mode', 'uid', 'gid'])
    if (only(key, 'secret', 'ssh', 'cache')) throw wrong(`${key} not allowed for ${quote(type)} type mounts`);
  const has = (key: string): boolean => (mount.get(key) ?? '') !== '';
  if (type === 'secret') {
    if (has('from')) throw wrong('secret mount should not have a from');
    if (has('sharing')) throw wrong('secret mount should not define sharing');
    if (!has('source') && !has('target') && !has('id'))
      throw wrong('invalid secret mount. one of source, target required');
    if (has('source') && has('id')) throw wrong("both source and id can't be set");
  }
  if (has('sharing') && type !== 'cache') throw wrong(`invalid cache sharing set for ${type} mount`);
}

function canonical(key: string): string {
  if (key === 'src') return 'source';
  if (key === 'dst' || key === 'destination') return 'target';
  return key;
}

/** Reads the value of `RUN --device`. */
export function parseDevice(written: string): DeviceFlag {
  const fields = csvFields(written);
  if (fields === undefined) throw wrong(`failed to parse csv devices: ${quote(written)}`);
  let name = '';
  let required = false;
  for (const field of fields) {
    const equals = field.indexOf('=');
    const key = (equals < 0 ? field : field.slice(0, equals)).toLowerCase();
    if (key === 'required') {
      const value = equals < 0 ? true : parseBool(field.slice(equals + 1));
      if (value === undefined) throw wrong(`invalid value for required: ${field.slice(equals + 1)}`);
      required = value;
    } else if (key === 'name' && equals >= 0) {
      if (name !== '') throw wrong(`device name already set to ${name}`);
      name = field.slice(equals + 1);
    } else if (name === '') name = field;
    else if (equals < 0) throw wrong(`invalid field '${field}' must be a key=value pair`);
    else throw wrong(`unexpected key '${key}' in '${field}'${didYouMean(key, ['name', 'required'])}`);
  }
  return { name, required };
}

function wrong(message: string): Error {
  return dockerfileError('DOCKERFILE_FLAG', message, {
    remedy: 'Write comma-separated key=value fields, as --mount=type=cache,target=/root/.cache.',
  });
}
