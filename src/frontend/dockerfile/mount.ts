import { csvFields } from './csv.ts';
import { dockerfileError } from './errors.ts';
import { parseBool, quote } from './go-text.ts';
import type { DeviceFlag, MountFlag } from './instruction.ts';
import { didYouMean } from './suggest.ts';

/** A mount of RUN, its values expanded and checked. */
export interface RunMount {
  readonly type: MountType;
  readonly source: string;
  readonly target: string;
  readonly readonly: boolean;
  /** Bytes of a tmpfs; 0 is as much as there is. */
  readonly size: number;
  readonly id: string;
  readonly sharing?: Sharing | undefined;
  readonly required: boolean;
  /** Name of a secret's variable; "" is its id. */
  readonly env?: string | undefined;
  readonly mode?: number | undefined;
  readonly uid?: number | undefined;
  readonly gid?: number | undefined;
}

const TYPES = ['bind', 'cache', 'tmpfs', 'secret', 'ssh'] as const;
type MountType = (typeof TYPES)[number];
const SHARING = ['shared', 'private', 'locked'] as const;
type Sharing = (typeof SHARING)[number];

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
const BARE = ['readonly', 'ro', 'readwrite', 'rw', 'required'];

/**
 * Reads `RUN --mount` as far as that can be done before variables have values: which stage it needs, and, where nothing is to be expanded, its faults.
 * Throws `DOCKERFILE_FLAG` without a place.
 */
