import { ValueError } from '../errors.ts';
import { indexOf } from '../operations.ts';
import { commonType, convert, typeOf, unify } from '../types.ts';
import {
  compareText,
  elementsOf,
  isEqual,
  isList,
  isObject,
  objectOf,
  SetValue,
  typeName,
  type ObjectValue,
  type Value,
} from '../value.ts';
import { itemsOf, type FunctionSpec } from './call.ts';
import { any, define, defineVariadic, nullable, number, set, text, texts } from './parameters.ts';

/** The most that `range` and `setproduct` make. */
const MAX_ITEMS = 100_000;

/** go-cty's functions of lists, sets, maps and objects. */
export const collectionFunctions: Readonly<Record<string, FunctionSpec>> = {
  chunklist: define([any, number], ([value, size]) => chunks(itemsOf(value, 0), size)),
  coalesce: defineVariadic([], nullable, (args) => {
    const found = (unify(args) ?? args).find((arg) => arg !== null);
    if (found === undefined) throw new ValueError('no argument is other than null');
    return found;
  }),
  coalescelist: defineVariadic([], any, (args) => {
    const found = args.find((arg, at) => itemsOf(arg, at).length > 0);
    if (found === undefined) throw new ValueError('no list has elements');
    return found;
  }),
  compact: define([any], ([value]) =>
    itemsOf(value, 0).flatMap((item) => (item === null || item === '' ? [] : [convert(item, { kind: 'string' })])),
  ),
  concat: defineVariadic([any], any, (args) => args.flatMap((arg, at) => itemsOf(arg, at))),
  contains: define([any, nullable], ([value, wanted]) =>
    itemsOf(value, 0).some((item) => isEqual(item, wanted) || sameText(item, wanted)),
  ),
  distinct: define([any], ([value]) => {
    const items = itemsOf(value, 0);
    return items.filter((item, at) => items.findIndex((other) => isEqual(other, item)) === at);
  }),
  element: define([any, number], ([value, at]) => {
    const items = itemsOf(value, 0);
    if (items.length === 0) throw new ValueError('the list is empty', 0);
    const index = ((Math.trunc(at) % items.length) + items.length) % items.length;
    return items[index] ?? null;
  }),
  flatten: define([any], ([value]) => flat(itemsOf(value, 0))),
  hasindex: define([any, any], ([value, key]) => {
    if (isList(value)) return typeof key === 'number' && Number.isInteger(key) && key >= 0 && key < value.length;
    if (isObject(value)) return typeof key === 'string' && value.has(key);
    throw new ValueError(`invalid argument: a list or map is required, not a ${typeName(value)}`, 0);
  }),
  index: define([any, any], ([value, key]) => indexOf(value, key)),
  indexof: define([any, nullable], ([value, wanted]) => {
    if (!isList(value)) throw new ValueError('argument must be a list or tuple', 0);
    if (value.length === 0) throw new ValueError('cannot search an empty list', 0);
    const at = value.findIndex((item) => isEqual(item, wanted));
    if (at < 0) throw new ValueError('item not found');
    return at;
  }),
  keys: define([any], ([value]) => [...mapOf(value, 0).keys()]),
  values: define([any], ([value]) => [...mapOf(value, 0).values()]),
  length: define([any], ([value]) => {
    const elements = elementsOf(value);
    if (!elements) throw new ValueError('collection must be a list, a map or a tuple', 0);
    return elements.length;
  }),
  lookup: define([any, text, nullable], ([value, key, otherwise]) => {
    const map = mapOf(value, 0);
    return map.has(key) ? (map.get(key) ?? null) : otherwise;
  }),
  merge: defineVariadic([], nullable, (args) =>
    objectOf(args.flatMap((arg, at) => (arg === null ? [] : [...mapOf(arg, at)]))),
  ),
  range: defineVariadic([], number, rangeOf),
  reverselist: define([any], ([value]) => itemsOf(value, 0).toReversed()),
  sethaselement: define([set, nullable], ([a, item]) => a.has(item)),
  setintersection: sets((a, b) => a.items.filter((item) => b.has(item))),
  setsubtract: sets((a, b) => a.items.filter((item) => !b.has(item))),
  setsymmetricdifference: sets((a, b) => [
    ...a.items.filter((item) => !b.has(item)),
    ...b.items.filter((item) => !a.has(item)),
  ]),
  setunion: sets((a, b) => [...a.items, ...b.items]),
  setproduct: defineVariadic([], any, product),
  slice: define([any, number, number], ([value, start, end]) => {
    const items = itemsOf(value, 0);
    if (!Number.isInteger(start) || start < 0) throw new ValueError('start index must not be less than zero', 1);
    if (!Number.isInteger(end) || end > items.length)
      throw new ValueError(`end index must not be greater than the length of the list, which is ${items.length}`, 2);
    if (start > end) throw new ValueError('start index must not be greater than end index', 1);
    return items.slice(start, end);
  }),
  sort: define([texts], ([items]) => items.toSorted(compareText)),
  zipmap: define([texts, any], ([keys, value]) => {
    const items = itemsOf(value, 1);
    if (keys.length !== items.length)
      throw new ValueError(`number of keys (${keys.length}) does not match number of values (${items.length})`);
    return objectOf(keys.map((key, at) => [key, items[at] ?? null] as const));
  }),
};

