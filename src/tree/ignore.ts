import { treeError } from './errors.ts';
import { checkGoPattern, cleanPath } from './go-match.ts';

/**
 * The patterns of a .dockerignore file, ready for `PatternMatcher` (moby/patternmatcher, ignorefile): a byte order mark is dropped, lines that begin with "#" are comments, the rest is
 * trimmed, cleaned and freed of a leading "/"; "!" stays in front.
 */
export function readIgnoreFile(text: string): string[] {
  const patterns: string[] = [];
  for (const line of text.replace(/^\ufeff/, '').split('\n')) {
    if (line.startsWith('#')) continue;
    let pattern = line.trim();
    if (pattern === '') continue;
    const negated = pattern.startsWith('!');
    if (negated) pattern = pattern.slice(1).trim();
    if (pattern !== '') pattern = cleanPath(pattern);
    if (pattern.length > 1 && pattern.startsWith('/')) pattern = pattern.slice(1);
    patterns.push(negated ? `!${pattern}` : pattern);
  }
  return patterns;
}

/** Which patterns matched a folder or one above it: one byte per pattern. */
export type MatchState = Uint8Array;

/**
 * Docker's pattern language (.dockerignore, COPY --exclude; moby/patternmatcher): the last pattern that matches a path or a folder above it decides, "!" patterns take back. `*`, `?`, classes and
 * `\` are Go's, `**` is any number of folders. Paths have no leading "/". Throws `PATTERN_INVALID`.
 */
export class PatternMatcher {
  readonly #patterns: readonly Pattern[];
  /** True when there is a "!" pattern. */
  readonly hasExceptions: boolean;

