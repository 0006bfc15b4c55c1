import { ValueError } from '../errors.ts';
import type { FunctionSpec } from './call.ts';
import { define, text } from './parameters.ts';

interface Version {
  readonly numbers: readonly [number, number, number];
  /** Parts of the pre-release, empty for a release. */
  readonly pre: readonly string[];
}

/** `semvercmp(version, constraint)`: constraints as `>=1.2, <2 || ~3.1`, `^1`, `1.x`, `1.2 - 1.4`. */
export const versionFunctions: Readonly<Record<string, FunctionSpec>> = {
  semvercmp: define([text, text], ([text_, constraint]) => {
    const version = parseVersion(text_);
    if (!version) throw new ValueError('invalid semantic version', 0);
    return constraint.split('||').some((all) => {
      const parts = partsOf(all);
      return parts.every((part) => satisfies(version, part));
    });
  }),
};

interface Comparison {
  readonly operator: string;
  readonly version: Version;
  /** How many of the three numbers were written. */
  readonly written: number;
}

const VERSION = String.raw`v?(\d+|[xX*])(?:\.(\d+|[xX*]))?(?:\.(\d+|[xX*]))?(?:-([0-9A-Za-z.-]+))?(?:\+[0-9A-Za-z.-]+)?`;
const EXACT = new RegExp(`^${VERSION}$`);
const PART = new RegExp(String.raw`\s*(=>|=<|>=|<=|!=|~>|[=<>~^])?\s*(${VERSION})\s*(?:,|(?=\s|$|[=<>!~^]))`, 'y');

function parseVersion(value: string): Version | undefined {
  const found = EXACT.exec(value);
  if (!found || [found[1], found[2], found[3]].some((part) => part !== undefined && !/^\d+$/.test(part)))
    return undefined;
  return versionOf(found);
}

function versionOf(found: readonly (string | undefined)[]): Version {
  const number = (at: number): number => (/^\d+$/.test(found[at] ?? '') ? Number(found[at]) : 0);
  return { numbers: [number(1), number(2), number(3)], pre: found[4]?.split('.') ?? [] };
}

function partsOf(all: string): readonly Comparison[] {
  const plain = all
    .trim()
    .replace(
      new RegExp(`(${VERSION})\\s+-\\s+(${VERSION})`, 'g'),
      (_, ...groups: string[]) => `>=${groups[0]}, <=${groups[5]}`,
    );
  if (plain === '') return [];
  const parts: Comparison[] = [];
  let at = 0;
  while (at < plain.length) {
    PART.lastIndex = at;
    const found = PART.exec(plain);
    if (!found) throw new ValueError(`improper constraint: ${all.trim()}`, 1);
    at = PART.lastIndex;
    const [, operator = '', , ...version] = found;
    const wild = version.slice(0, 3).findIndex((part) => part === undefined || !/^\d+$/.test(part));
    parts.push({ operator, version: versionOf(['', ...version]), written: wild < 0 ? 3 : wild });
  }
  return parts;
}

function satisfies(version: Version, { operator, version: wanted, written }: Comparison): boolean {
  // A pre-release is meant only where the constraint names one.
  if (version.pre.length > 0 && wanted.pre.length === 0 && operator !== '!=') return false;
  const order = compare(version, wanted);
  const within = (kept: number): boolean =>
    version.numbers.slice(0, kept).every((part, at) => part === wanted.numbers[at]);
  switch (operator) {
    case '!=':
      return written < 3 ? !within(written) : order !== 0;
    case '>':
      return written < 3 ? order > 0 && !within(written) : order > 0;
    case '<':
      return order < 0;
    case '>=':
    case '=>':
      return order >= 0;
    case '<=':
    case '=<':
      return order <= 0 || (written < 3 && within(written));
    case '~':
    case '~>':
      return order >= 0 && within(Math.min(2, written));
    case '^': {
      const leading = wanted.numbers.findIndex((part) => part > 0);
      return order >= 0 && within(leading < 0 ? Math.min(3, written) : Math.min(leading + 1, written));
    }
    default:
      return written < 3 ? within(written) : order === 0;
  }
}

/** Semantic Versioning 2.0, 11. */
function compare(a: Version, b: Version): number {
  for (const [at, part] of a.numbers.entries()) {
    const other = b.numbers[at] ?? 0;
    if (part !== other) return part - other;
  }
  if (a.pre.length === 0 || b.pre.length === 0) return b.pre.length - a.pre.length;
  for (const [at, part] of a.pre.entries()) {
    const other = b.pre[at];
    if (other === undefined) return 1;
    if (part === other) continue;
    const [x, y] = [/^\d+$/.test(part), /^\d+$/.test(other)];
    if (x && y) return Number(part) - Number(other);
    if (x !== y) return x ? -1 : 1;
    return part < other ? -1 : 1;
  }
  return a.pre.length - b.pre.length;
}
