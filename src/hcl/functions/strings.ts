import { ValueError } from '../errors.ts';
import { itemsOf, type FunctionSpec } from './call.ts';
import { format, formatList } from './format.ts';
import { any, define, defineVariadic, nullable, number, text } from './parameters.ts';
import { regexAll, regexFirst, regexReplace } from './regex.ts';

const graphemes = new Intl.Segmenter('en', { granularity: 'grapheme' });

/** Characters as people see them. */
function lettersOf(value: string): readonly string[] {
  return Array.from(graphemes.segment(value), ({ segment }) => segment);
}

/** go-cty's functions of strings, and buildx's own. */
export const stringFunctions: Readonly<Record<string, FunctionSpec>> = {
  basename: define([text], ([path]) => basename(path)),
  dirname: define([text], ([path]) => dirname(path)),
  chomp: define([text], ([value]) => value.replace(/(?:\r\n?|\n)*$/, '')),
  format: defineVariadic([text], nullable, ([pattern, ...args]) => format(pattern, args)),
  formatlist: defineVariadic([text], nullable, ([pattern, ...args]) => formatList(pattern, args)),
  indent: define([number, text], ([by, value]) =>
    value.replaceAll('\n', `\n${' '.repeat(Math.max(0, Math.min(1000, by)))}`),
  ),
  join: defineVariadic([text], any, ([separator, ...lists]) =>
    lists
      .flatMap((list, at) => itemsOf(list, at + 1))
      .map((item) => {
        if (item === null || typeof item === 'object')
          throw new ValueError('invalid argument: a list of strings is required', 1);
        return String(item);
      })
      .join(separator),
  ),
  lower: define([text], ([value]) => value.toLowerCase()),
  upper: define([text], ([value]) => value.toUpperCase()),
  title: define([text], ([value]) => value.replace(/(?<![\p{L}\p{Nd}_])\p{L}/gu, (letter) => letter.toUpperCase())),
  regex: define([text, text], ([pattern, value]) => regexFirst(pattern, value)),
  regexall: define([text, text], ([pattern, value]) => regexAll(pattern, value)),
  regex_replace: define([text, text, text], ([value, pattern, by]) => regexReplace(value, pattern, by)),
  replace: define([text, text, text], ([value, part, by]) => value.split(part).join(by)),
  reverse: define([text], ([value]) => lettersOf(value).toReversed().join('')),
  sanitize: define([text], ([value]) => value.replace(/[^a-zA-Z0-9_-]/gu, '_')),
  split: define([text, text], ([separator, value]) => split(value, separator)),
  strlen: define([text], ([value]) => lettersOf(value).length),
  substr: define([text, number, number], ([value, offset, length]) => substring(lettersOf(value), offset, length)),
  trim: define([text, text], ([value, cutset]) => trim(value, new Set(cutset))),
  trimprefix: define([text, text], ([value, prefix]) =>
    value.startsWith(prefix) ? value.slice(prefix.length) : value,
  ),
  trimsuffix: define([text, text], ([value, suffix]) =>
    suffix !== '' && value.endsWith(suffix) ? value.slice(0, -suffix.length) : value,
  ),
  trimspace: define([text], ([value]) => value.trim()),
};

function split(value: string, separator: string): readonly string[] {
  return separator === '' ? Array.from(value) : value.split(separator);
}

function substring(letters: readonly string[], offset: number, length: number): string {
  const start = offset < 0 ? Math.max(0, letters.length + offset) : offset;
  if (length === 0 || start >= letters.length) return '';
  return letters.slice(start, length < 0 ? undefined : start + length).join('');
}

function trim(value: string, cutset: ReadonlySet<string>): string {
  const letters = Array.from(value);
  let [start, end] = [0, letters.length];
  while (start < end && cutset.has(letters[start] ?? '')) start += 1;
  while (end > start && cutset.has(letters[end - 1] ?? '')) end -= 1;
  return letters.slice(start, end).join('');
}

/** Go's path.Base. */
function basename(path: string): string {
  if (path === '') return '.';
  const plain = path.replace(/\/+$/, '');
  return plain === '' ? '/' : plain.slice(plain.lastIndexOf('/') + 1);
}

/** Go's path.Dir. */
function dirname(path: string): string {
  const folder = path.slice(0, path.lastIndexOf('/') + 1);
  const rooted = folder.startsWith('/');
  const parts: string[] = [];
  for (const part of folder.split('/')) {
    if (part === '' || part === '.') continue;
    if (part === '..' && parts.length > 0 && parts.at(-1) !== '..') parts.pop();
    else if (part !== '..' || !rooted) parts.push(part);
  }
  const joined = parts.join('/');
  if (rooted) return `/${joined}`;
  return joined === '' ? '.' : joined;
}