  constructor(patterns: readonly string[]) {
    this.#patterns = patterns.flatMap((pattern) => {
      const trimmed = pattern.trim();
      return trimmed === '' ? [] : [compile(cleanPath(trimmed))];
    });
    this.hasExceptions = this.#patterns.some((pattern) => pattern.exception);
  }

  /** True when the path, or a folder it is in, is matched (MatchesOrParentMatches). */
  matches(path: string): boolean {
    const prefixes = prefixesOf(path);
    let matched = false;
    for (const pattern of this.#patterns)
      if (pattern.exception === matched && prefixes.some((prefix) => pattern.test(prefix))) matched = !matched;
    return matched;
  }

  /** What a walk starts with. */
  start(): MatchState {
    return new Uint8Array(this.#patterns.length);
  }

  /**
   * `matches` for a walk, which goes into a folder before what is in it: `parent` is the state of the folder that `path` is in, `state` receives the path's own
   * (MatchesUsingParentResults, as fsutil walks; it gives in corner cases another answer than `matches`, and is the one that decides what BuildKit copies).
   */
  step(path: string, parent: MatchState, state: MatchState): boolean {
    let matched = false;
    for (let i = 0; i < this.#patterns.length; i++) {
      const pattern = this.#patterns[i]!;
      const hit = parent[i] === 1 || (pattern.exception === matched && pattern.test(path));
      state[i] = hit ? 1 : 0;
      if (hit) matched = !pattern.exception;
    }
    return matched;
  }

  /** False when everything below this folder has the folder's own answer `matched`: a walk need not ask again, nor enter what it leaves out. */
  mayDifferBelow(folder: string, matched: boolean): boolean {
    return this.#patterns.some((pattern) => pattern.exception === matched && pattern.mayMatchBelow(folder));
  }
}

interface Pattern {
  readonly exception: boolean;
  test(path: string): boolean;
  mayMatchBelow(folder: string): boolean;
}

function prefixesOf(path: string): string[] {
  const out = [path];
  for (let at = path.indexOf('/'); at >= 0; at = path.indexOf('/', at + 1)) out.push(path.slice(0, at));
  return out;
}

function compile(cleaned: string): Pattern {
  const exception = cleaned.startsWith('!');
  const text = exception ? cleaned.slice(1) : cleaned;
  if (text === '')
    throw treeError('PATTERN_INVALID', `read pattern "${cleaned}": nothing after "!"`, {
      remedy: 'Write the path to keep right after the "!".',
    });
  checkGoPattern(text);
  const { kind, source } = translate(text);
  if (kind === 'exact') return { exception, test: (path) => path === text, mayMatchBelow: below(text, text) };
  if (kind === 'prefix') {
    const prefix = text.slice(0, -2);
    return { exception, test: (path) => path.startsWith(prefix), mayMatchBelow: below(prefix) };
  }
  if (kind === 'suffix') {
    const suffix = text.slice(2);
    const whole = suffix.startsWith('/') ? suffix.slice(1) : undefined;
    return { exception, test: (path) => path.endsWith(suffix) || path === whole, mayMatchBelow: () => true };
  }
  const regexp = toRegExp(source, cleaned);
  return {
    exception,
    test: (path) => regexp.test(path),
    mayMatchBelow: /\*\*|\[|\\\//.test(text) ? below(literalStart(text)) : belowParts(text, cleaned),
  };
}

/** Whether a path that begins with `prefix` (and is no longer than `whole`) can lie below a folder. */
function below(prefix: string, whole?: string): (folder: string) => boolean {
  return (folder) => {
    const inside = `${folder}/`;
    return prefix.startsWith(inside) || (whole === undefined && inside.startsWith(prefix));
  };
}

/** The same for a pattern in which nothing matches a "/" but "/": its first parts must match the folder's, and there must be more of them. */
function belowParts(text: string, cleaned: string): (folder: string) => boolean {
  const parts = text.split('/');
  const tests = parts.slice(0, -1).map((part) => toRegExp(translate(part).source, cleaned));
  return (folder) => {
    const names = folder.split('/');
    return names.length < parts.length && names.every((name, i) => tests[i]?.test(name) === true);
  };
}

/** What every match of the pattern begins with. */
function literalStart(text: string): string {
  return /^[^*?[\\^]*/.exec(text)?.[0] ?? '';
}

function toRegExp(source: string, pattern: string): RegExp {
  try {
    return new RegExp(`^${source}$`, 'u');
  } catch (error) {
    throw treeError('PATTERN_INVALID', `read pattern "${pattern}": syntax error in pattern`, { cause: error });
  }
}

/**
 * The pattern as a regular expression, and whether one is needed, by patternmatcher's own rules with their corners: a class may match "/", `*` in a class ends it, `^` outside one anchors.
 */
function translate(pattern: string): { kind: 'exact' | 'prefix' | 'suffix' | 'regexp'; source: string } {
  const chars = Array.from(pattern);
  let kind: 'exact' | 'prefix' | 'suffix' | 'regexp' = 'exact';
  let source = '';
  let inClass = false;
  for (let i = 0, first = true; i < chars.length; first = false) {
    const char = chars[i++]!;
    if (char === '*' && chars[i] === '*') {
      i += 1;
      if (chars[i] === '/') i += 1;
      if (i < chars.length) source += '(?:[^\\n]*/)?';
      else if (kind !== 'exact') source += '[^\\n]*';
      kind = first ? 'suffix' : i === chars.length && kind === 'exact' ? 'prefix' : 'regexp';
      inClass = false;
      continue;
    }
    if (char === '*' || char === '?') {
      source += char === '*' ? '[^/]*' : '[^/]';
      inClass = false;
    } else if (char === '\\') source += i < chars.length ? literal(chars[i++]!) : literal(char);
    else if (char === '[') {
      source += inClass ? literal(char) : chars[i] === '^' ? '[^' : '[';
      if (!inClass && chars[i] === '^') i += 1;
      inClass = true;
    } else if (char === ']') {
      source += inClass ? ']' : literal(char);
      inClass = false;
    } else {
      source += (inClass && char === '-') || (!inClass && char === '^') ? char : literal(char);
      continue;
    }
    kind = 'regexp';
  }
  return { kind, source };
}

function literal(char: string): string {
  return /[A-Za-z0-9/_]/.test(char) ? char : `\\u{${char.codePointAt(0)!.toString(16)}}`;
}
