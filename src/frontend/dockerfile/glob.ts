import { dockerfileError } from './errors.ts';
import { quote } from './go-text.ts';

/** Patterns of `${x#…}` and the like: `*` and `?` only, neither crossing a line end; one escaped character is literal (facts 1.3). */
export type GlobToken =
  | { readonly kind: 'any' }
  | { readonly kind: 'one' }
  | { readonly kind: 'char'; readonly char: string };

export function parseGlob(pattern: string): readonly GlobToken[] {
  const chars = Array.from(pattern);
  const tokens: GlobToken[] = [];
  for (let index = 0; index < chars.length; index++) {
    const char = chars[index] ?? '';
    if (char === '*') tokens.push({ kind: 'any' });
    else if (char === '?') tokens.push({ kind: 'one' });
    else if (char === '\\') {
      const next = chars[index + 1];
      // The escape before `}` and `/` only served to get them into the pattern.
      if (next === '}' || next === '/') continue;
      if (next !== '*' && next !== '?' && next !== '\\')
        throw dockerfileError(
          'DOCKERFILE_EXPANSION',
          `invalid pattern (${pattern}) in substitution: invalid escape ${quote(`\\${next ?? ''}`)}`,
          { remedy: 'Escape only "*", "?" and "\\" in the pattern.' },
        );
      tokens.push({ kind: 'char', char: next });
      index += 1;
    } else tokens.push({ kind: 'char', char });
  }
  return tokens;
}

/** The end of the shortest or longest match that starts at `start`; -1 when there is none. Linear in text times pattern. */
export function matchGlob(
  tokens: readonly GlobToken[],
  text: readonly string[],
  start: number,
  longest: boolean,
): number {
  let states = closure(tokens, new Set([0]));
  let end = states.has(tokens.length) ? start : -1;
  if (end >= 0 && !longest) return end;
  for (let index = start; index < text.length && states.size > 0; index++) {
    const char = text[index] ?? '';
    const next = new Set<number>();
    for (const state of states) {
      const token = tokens[state];
      if (token === undefined) continue;
      if (token.kind === 'any' && char !== '\n') next.add(state);
      else if ((token.kind === 'one' && char !== '\n') || (token.kind === 'char' && token.char === char))
        next.add(state + 1);
    }
    states = closure(tokens, next);
    if (states.has(tokens.length)) {
      end = index + 1;
      if (!longest) return end;
    }
  }
  return end;
}

/** `text` without its shortest or longest start that matches. */
export function trimPrefix(pattern: string, text: string, longest: boolean): string {
  const chars = Array.from(text);
  const end = matchGlob(parseGlob(pattern), chars, 0, longest);
  return end < 0 ? text : chars.slice(end).join('');
}

/** `text` without its shortest or longest end that matches. */
export function trimSuffix(pattern: string, text: string, longest: boolean): string {
  const chars = Array.from(text).toReversed();
  const end = matchGlob(parseGlob(pattern).toReversed(), chars, 0, longest);
  return end < 0 ? text : chars.slice(end).toReversed().join('');
}

/** `text` with the first match, or all of them, replaced; matches are as long as they can be. */
export function replaceGlob(pattern: string, text: string, replacement: string, all: boolean): string {
  const tokens = parseGlob(pattern);
  const chars = Array.from(text);
  let out = '';
  let afterMatch = -1;
  for (let index = 0; index <= chars.length;) {
    const end = matchGlob(tokens, chars, index, true);
    // An empty match right after a match is none, as in Go.
    if (end >= 0 && !(end === index && index === afterMatch)) {
      out += replacement;
      if (!all) return out + chars.slice(end).join('');
      afterMatch = end;
      if (end > index) {
        index = end;
        continue;
      }
    }
    out += chars[index] ?? '';
    index += 1;
  }
  return out;
}

function closure(tokens: readonly GlobToken[], states: Set<number>): Set<number> {
  for (const state of states) if (tokens[state]?.kind === 'any') states.add(state + 1);
  return states;
}