function sameText(a: Value, b: Value): boolean {
  if (typeof a === 'object' || typeof b === 'object' || typeof a === typeof b) return false;
  const common = commonType([typeOf(a), typeOf(b)]);
  return common !== undefined && isEqual(convert(a, common), convert(b, common));
}

function mapOf(value: Value, at: number): ObjectValue {
  if (isObject(value)) return value;
  throw new ValueError(`invalid argument: a map or object is required, not a ${typeName(value)}`, at);
}

function flat(items: readonly Value[]): readonly Value[] {
  return items.flatMap((item) => {
    if (isList(item)) return flat(item);
    return item instanceof SetValue ? flat(item.items) : [item];
  });
}

function chunks(items: readonly Value[], size: number): readonly Value[] {
  if (!Number.isInteger(size) || size < 0) throw new ValueError('the size argument must be positive', 1);
  if (items.length === 0) return [];
  if (size === 0) return [items];
  const found: Value[] = [];
  for (let at = 0; at < items.length; at += size) found.push(items.slice(at, at + size));
  return found;
}

function rangeOf(args: readonly number[]): Value {
  const [a = 0, b, c] = args;
  if (args.length < 1 || args.length > 3) throw new ValueError('it takes one, two or three numbers');
  const [start, end] = b === undefined ? [0, a] : [a, b];
  const step = c ?? (end < start ? -1 : 1);
  if (step === 0) throw new ValueError('step must not be zero', 2);
  if (end > start && step < 0) throw new ValueError('end must be less than start when step is negative', 1);
  if (end < start && step > 0) throw new ValueError('end must be greater than start when step is positive', 1);
  const found: number[] = [];
  for (let at = start; step > 0 ? at < end : at > end; at += step) {
    if (found.length >= 1024)
      throw new ValueError(
        'more than 1024 values were generated; either decrease the difference between start and end or use a smaller step',
      );
    found.push(at);
  }
  return found;
}

function sets(of: (a: SetValue, b: SetValue) => readonly Value[]): FunctionSpec {
  return defineVariadic([set], set, (args) => {
    const all = unified(args);
    const [first = new SetValue([]), ...rest] = all;
    return rest.reduce((found, each) => new SetValue(of(found, each)), first);
  });
}

function unified(args: readonly SetValue[]): readonly SetValue[] {
  const type = commonType(args.flatMap(({ items }) => items.map(typeOf)));
  if (type === undefined) throw new ValueError('the sets have elements of different types');
  return args.map(({ items }) => new SetValue(items.map((item) => convert(item, type))));
}

/** Of lists a list, of sets a set. */
function product(args: readonly Value[]): Value {
  if (args.length < 2) throw new ValueError('at least two arguments are required');
  let found: (readonly Value[])[] = [[]];
  for (const [at, arg] of args.entries()) {
    const items = itemsOf(arg, at);
    if (found.length * items.length > MAX_ITEMS) throw new ValueError(`more than ${MAX_ITEMS} combinations`);
    found = found.flatMap((before) => items.map((item) => [...before, item]));
  }
  return args.every((arg) => arg instanceof SetValue) ? new SetValue(found) : found;
}
