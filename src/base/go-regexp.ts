/**
 * A pattern in Go's syntax (RE2) as ours: named groups are `(?P<name>…)`, flags stand at the front, `\z` and `\A` are the ends of the text. Throws `SyntaxError`.
 */
export function goRegExp(pattern: string, flags = ''): RegExp {
  let source = pattern.replaceAll('(?P<', '(?<').replaceAll('\\z', '(?![^])').replaceAll('\\A', '(?<![^])');
  let all = `${flags}u`;
  const [whole = '', given = ''] = /^\(\?([imsU]+)\)/.exec(source) ?? [];
  if (whole !== '') {
    source = source.slice(whole.length);
    for (const flag of new Set(given)) if ('ims'.includes(flag)) all += flag;
  }
  // Go takes any punctuation after a backslash.
  source = source.replace(/\\(.)/gs, (whole, mark: string) =>
    /[-!"#%&',:;<=>@_`~ ]/.test(mark) ? `\\x${mark.charCodeAt(0).toString(16)}` : whole,
  );
  source = source.replace(/\[\[:(\^?)(\w+):\]\]/g, (_, not: string, name: string) => `[${not}${POSIX[name] ?? ''}]`);
  return new RegExp(source, all);
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

/** What was matched: all of it and its groups by their number, and by their name where they have one. */
export interface GoMatch {
  readonly groups: readonly (string | undefined)[];
  readonly named?: Readonly<Record<string, string | undefined>> | undefined;
}

/** Go's `Regexp.Expand`: `$1`, `${1}`, `$name` and `${name}` stand for groups, empty where there is none; `$$` for a dollar sign. */
export function goExpand(template: string, { groups, named = {} }: GoMatch): string {
  return template.replace(/\$(?:\$|\{(\w+)\}|(\w+))/g, (whole, braced?: string, bare?: string) => {
    if (whole === '$$') return '$';
    const name = braced ?? bare ?? '';
    return (/^\d+$/.test(name) ? groups[Number(name)] : named[name]) ?? '';
  });
}

/** Go's `Regexp.ReplaceAllString`; `pattern` has the flag `g`. */
export function goReplaceAll(value: string, pattern: RegExp, template: string): string {
  return value.replace(pattern, (...args: unknown[]) => {
    const named = typeof args.at(-1) === 'object' ? (args.at(-1) as GoMatch['named']) : undefined;
    const end = args.findIndex((arg, at) => at > 0 && typeof arg === 'number');
    return goExpand(template, { groups: args.slice(0, end) as (string | undefined)[], named });
  });
}
