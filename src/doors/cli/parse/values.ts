import { usage } from '../errors.ts';

/** Collects the values of a flag that may be given several times. */
export function collectValues(value: string, before: readonly string[]): readonly string[] {
  return [...before, value];
}

/** `name=value`. Without "=" the value is `alone(name)`; where that is undefined the name is left out. */
export function keyValues(
  texts: readonly string[],
  o: { readonly what: string; readonly alone?: ((name: string) => string | undefined) | undefined },
): Map<string, string> {
  const found = new Map<string, string>();
  for (const text of texts) {
    const equals = text.indexOf('=');
    const name = equals < 0 ? text : text.slice(0, equals);
    if (name === '') throw usage(`read ${o.what} "${text}": the name is missing`, 'Write name=value.');
    if (equals < 0 && !o.alone) throw usage(`read ${o.what} "${text}": there is no "="`, 'Write name=value.');
    const value = equals < 0 ? o.alone?.(name) : text.slice(equals + 1);
    if (value !== undefined) found.set(name, value);
    else found.delete(name);
  }
  return found;
}

const BOOLEANS: Readonly<Record<string, boolean>> = {
  '1': true,
  t: true,
  T: true,
  true: true,
  TRUE: true,
  True: true,
  '0': false,
  f: false,
  F: false,
  false: false,
  FALSE: false,
  False: false,
};

/** Go's strconv.ParseBool. */
export function booleanOf(text: string, what: string): boolean {
  const found = BOOLEANS[text];
  if (found === undefined) throw usage(`read ${what} "${text}": it is neither true nor false`);
  return found;
}

const UNITS: Readonly<Record<string, number>> = { '': 0, b: 0, k: 1, m: 2, g: 3, t: 4, p: 5 };

/** Bytes from `64m`, `1.5GiB`, `1000`: units are powers of 1024 (go-units RAMInBytes). */
export function bytesOf(text: string, what: string): number {
  const match = /^(\d+(?:\.\d+)?) ?([kmgtp]?)(?:i?b)?$/i.exec(text.trim()) ?? /^(\d+) ?(b?)$/i.exec(text.trim());
  const power = UNITS[(match?.[2] ?? '').toLowerCase()];
  if (!match || power === undefined)
    throw usage(`read ${what} "${text}": it is not a size`, 'Write a number with a unit, as 64m, 2g or 512k.');
  return Math.floor(Number(match[1]) * 1024 ** power);
}

const SPANS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 604_800_000,
};

/** Milliseconds from `24h`, `1h30m`, `7d`, `90s`. */
export function durationOf(text: string, what: string): number {
  const parts = [...text.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h|d|w)/g)];
  if (parts.length === 0 || parts.map(([part]) => part).join('') !== text)
    throw usage(`read ${what} "${text}": it is not a span of time`, 'Write a number with a unit, as 90s, 24h or 7d.');
  return parts.reduce((sum, [, count, unit]) => sum + Number(count) * (SPANS[unit ?? ''] ?? 0), 0);
}

/** One of a few words. */
export function oneOf<const T extends string>(words: readonly T[], what: string): (text: string) => T {
  return (text) => {
    const found = words.find((word) => word === text);
    if (found === undefined)
      throw usage(`read ${what} "${text}": there is no such value`, `Use one of: ${words.join(', ')}.`);
    return found;
  };
}
