import type { GoValue } from '../../../image/index.ts';
import type { Table } from './types.ts';

/** A buildpack's own table as Go writes a map: keys sorted by their bytes, at every depth. */
export function sortedTable(table: Table): Table {
  return sort(table) as Table;
}

function sort(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sort);
  if (typeof value !== 'object' || value === null || value instanceof Date) return value;
  return Object.fromEntries(
    Object.entries(value)
      .sort(([a], [b]) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
      .map(([key, member]) => [key, sort(member)]),
  );
}

/** A buildpack's own data for a label: dates become their text, as in Go. */
export function jsonData(value: unknown): GoValue {
  if (Array.isArray(value)) return value.map(jsonData);
  if (value instanceof Date)
    return value
      .toISOString()
      .replace(/\.(\d*?)0+(?=Z|[+-]|$)/, (_, digits: string) => (digits === '' ? '' : `.${digits}`));
  if (typeof value === 'object' && value !== null)
    return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, jsonData(member)]));
  if (typeof value === 'string' || typeof value === 'boolean') return value;
  if (typeof value === 'number' && Number.isFinite(value)) return value;
  return null;
}

/** An object with its members in their order, as Go writes a struct. */
export const struct = (members: Readonly<Record<string, GoValue | undefined>>): GoValue =>
  new Map(Object.entries(members));
