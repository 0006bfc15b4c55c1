import type { Entry } from './entry.ts';
import { encodePath } from './path-text.ts';

/**
 * Canonical order of paths: part by part, each by its bytes, so "/" sorts below every other byte and what is in a folder follows the folder at once.
 * The same as a depth-first walk that lists each folder in byte order.
 */
export function comparePaths(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    const x = a.charCodeAt(i);
    const y = b.charCodeAt(i);
    if (x === y) continue;
    if (x === SLASH) return -1;
    if (y === SLASH) return 1;
    // Up to U+D7FF, UTF-16 orders as UTF-8 does; above, surrogates (also those that stand for single bytes) do not.
    return x < 0xd800 && y < 0xd800 ? x - y : compareBytes(encodePath(a), encodePath(b));
  }
  return a.length - b.length;
}

/** Canonical order of entries: by path; of one path a `whiteout` (of what was there below) first, `opaque` (about what is in the folder) last. */
export function compareEntries(a: Entry, b: Entry): number {
  return comparePaths(a.path, b.path) || rank(a) - rank(b);
}

/** A copy in canonical order; for many entries much faster than a sort by `compareEntries`. */
export function sortEntries<T extends Entry>(entries: readonly T[]): T[] {
  // With "/" below all other characters, and none whose order in UTF-16 is another, the engine's own comparison will do.
  const keyed: { key: string; entry: T }[] = [];
  for (const entry of entries) {
    if (UNORDERED.test(entry.path)) return [...entries].sort(compareEntries);
    keyed.push({ key: entry.path.replaceAll('/', '\x01'), entry });
  }
  keyed.sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : rank(a.entry) - rank(b.entry)));
  return keyed.map(({ entry }) => entry);
}

/** The entries themselves when they are in canonical order, else a copy that is. */
export function inOrder<T extends Entry>(entries: readonly T[]): readonly T[] {
  for (let i = 1; i < entries.length; i++)
    if (compareEntries(entries[i - 1]!, entries[i]!) > 0) return sortEntries(entries);
  return entries;
}

const UNORDERED = /[\0\x01\ud800-\uffff]/;
const SLASH = 0x2f;

function rank(entry: Entry): number {
  return entry.type === 'whiteout' ? 0 : entry.type === 'opaque' ? 2 : 1;
}

function compareBytes(a: Buffer, b: Buffer): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    const x = a[i]!;
    const y = b[i]!;
    if (x === y) continue;
    if (x === SLASH) return -1;
    return y === SLASH ? 1 : x - y;
  }
  return a.length - b.length;
}
