import { ValueError } from './errors.ts';
import { formatNumber, isList, isObject, objectOf, SetValue, typeName, type Value } from './value.ts';

/** A type constraint. */
export type Type =
  | { readonly kind: 'any' | 'string' | 'number' | 'bool' }
  | { readonly kind: 'list' | 'set' | 'map'; readonly element: Type }
  | { readonly kind: 'tuple'; readonly elements: readonly Type[] }
  | {
      readonly kind: 'object';
      readonly attributes: ReadonlyMap<
        string,
        { readonly type: Type; readonly optional: boolean; readonly default?: Value | undefined }
      >;
    };

export const ANY: Type = { kind: 'any' };
export const STRING: Type = { kind: 'string' };
export const NUMBER: Type = { kind: 'number' };
export const BOOL: Type = { kind: 'bool' };

/** As people are told of it: `list of string`. */
export function friendlyType(type: Type): string {
  switch (type.kind) {
    case 'list':
    case 'set':
    case 'map':
      return `${type.kind} of ${type.element.kind === 'any' ? 'any single type' : friendlyType(type.element)}`;
    case 'any':
      return 'any type';
    default:
      return type.kind;
  }
}

/** The type that a value has by itself. */
export function typeOf(value: Value): Type {
  if (value === null) return ANY;
  if (typeof value === 'string') return STRING;
  if (typeof value === 'number') return NUMBER;
  if (typeof value === 'boolean') return BOOL;
  if (isList(value)) return { kind: 'tuple', elements: value.map(typeOf) };
  if (value instanceof SetValue) return { kind: 'set', element: commonType(value.items.map(typeOf)) ?? ANY };
  const attributes = [...value.entries()].map(
    ([name, item]) => [name, { type: typeOf(item), optional: false }] as const,
  );
  return { kind: 'object', attributes: new Map(attributes) };
}

/** The value as a type; null is of every type. Throws `ValueError` in words that can follow a colon. */
export function convert(value: Value, type: Type): Value {
  if (value === null) return null;
  switch (type.kind) {
    case 'any':
      return value;
    case 'string':
    case 'number':
    case 'bool':
      return primitive(value, type.kind);
    case 'list':
    case 'set': {
      const items = isList(value) ? value : value instanceof SetValue ? value.items : undefined;
      if (items === undefined) throw new ValueError(`${friendlyType(type)} required`);
      const element = type.element.kind === 'any' ? (commonType(items.map(typeOf)) ?? ANY) : type.element;
      const converted = items.map((item, at) => atPart(() => convert(item, element), `element ${at}`));
      return type.kind === 'list' ? converted : new SetValue(converted);
    }
    case 'map': {
      if (!isObject(value)) throw new ValueError(`${friendlyType(type)} required`);
      const entries = [...value.entries()];
      const element =
        type.element.kind === 'any' ? (commonType(entries.map(([, item]) => typeOf(item))) ?? ANY) : type.element;
      return objectOf(
        entries.map(([key, item]) => [key, atPart(() => convert(item, element), `element "${key}"`)] as const),
      );
    }
    case 'tuple': {
      if (!isList(value)) throw new ValueError('tuple required');
      if (value.length !== type.elements.length)
        throw new ValueError(`tuple of ${type.elements.length} elements required, it has ${value.length}`);
      return value.map((item, at) => atPart(() => convert(item, type.elements[at] ?? ANY), `element ${at}`));
    }
    default: {
      if (!isObject(value)) throw new ValueError('object required');
      const entries: [string, Value][] = [];
      for (const [name, attribute] of type.attributes) {
        const given = value.has(name) ? (value.get(name) ?? null) : undefined;
        if (given === undefined && !attribute.optional) throw new ValueError(`attribute "${name}" is required`);
        const chosen = given ?? attribute.default ?? null;
        entries.push([name, atPart(() => convert(chosen, attribute.type), `attribute "${name}"`)]);
      }
      return objectOf(entries);
    }
  }
}

