import { messageOf } from '../../base/index.ts';
import { ValueError } from '../errors.ts';
import { objectOf, type Value } from '../value.ts';

/** A pattern in Go's syntax (RE2): named groups are `(?P<name>…)`, flags stand at the front, `\z` and `\A` are the ends of the text. */
function compile(pattern: string, at: number, flags = ''): RegExp {
  let source = pattern.replaceAll('(?P<', '(?<').replaceAll('\\z', '(?![^])').replaceAll('\\A', '(?<![^])');
  let all = `${flags}u`;
  const [whole = '', given = ''] = /^\(\?([imsU]+)\)/.exec(source) ?? [];
  if (whole !== '') {
    source = source.slice(whole.length);
    for (const flag of new Set(given)) if ('ims'.includes(flag)) all += flag;
  }
  source = source.replace(/\[\[:(\^?)(\w+):\]\]/g, (_, not: string, name: string) => `[${not}${POSIX[name] ?? ''}]`);
  try {
    return new RegExp(source, all);
  } catch (error) {
    throw new ValueError(
      `invalid regular expression: ${messageOf(error).replace(/^Invalid regular expression: /, '')}`,
      at,
    );
  }
}

const POSIX: Readonly<Record<string, string>> = {
  alnum: '0-9A-Za-z',
  alpha: 'A-Za-z',
  digit: '0-9',
  lower: 'a-z',
  upper: 'A-Z',
  space: '\\t\\n\\v\\f\\r ',
  punct: '!-\\/:-@\\[-`\\{-~',
  word: '0-9A-Za-z_',
  xdigit: '0-9A-Fa-f',
};

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
  return value.replace(compile(pattern, 1, 'g'), (...args: unknown[]) => {
    const named = typeof args.at(-1) === 'object' ? (args.at(-1) as Readonly<Record<string, string | undefined>>) : {};
    const end = args.findIndex((arg, at) => at > 0 && typeof arg === 'number');
    const groups = args.slice(0, end) as (string | undefined)[];
    return by.replace(/\$(?:\$|\{(\w+)\}|(\w+))/g, (whole, braced?: string, bare?: string) => {
      if (whole === '$$') return '$';
      const name = braced ?? bare ?? '';
      return (/^\d+$/.test(name) ? groups[Number(name)] : named[name]) ?? '';
    });
  });
}
