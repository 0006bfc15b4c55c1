import { bakeError } from './errors.ts';
import { interpolate, type Lookup } from './interpolate.ts';

const LINE = /^\s*(?:export\s+)?([A-Za-z0-9_.-]+)\s*(?:[=:]\s*([^]*))?$/;
const ESCAPES: Readonly<Record<string, string>> = { n: '\n', r: '\r', t: '\t' };

/** A file of `NAME=value` lines (`.env`, `env_file`): single quotes are literal, in double quotes and bare values variables are put in; a name alone takes its value from `lookup`. Throws `BAKE_COMPOSE` with the place. */
export function parseDotenv(text: string, file: string, lookup: Lookup): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  const known: Lookup = (name) => lookup(name) ?? found.get(name);
  const lines = text.replace(/^\uFEFF/, '').split(/\r?\n/);
  for (let at = 0; at < lines.length; at++) {
    const first = at;
    let line = lines[at] ?? '';
    if (/^\s*(?:#|$)/.test(line)) continue;
    // A quoted value may go on over lines.
    const quote = /^[^=:]*[=:]\s*(['"])/.exec(line)?.[1];
    if (quote !== undefined)
      while (!isClosed(line, quote) && at + 1 < lines.length) line += `\n${lines[(at += 1)] ?? ''}`;
    const [, name, value] = LINE.exec(line) ?? [];
    if (name === undefined)
      throw bakeError('BAKE_COMPOSE', 'expected NAME=value', { place: { file, line: first + 1, text: lines[first] } });
    if (value === undefined) {
      const own = lookup(name);
      if (own !== undefined) found.set(name, own);
    } else found.set(name, valueOf(value, known));
  }
  return found;
}

function isClosed(line: string, quote: string): boolean {
  const value = line.slice(line.search(/[=:]\s*['"]/)).replace(/^[=:]\s*/, '');
  return new RegExp(`^${quote}(?:[^${quote}\\\\]|\\\\[^])*${quote}`).test(value);
}

function valueOf(text: string, lookup: Lookup): string {
  const [, single] = /^'((?:[^'\\]|\\[^])*)'/.exec(text) ?? [];
  if (single !== undefined) return single.replaceAll("\\'", "'");
  const [, double] = /^"((?:[^"\\]|\\[^])*)"/.exec(text) ?? [];
  if (double !== undefined)
    return interpolate(double.replaceAll('\\$', '$$$$'), lookup).replace(
      /\\([^])/g,
      (_, char: string) => ESCAPES[char] ?? char,
    );
  return interpolate(text.replace(/(?:^|\s+)#[^]*$/, '').trimEnd(), lookup);
}