function atPart<T>(read: () => T, where: string): T {
  try {
    return read();
  } catch (error) {
    if (error instanceof ValueError) throw new ValueError(`${where}: ${error.message}`);
    throw error;
  }
}

function primitive(value: Value, kind: 'string' | 'number' | 'bool'): Value {
  if (typeof value === 'object') throw new ValueError(`${kind} required, but have ${typeName(value)}`);
  if (kind === 'string') return typeof value === 'number' ? formatNumber(value) : String(value);
  if (kind === 'number') {
    if (typeof value === 'number') return value;
    if (typeof value === 'string' && /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/.test(value)) return Number(value);
    throw new ValueError('a number is required');
  }
  if (typeof value === 'boolean') return value;
  if (value === 'true' || value === '1') return true;
  if (value === 'false' || value === '0') return false;
  if (typeof value === 'string' && /^(?:true|false)$/i.test(value))
    throw new ValueError(`a bool is required; to convert from string, use lowercase "${value.toLowerCase()}"`);
  throw new ValueError('a bool is required');
}

/** The type that values of all of these can have; undefined where there is none. */
export function commonType(types: readonly Type[]): Type | undefined {
  const known = types.filter((type) => type.kind !== 'any');
  const [first, ...rest] = known;
  if (first === undefined) return ANY;
  return rest.reduce<Type | undefined>((common, type) => common && union(common, type), first);
}

function union(a: Type, b: Type): Type | undefined {
  if (a.kind === 'any') return b;
  if (b.kind === 'any') return a;
  if (a.kind === b.kind && (a.kind === 'string' || a.kind === 'number' || a.kind === 'bool')) return a;
  if (isPrimitive(a) && isPrimitive(b)) return a.kind === 'string' || b.kind === 'string' ? STRING : undefined;
  if (isSequence(a) && isSequence(b)) {
    if (a.kind === 'tuple' && b.kind === 'tuple' && a.elements.length === b.elements.length) {
      const elements = a.elements.map((type, at) => union(type, b.elements[at] ?? ANY));
      if (elements.every((type) => type !== undefined)) return { kind: 'tuple', elements };
    }
    const element = commonType([...elementTypes(a), ...elementTypes(b)]);
    return element && { kind: a.kind === 'set' && b.kind === 'set' ? 'set' : 'list', element };
  }
  if (!isMapping(a) || !isMapping(b)) return undefined;
  if (a.kind === 'object' && b.kind === 'object') {
    const names = [...a.attributes.keys()];
    if (names.length === b.attributes.size && names.every((name) => b.attributes.has(name))) {
      const attributes = names.map(
        (name) => [name, union(a.attributes.get(name)?.type ?? ANY, b.attributes.get(name)?.type ?? ANY)] as const,
      );
      if (attributes.every(([, type]) => type !== undefined))
        return {
          kind: 'object',
          attributes: new Map(attributes.map(([name, type]) => [name, { type: type ?? ANY, optional: false }])),
        };
    }
  }
  const element = commonType([...elementTypes(a), ...elementTypes(b)]);
  return element && { kind: 'map', element };
}

function isPrimitive(type: Type): boolean {
  return type.kind === 'string' || type.kind === 'number' || type.kind === 'bool';
}

function isSequence(type: Type): type is Type & { kind: 'list' | 'set' | 'tuple' } {
  return type.kind === 'list' || type.kind === 'set' || type.kind === 'tuple';
}

function isMapping(type: Type): type is Type & { kind: 'map' | 'object' } {
  return type.kind === 'map' || type.kind === 'object';
}

function elementTypes(type: Type): readonly Type[] {
  if (type.kind === 'tuple') return type.elements;
  if (type.kind === 'object') return [...type.attributes.values()].map((attribute) => attribute.type);
  return 'element' in type ? [type.element] : [];
}

/** Values as the one type that all of them can have. Undefined where there is none. */
export function unify(values: readonly Value[]): readonly Value[] | undefined {
  const type = commonType(values.map(typeOf));
  return type && values.map((value) => convert(value, type));
}
