import type { JsonValue } from '../hcl/index.ts';
import type { Entry, Secret, Ssh } from './entries.ts';
import type { Resolved } from './resolve.ts';
import {
  FIELD_NAMES,
  FIELDS,
  type FieldKind,
  type FieldName,
  type Group,
  type Resources,
  type Target,
} from './target.ts';

/** Fields in which `${` and `%{` are escaped, so that what is printed can be read as a bake file. */
const ESCAPED: readonly FieldName[] = ['annotations', 'dockerfile-inline', 'labels', 'args', 'extra-hosts'];

/** The resolved definition as `--print` shows it (buildx, Target.MarshalJSON). */
export function printed({ groups, targets }: Resolved): JsonValue {
  const shown: Record<string, JsonValue> = {};
  if (groups.size > 0)
    shown['group'] = Object.fromEntries([...groups].map(([name, group]) => [name, groupJson(group)]));
  shown['target'] = Object.fromEntries([...targets].map(([name, target]) => [name, targetJson(target)]));
  return shown;
}

function groupJson({ description, targets }: Group): JsonValue {
  return description === undefined ? { targets } : { description, targets };
}

export function targetJson(target: Target): { readonly [name: string]: JsonValue } {
  const found: Record<string, JsonValue> = {};
  for (const name of FIELD_NAMES) {
    const value = fieldJson(FIELDS[name].kind, target[name]);
    if (value === undefined || (name === 'description' && value === '')) continue;
    found[name] = ESCAPED.includes(name) ? escaped(value) : value;
  }
  return found;
}

function fieldJson(kind: FieldKind, field: unknown): JsonValue | undefined {
  if (field === undefined) return undefined;
  switch (kind) {
    case 'text':
    case 'bool':
      return field as string | boolean;
    case 'map': {
      const entries = [...(field as ReadonlyMap<string, string>)].sort(([a], [b]) => (a < b ? -1 : 1));
      return entries.length === 0 ? undefined : Object.fromEntries(entries);
    }
    case 'resources':
      return field as { readonly [name: string]: JsonValue } & Resources;
    default: {
      const items = (field as readonly unknown[]).map((item) => itemJson(kind, item));
      return items.length === 0 ? undefined : items;
    }
  }
}

function itemJson(kind: FieldKind, item: unknown): JsonValue {
  switch (kind) {
    case 'texts':
      return item as string;
    case 'secrets':
      return Object.fromEntries(Object.entries(item as Secret).filter(([, value]) => value !== ''));
    case 'sshs': {
      const { id, paths } = item as Ssh;
      return { ...(id === '' ? {} : { id }), ...(paths.length === 0 ? {} : { paths }) };
    }
    default: {
      const { type, attributes } = item as Entry;
      const all: [string, JsonValue][] = [...attributes, ['type', type]];
      if (kind === 'attests' && attributes.get('disabled') === 'true') all.push(['disabled', true]);
      return Object.fromEntries(all.sort(([a], [b]) => (a < b ? -1 : 1)));
    }
  }
}

function escaped(value: JsonValue): JsonValue {
  if (typeof value === 'string') return value.replace(/[$%](?=\{)/g, (char) => char + char);
  if (Array.isArray(value)) return value.map(escaped);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, escaped(item)]));
}