export function parseMount(written: string): MountFlag {
  let from = '';
  for (const { key, value } of fieldsOf(written)) {
    if (key !== 'from') continue;
    const dollar = value.indexOf('$');
    if (dollar >= 0 && dollar !== value.length - 1)
      throw dockerfileError(
        'DOCKERFILE_FLAG',
        "'from' doesn't support variable expansion, define alias stage instead",
        { remedy: 'Add a stage "FROM $VARIABLE AS name" with a global ARG, and use from=name.' },
      );
    from = value;
  }
  if (/['"$\\`]/.test(written)) return { written, from, bind: true };
  const { type } = readMount(written, (value) => value);
  return { written, from, bind: type === 'bind' };
}

/** The mount that was written, each value given to `expand` first (facts 1.7). Throws `DOCKERFILE_FLAG` without a place. */
export function readMount(written: string, expand: (value: string) => string): RunMount {
  const fields = new Fields();
  for (const { field, key, value, bare } of fieldsOf(written)) {
    if (!bare) fields.set(key, expand(value), field);
    else if (BARE.includes(key)) fields.set(key, 'true', field);
    else if (KEYS.includes(key)) throw wrong(`invalid field '${field}' must be a key=value pair`);
    else throw unexpectedKey(key, field);
  }
  return fields.finish();
}

function fieldsOf(
  written: string,
): readonly { readonly field: string; readonly key: string; readonly value: string; readonly bare: boolean }[] {
  const fields = csvFields(written);
  if (fields === undefined) throw wrong(`failed to parse csv mounts: ${quote(written)}`);
  return fields.map((field) => {
    const equals = field.indexOf('=');
    if (equals < 0) return { field, key: field.toLowerCase(), value: '', bare: true };
    return { field, key: field.slice(0, equals).toLowerCase(), value: field.slice(equals + 1), bare: false };
  });
}

/** The fields of one mount, in the order they are written: `required` and `size` ask which type there was so far, as BuildKit does. */
class Fields {
  #type: MountType = 'bind';
  #source = '';
  #target = '';
  #from = '';
  #readonly: boolean | undefined;
  #size = 0;
  #id = '';
  #sharing: Sharing | undefined;
  #required = false;
  #env: string | undefined;
  readonly #numbers: { mode?: number; uid?: number; gid?: number } = {};

  set(key: string, value: string, field: string): void {
    switch (key) {
      case 'type':
        this.#type = oneOf(TYPES, value, 'unsupported mount type');
        break;
      case 'from':
        this.#from = value;
        break;
      case 'source':
      case 'src':
        this.#source = value;
        break;
      case 'target':
      case 'dst':
      case 'destination':
        this.#target = value;
        break;
      case 'readonly':
      case 'ro':
        this.#readonly = boolOf(key, value);
        break;
      case 'readwrite':
      case 'rw':
        this.#readonly = !boolOf(key, value);
        break;
      case 'required':
        if (this.#type !== 'secret' && this.#type !== 'ssh') throw this.#unexpected(key);
        this.#required = boolOf(key, value);
        break;
      case 'size':
        if (this.#type !== 'tmpfs') throw this.#unexpected(key);
        this.#size = sizeOf(value);
        break;
      case 'id':
        this.#id = value;
        break;
      case 'sharing':
        this.#sharing = oneOf(SHARING, value, 'unsupported sharing value');
        break;
      case 'mode':
        this.#numbers.mode = numberOf(key, value, 8);
        break;
      case 'uid':
      case 'gid':
        this.#numbers[key] = numberOf(key, value, 10);
        break;
      case 'env':
        this.#env = value;
        break;
      default:
        throw unexpectedKey(key, field);
    }
  }

  finish(): RunMount {
    const type = this.#type;
    if (type === 'bind' || type === 'tmpfs')
      for (const key of ['mode', 'uid', 'gid'] as const)
        if (this.#numbers[key] !== undefined) throw wrong(`${key} not allowed for ${quote(type)} type mounts`);
    if (type === 'secret') {
      if (this.#from !== '') throw wrong('secret mount should not have a from');
      if (this.#sharing !== undefined) throw wrong('secret mount should not define sharing');
      if (this.#source === '' && this.#target === '' && this.#id === '')
        throw wrong('invalid secret mount. one of source, target required');
      if (this.#source !== '' && this.#id !== '') throw wrong("both source and id can't be set");
    }
    if (type === 'ssh' && this.#source !== '') throw wrong('ssh does not support source');
    if (this.#sharing !== undefined && type !== 'cache') throw wrong(`invalid cache sharing set for ${type} mount`);
    return {
      type,
      source: this.#source,
      target: this.#target,
      readonly: this.#readonly ?? (type !== 'cache' && type !== 'tmpfs'),
      size: this.#size,
      id: this.#id,
      sharing: this.#sharing,
      required: this.#required,
      env: this.#env,
      ...this.#numbers,
    };
  }

  #unexpected(key: string): Error {
    return wrong(`unexpected key '${key}' for mount type '${this.#type}'`);
  }
}

function oneOf<T extends string>(known: readonly T[], value: string, what: string): T {
  const found = known.find((one) => one === value.toLowerCase());
  if (found === undefined) throw wrong(`${what} ${quote(value)}${didYouMean(value, known, true)}`);
  return found;
}

function boolOf(key: string, value: string): boolean {
  const found = parseBool(value);
  if (found === undefined) throw wrong(`invalid value for ${key}: ${value}`);
  return found;
}

function numberOf(key: string, value: string, base: 8 | 10): number {
  const digits = base === 8 ? /^[0-7]{1,11}$/ : /^\d{1,10}$/;
  const found = digits.test(value) ? Number.parseInt(value, base) : Number.NaN;
  if (!(found <= 0xffff_ffff)) throw wrong(`invalid value ${value} for ${key}`);
  return found;
}

/** Bytes, by units of 1024: `10m`, `1.5 GiB`. */
function sizeOf(value: string): number {
  const match = /^(\d+(?:\.\d+)?) ?(?:([kmgtp])i?)?b?$/i.exec(value);
  if (match === null) throw wrong(`invalid value for size: ${value}`);
  const power = 'kmgtp'.indexOf((match[2] ?? ' ').toLowerCase()) + 1;
  return Math.trunc(Number(match[1]) * 1024 ** power);
}

function unexpectedKey(key: string, field: string): Error {
  return wrong(`unexpected key '${key}' in '${field}'${didYouMean(key, KEYS)}`);
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
