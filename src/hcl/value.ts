/**
 * A value of an expression. Lists and tuples are arrays; maps and objects are maps whose keys are in order; a set is a `SetValue`. Numbers are doubles, where Go's HCL has 512 bits.
 */
export type Value = null | boolean | number | string | readonly Value[] | SetValue | ObjectValue;

export type ObjectValue = ReadonlyMap<string, Value>;

/** Distinct values in order: strings and numbers by value, others as they came. */
export class SetValue {
  readonly items: readonly Value[];

  constructor(items: Iterable<Value>) {
    const seen = new Map<string, Value>();
    for (const item of items) if (!seen.has(keyText(item))) seen.set(keyText(item), item);
    this.items = [...seen.values()].sort(compareValues);
  }

  has(value: Value): boolean {
    return this.items.some((item) => isEqual(item, value));
  }
}

export function isList(value: Value): value is readonly Value[] {
  return Array.isArray(value);
}

export function isObject(value: Value): value is ObjectValue {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof SetValue);
}

/** An object with its keys in order; a later entry of the same key wins. */
export function objectOf(entries: Iterable<readonly [string, Value]>): ObjectValue {
  return new Map([...new Map(entries)].sort(([a], [b]) => compareText(a, b)));
}

/** By code points, as Go compares the bytes of strings. */
export function compareText(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let at = 0; at < length; at++) {
    const [x, y] = [a.charCodeAt(at), b.charCodeAt(at)];
    if (x === y) continue;
    // Surrogates stand for what is above all that is written in one unit.
    const [p, q] = [x, y].map((unit) => (unit >= 0xd800 && unit < 0xe000 ? unit + 0x10000 : unit));
    return (p ?? 0) - (q ?? 0);
  }
  return a.length - b.length;
}

function compareValues(a: Value, b: Value): number {
  if (typeof a === 'string' && typeof b === 'string') return compareText(a, b);
  if (typeof a === 'number' && typeof b === 'number') return a - b;
  if (typeof a === 'boolean' && typeof b === 'boolean') return Number(a) - Number(b);
  return 0;
}

export function isEqual(a: Value, b: Value): boolean {
  if (a === b) return true;
  if (isList(a) && isList(b)) return a.length === b.length && a.every((item, at) => isEqual(item, b[at] ?? null));
  if (a instanceof SetValue && b instanceof SetValue)
    return a.items.length === b.items.length && a.items.every((item) => b.has(item));
  if (!isObject(a) || !isObject(b)) return false;
  const keys = [...a.keys()];
  return (
    keys.length === [...b.keys()].length &&
    keys.every((key) => b.has(key) && isEqual(a.get(key) ?? null, b.get(key) ?? null))
  );
}

function keyText(value: Value): string {
  return JSON.stringify(toJson(value)) + typeof value;
}

/** What kind of value this is, in the words of the language. */
export function typeName(value: Value): string {
  if (value === null) return 'null';
  if (typeof value === 'boolean') return 'bool';
  if (typeof value === 'object') return isList(value) ? 'tuple' : value instanceof SetValue ? 'set' : 'object';
  return typeof value;
}

/** Elements with their keys: positions of a list, names of an object, values of a set themselves. Undefined for what has none. */
export function elementsOf(value: Value): readonly (readonly [Value, Value])[] | undefined {
  if (isList(value)) return value.map((item, at) => [at, item] as const);
  if (value instanceof SetValue) return value.items.map((item) => [item, item] as const);
  if (isObject(value)) return [...value.entries()];
  return undefined;
}

/** All digits, without an exponent. */
export function formatNumber(value: number): string {
  const text = String(value);
  const [, sign = '', whole = '', fraction = '', exponent] = /^(-?)(\d+)(?:\.(\d+))?e([+-]\d+)$/.exec(text) ?? [];
  if (exponent === undefined) return text === '-0' ? '0' : text;
  const by = Number(exponent);
  if (by < 0) return `${sign}0.${'0'.repeat(-by - 1)}${whole}${fraction}`;
  return sign + whole + fraction.padEnd(by, '0');
}

/** A string, number or bool as text; anything else as JSON. */
export function scalarText(value: Value): string {
  if (typeof value === 'string') return value;
  if (typeof value === 'number') return formatNumber(value);
  return typeof value === 'boolean' ? String(value) : JSON.stringify(toJson(value));
}

export type JsonValue =
  | null
  | boolean
  | number
  | string
  | readonly JsonValue[]
  | { readonly [name: string]: JsonValue };

export function toJson(value: Value): JsonValue {
  if (value === null || typeof value !== 'object') return value;
  if (isList(value)) return value.map(toJson);
  if (value instanceof SetValue) return value.items.map(toJson);
  return Object.fromEntries([...value.entries()].map(([key, item]) => [key, toJson(item)]));
}

export function fromJson(json: unknown): Value {
  if (json === null || typeof json === 'boolean' || typeof json === 'number' || typeof json === 'string') return json;
  if (Array.isArray(json)) return json.map(fromJson);
  return objectOf(Object.entries(json as object).map(([key, item]) => [key, fromJson(item)] as const));
}
