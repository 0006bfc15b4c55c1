import type { Table } from './types.ts';

/** Data that other tools wrote and that is read as far as it goes: what is of another kind counts as not there. */
export const objectOf = (value: unknown): Table | undefined =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Table) : undefined;
export const textOf = (value: unknown): string => (typeof value === 'string' ? value : '');
export const flagOf = (value: unknown): boolean => value === true;
export const textsOf = (value: unknown): readonly string[] =>
  Array.isArray(value) ? value.filter((item): item is string => typeof item === 'string') : [];

/** The object that a label's text is, or undefined. */
export function jsonObject(text: string): Table | undefined {
  try {
    return objectOf(JSON.parse(text));
  } catch {
    return undefined;
  }
}
