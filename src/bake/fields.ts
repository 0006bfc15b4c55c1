import { convert, isList, isObject, objectOf, scalarText, typeName, ValueError, type Value } from '../hcl/index.ts';
import {
  attestFrom,
  cachesFrom,
  outputFrom,
  secretFrom,
  sshFrom,
  type Entry,
  type Secret,
  type Ssh,
} from './entries.ts';
import type { FieldKind, Resources } from './target.ts';

const TEXTS = { kind: 'list', element: { kind: 'string' } } as const;
const MAP = { kind: 'map', element: { kind: 'string' } } as const;

/** The value of an argument as what a target holds; undefined for null. Throws `ValueError`. */
export function fieldFrom(kind: FieldKind, value: Value): unknown {
  if (value === null) return undefined;
  switch (kind) {
    case 'text':
      return convert(value, { kind: 'string' });
    case 'bool':
      return convert(value, { kind: 'bool' });
    case 'texts':
      return textsFrom(value);
    case 'map': {
      const map = convert(value, MAP);
      const entries = isObject(map) ? [...map.entries()] : [];
      // Null is as if the entry were not there.
      return new Map(entries.flatMap(([key, item]) => (typeof item === 'string' ? [[key, item] as const] : [])));
    }
    case 'outputs':
      return elementsIn(value).map(outputFrom);
    case 'caches':
      return elementsIn(value).flatMap(cachesFrom);
    case 'attests':
      return elementsIn(value).map(attestFrom);
    case 'secrets':
      return elementsIn(value).map(secretFrom);
    case 'sshs':
      return elementsIn(value).map(sshFrom);
    default:
      return resourcesFrom(value);
  }
}

export function textsFrom(value: Value): readonly string[] {
  const list = convert(value, TEXTS);
  const items: readonly Value[] = isList(list) ? list : [];
  return items.map((item, at) => {
    if (typeof item !== 'string') throw new ValueError(`element ${at} is null: a string is required`);
    return item;
  });
}

/** Elements of a list; nulls and empty texts say nothing. */
function elementsIn(value: Value): readonly Value[] {
  if (!isList(value)) throw new ValueError(`a list is required, not a ${typeName(value)}`);
  return value.filter((item) => item !== null && item !== '');
}

const RESOURCES: Readonly<Record<string, 'string' | 'number'>> = {
  memory: 'string',
  'memory-swap': 'string',
  'cpu-shares': 'number',
  'cpu-period': 'number',
  'cpu-quota': 'number',
  'cpuset-cpus': 'string',
  'cpuset-mems': 'string',
};

function resourcesFrom(value: Value): Resources {
  if (!isObject(value)) throw new ValueError(`an object is required, not a ${typeName(value)}`);
  const found: Record<string, string | number> = {};
  for (const [name, item] of value.entries()) {
    if (item === null) continue;
    if (typeof item === 'object') throw new ValueError(`resource "${name}" is no ${typeName(item)}`);
    found[name] = resourceFrom(name, scalarText(item));
  }
  return found;
}

/** One limit from its text. Throws `ValueError`. */
export function resourceFrom(name: string, text: string): string | number {
  const kind = Object.hasOwn(RESOURCES, name) ? RESOURCES[name] : undefined;
  if (kind === undefined)
    throw new ValueError(`there is no resource "${name}": there are ${Object.keys(RESOURCES).join(', ')}`);
  if (kind === 'string') return text;
  if (!/^-?\d+$/.test(text)) throw new ValueError(`resource "${name}" is a whole number, not ${JSON.stringify(text)}`);
  return Number(text);
}

/** What other expressions see of a field (`target.app.tags`). */
export function fieldValue(kind: FieldKind, field: unknown): Value {
  if (field === undefined) return null;
  switch (kind) {
    case 'text':
      return field as string;
    case 'bool':
      return field as boolean;
    case 'texts':
      return field as readonly string[];
    case 'map':
      return objectOf(field as ReadonlyMap<string, string>);
    case 'outputs':
    case 'caches':
    case 'attests':
      return (field as readonly Entry[]).map(({ type, attributes }) => objectOf([...attributes, ['type', type]]));
    case 'secrets':
      return (field as readonly Secret[]).map((secret) => objectOf(Object.entries(secret)));
    case 'sshs':
      return (field as readonly Ssh[]).map(({ id, paths }) =>
        objectOf([
          ['id', id],
          ['paths', paths],
        ] as const),
      );
    default:
      return objectOf(
        Object.entries(field as Resources).flatMap(([key, item]) => (item === undefined ? [] : [[key, item] as const])),
      );
  }
}
