import { treeError } from './errors.ts';
import { encodePath } from './path-text.ts';

/**
 * Go's `path.Match` (and `filepath.Match` on unix), to the letter: `*` any run without "/", `?` one character but "/", `[a-z]` and `[^a-z]` classes, `\` escapes. Works on the
 * bytes of both sides as Go does; a byte that is not UTF-8 is one character. Throws `PATTERN_INVALID` where Go gives ErrBadPattern (always, as `path.Match` does since Go 1.16).
 */
export function goMatch(pattern: string, name: string): boolean {
  return match(bytesOf(pattern), bytesOf(name), pattern);
}

/** Throws `PATTERN_INVALID` for a pattern that `goMatch` would refuse. */
export function checkGoPattern(pattern: string): void {
  const bytes = bytesOf(pattern);
  for (let at = 0; at < bytes.length;) {
    const chunk = scanChunk(bytes, at);
    matchChunk(bytes, chunk, '', 0, pattern);
    at = chunk.end;
  }
}

/** True when `text` has an unescaped `*`, `?` or `[`: what Docker takes for a wildcard. */
export function hasWildcards(text: string): boolean {
  for (let i = 0; i < text.length; i++) {
    const c = text[i];
    if (c === '\\') i += 1;
    else if (c === '*' || c === '?' || c === '[') return true;
  }
  return false;
}

/** Go's `path.Clean`: the shortest path that is the same by its text alone; "." for nothing. */
export function cleanPath(path: string): string {
  const rooted = path.startsWith('/');
  const out: string[] = [];
  for (const part of path.split('/')) {
    if (part === '' || part === '.') continue;
    if (part !== '..') out.push(part);
    else if (out.length > 0 && out.at(-1) !== '..') out.pop();
    else if (!rooted) out.push('..');
  }
  return (rooted ? '/' : '') + out.join('/') || '.';
}

/** Bytes as text with one char per byte, so that indices are Go's. */
function bytesOf(text: string): string {
  return ASCII.test(text) ? text : encodePath(text).toString('latin1');
}

const ASCII = /^[\0-\x7f]*$/;

interface Chunk {
  readonly star: boolean;
  /** The chunk is pattern[from, end). */
  readonly from: number;
  readonly end: number;
}

function match(pattern: string, name: string, asWritten: string): boolean {
  let at = 0;
  let from = 0;
  outer: while (from < pattern.length) {
    const chunk = scanChunk(pattern, from);
    from = chunk.end;
    const last = from === pattern.length;
    if (chunk.star && chunk.from === chunk.end) return !name.includes('/', at);
    const end = matchChunk(pattern, chunk, name, at, asWritten);
    if (end >= 0 && (end === name.length || !last)) {
      at = end;
      continue;
    }
    if (chunk.star)
      for (let i = at; i < name.length && name[i] !== '/'; i++) {
        const end = matchChunk(pattern, chunk, name, i + 1, asWritten);
        if (end < 0 || (last && end < name.length)) continue;
        at = end;
        continue outer;
      }
    while (from < pattern.length) {
      const rest = scanChunk(pattern, from);
      matchChunk(pattern, rest, '', 0, asWritten);
      from = rest.end;
    }
    return false;
  }
  return at === name.length;
}

/** Stars at `at`, then all up to the next star that is not in a class. */
function scanChunk(pattern: string, at: number): Chunk {
  let from = at;
  while (pattern[from] === '*') from += 1;
  let inClass = false;
  let end = from;
  for (; end < pattern.length; end++) {
    const c = pattern[end];
    if (c === '\\' && end + 1 < pattern.length) end += 1;
    else if (c === '[') inClass = true;
    else if (c === ']') inClass = false;
    else if (c === '*' && !inClass) break;
  }
  return { star: from > at, from, end };
}

/** Where in `name` the chunk's match from `at` ends, or -1. Reads the whole chunk even when it fails, to find bad syntax. */
function matchChunk(pattern: string, chunk: Chunk, name: string, at: number, asWritten: string): number {
  let failed = false;
  let i = chunk.from;
  while (i < chunk.end) {
    failed ||= at >= name.length;
    const c = pattern[i++];
    if (c === '[') {
      let rune = 0;
      if (!failed) {
        rune = runeAt(name, at);
        at += width(name, at);
      }
      const negated = i < chunk.end && pattern[i] === '^';
      if (negated) i += 1;
      let hit = false;
      for (let ranges = 0; ranges === 0 || i >= chunk.end || pattern[i] !== ']'; ranges++) {
        i = checkMember(pattern, i, chunk.end, asWritten);
        const low = runeAt(pattern, i);
        let high = low;
        i += width(pattern, i);
        if (i >= chunk.end) throw invalid(asWritten);
        if (pattern[i] === '-') {
          i = checkMember(pattern, i + 1, chunk.end, asWritten);
          high = runeAt(pattern, i);
          i += width(pattern, i);
          if (i >= chunk.end) throw invalid(asWritten);
        }
        hit ||= low <= rune && rune <= high;
      }
      i += 1;
      failed ||= hit === negated;
    } else if (c === '?') {
      if (!failed) {
        failed = name[at] === '/';
        at += width(name, at);
      }
    } else {
      if (c === '\\' && i++ >= chunk.end) throw invalid(asWritten);
      if (!failed) failed = pattern[i - 1] !== name[at++];
    }
  }
  return failed ? -1 : at;
}

/** The index of the class member at `i`, past its escape. */
function checkMember(pattern: string, i: number, end: number, asWritten: string): number {
  if (i >= end || pattern[i] === '-' || pattern[i] === ']') throw invalid(asWritten);
  if (pattern[i] === '\\') i += 1;
  if (i >= end || (runeAt(pattern, i) === 0xfffd && width(pattern, i) === 1)) throw invalid(asWritten);
  return i;
}

function invalid(pattern: string): Error {
  return treeError('PATTERN_INVALID', `read pattern "${pattern}": syntax error in pattern`, {
    remedy: 'Close every "[" with "]", and write "\\\\" before a character that is meant as itself.',
  });
}

/** How many bytes the character at `i` has; 1 where there is no valid one (Go's utf8.DecodeRune). */
function width(s: string, i: number): number {
  const first = s.charCodeAt(i);
  if (first < 0xc2 || first > 0xf4) return 1;
  const length = first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
  const second = s.charCodeAt(i + 1);
  const low = first === 0xe0 ? 0xa0 : first === 0xf0 ? 0x90 : 0x80;
  const high = first === 0xed ? 0x9f : first === 0xf4 ? 0x8f : 0xbf;
  if (!(second >= low && second <= high)) return 1;
  for (let k = 2; k < length; k++) if ((s.charCodeAt(i + k) & 0xc0) !== 0x80) return 1;
  return length;
}

function runeAt(s: string, i: number): number {
  const first = s.charCodeAt(i);
  if (first < 0x80) return first;
  const length = width(s, i);
  if (length === 1) return 0xfffd;
  let rune = first & (0xff >> (length + 1));
  for (let k = 1; k < length; k++) rune = (rune << 6) | (s.charCodeAt(i + k) & 0x3f);
  return rune;
}
