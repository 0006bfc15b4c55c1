import { goRegExp, goReplaceAll, messageOf } from '../../base/index.ts';
import { ValueError } from '../errors.ts';
import { objectOf, type Value } from '../value.ts';

/** A pattern in Go's syntax. */
function compile(pattern: string, at: number, flags = ''): RegExp {
  try {
    return goRegExp(pattern, flags);
  } catch (error) {
    throw new ValueError(
      `invalid regular expression: ${messageOf(error).replace(/^Invalid regular expression: /, '')}`,
      at,
    );
  }
}

/** The match: the text, or the list or object of what its groups matched. */
function captured(match: RegExpExecArray): Value {
  if (match.groups)
    return objectOf(Object.entries(match.groups).map(([name, found]) => [name, found ?? null] as const));
  const [whole, ...groups] = match;
  return groups.length === 0 ? whole : groups.map((group) => (group as string | undefined) ?? null);
}

export function regexFirst(pattern: string, value: string): Value {
  const match = compile(pattern, 0).exec(value);
  if (!match) throw new ValueError('pattern did not match any part of the given string');
  return captured(match);
}

export function regexAll(pattern: string, value: string): Value {
  return [...value.matchAll(compile(pattern, 0, 'g'))].map(captured);
}

/** In the replacement `$1`, `${1}`, `$name` and `${name}` stand for groups, `$$` for a dollar sign. */
export function regexReplace(value: string, pattern: string, by: string): string {
  return goReplaceAll(value, compile(pattern, 1, 'g'), by);
}
