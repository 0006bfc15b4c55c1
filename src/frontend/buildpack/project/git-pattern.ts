import { encodePath } from '../../../tree/index.ts';

/** One line of a .gitignore file. */
export interface GitPattern {
  /** It takes back what an earlier one ignored. */
  readonly negated: boolean;
  /** Only folders. */
  readonly folderOnly: boolean;
  /** `path` and its last part, as `gitBytes` has them. */
  matches(path: string, name: string): boolean;
}

/** One character for each byte, as git compares. */
export function gitBytes(path: string): string {
  return ASCII.test(path) ? path : encodePath(path).toString('latin1');
}

/** Reads a line of a .gitignore file as git does (gitignore(5); git dir.c, add_pattern and match_pathname); undefined for a comment and an empty line. */
export function parseGitPattern(text: string): GitPattern | undefined {
  if (text.startsWith('#')) return undefined;
  const line = gitBytes(withoutTrailingSpace(text.replace(/\r$/, '')));
  const negated = line.startsWith('!');
  let pattern = negated ? line.slice(1) : line;
  const folderOnly = pattern.endsWith('/');
  if (folderOnly) pattern = pattern.slice(0, -1);
  if (line === '' || (pattern === '' && !folderOnly)) return undefined;
  const common = { negated, folderOnly };
  if (!pattern.includes('/')) {
    const test = glob(pattern);
    return { ...common, matches: (_, name) => test(name) };
  }
  const anchored = pattern.startsWith('/') ? pattern.slice(1) : pattern;
  // What stands before the first special character is compared first, and what follows is a glob of its own: so "a**/b" has "**" at its beginning.
  const special = /[*?[\\]/.exec(anchored)?.index ?? anchored.length;
  const prefix = anchored.slice(0, special);
  const test = glob(anchored.slice(special));
  return { ...common, matches: (path) => path.startsWith(prefix) && test(path.slice(prefix.length)) };
}

const ASCII = /^[\0-\x7f]*$/;

function withoutTrailingSpace(line: string): string {
  let end = line.length;
  while (end > 0 && line[end - 1] === ' ') end -= 1;
  if (end === line.length) return line;
  // The first of these spaces is kept where an odd number of backslashes is before it.
  let slashes = 0;
  while (line[end - 1 - slashes] === '\\') slashes += 1;
  return line.slice(0, slashes % 2 === 1 ? end + 1 : end);
}

/** A step of a glob: one byte, any run of bytes, or the beginning of two stars and a slash, which may stand for nothing. */
type Step =
  | { readonly kind: 'byte'; readonly allowed: (code: number) => boolean }
  | { readonly kind: 'run'; readonly slashes: boolean }
  | { readonly kind: 'folders' };

const SLASH = 0x2f;

/** git's wildmatch with WM_PATHNAME: the number of its steps times the length of the path, whatever they are. */
function glob(pattern: string): (text: string) => boolean {
  if (!/[*?[\\]/.test(pattern)) return (text) => text === pattern;
  const steps = stepsOf(pattern);
  if (!steps) return () => false;
  return (text) => {
    let states = new Uint8Array(steps.length + 1);
    enter(steps, states, 0);
    for (let at = 0; at < text.length; at++) {
      const code = text.charCodeAt(at);
      const next = new Uint8Array(steps.length + 1);
      let alive = false;
      for (let i = 0; i < steps.length; i++) {
        if (states[i] === 0) continue;
        const step = steps[i]!;
        if (step.kind === 'byte') {
          if (!step.allowed(code)) continue;
          enter(steps, next, i + 1);
        } else if (step.kind === 'run') {
          if (!step.slashes && code === SLASH) continue;
          enter(steps, next, i);
        } else continue;
        alive = true;
      }
      if (!alive) return false;
      states = next;
    }
    return states[steps.length] === 1;
  };
}

/** Marks a state, and those that are reached from it by nothing. */
function enter(steps: readonly Step[], states: Uint8Array, at: number): void {
  if (states[at] === 1) return;
  states[at] = 1;
  const step = steps[at];
  if (step?.kind === 'run') enter(steps, states, at + 1);
  // Past the run and its slash.
  if (step?.kind === 'folders') for (const to of [at + 1, at + 3]) enter(steps, states, to);
}

/** Undefined for what matches nothing: a class that is not closed, a "\" at the end. */
function stepsOf(pattern: string): Step[] | undefined {
  const steps: Step[] = [];
  for (let at = 0; at < pattern.length;) {
    const char = pattern[at]!;
    if (char === '*') {
      const from = at;
      while (pattern[at] === '*') at += 1;
      const alone = from === 0 || pattern[from - 1] === '/';
      const ends = at === pattern.length || pattern[at] === '/' || pattern.startsWith('\\/', at);
      const slashes = at - from > 1 && alone && ends;
      if (slashes && pattern[at] === '/') steps.push({ kind: 'folders' });
      steps.push({ kind: 'run', slashes });
    } else if (char === '[') {
      const found = byteClass(pattern, at);
      if (!found) return undefined;
      steps.push({ kind: 'byte', allowed: (code) => code !== SLASH && found.allowed(code) });
      at = found.end;
    } else if (char === '?') {
      steps.push({ kind: 'byte', allowed: (code) => code !== SLASH });
      at += 1;
    } else {
      const literal = char === '\\' ? pattern.charCodeAt(at + 1) : pattern.charCodeAt(at);
      if (Number.isNaN(literal)) return undefined;
      steps.push({ kind: 'byte', allowed: (code) => code === literal });
      at += char === '\\' ? 2 : 1;
    }
  }
  return steps;
}

/** The class that begins at `from`, and where it ends; undefined where it does not, or names a class of characters that there is not. */
function byteClass(pattern: string, from: number): { allowed: (code: number) => boolean; end: number } | undefined {
  const members = new Uint8Array(256);
  let at = from + 1;
  const negated = pattern[at] === '!' || pattern[at] === '^';
  if (negated) at += 1;
  // The byte that a "-" would make a range with.
  let before: number | undefined;
  for (let first = true; first || pattern[at] !== ']'; first = false) {
    const char = pattern[at];
    if (char === undefined) return undefined;
    const named = char === '[' && pattern[at + 1] === ':' ? namedClass(pattern, at) : undefined;
    if (named) {
      if (!named.test) return undefined;
      for (let code = 0; code < 128; code++) if (named.test.test(String.fromCharCode(code))) members[code] = 1;
      before = undefined;
      at = named.end;
      continue;
    }
    const next = pattern[at + 1];
    if (char === '-' && before !== undefined && next !== undefined && next !== ']') {
      at += next === '\\' ? 2 : 1;
      const to = pattern.charCodeAt(at);
      if (Number.isNaN(to)) return undefined;
      for (let code = before; code <= to; code++) members[code] = 1;
      before = undefined;
    } else {
      if (char === '\\') at += 1;
      before = pattern.charCodeAt(at);
      if (Number.isNaN(before)) return undefined;
      members[before] = 1;
    }
    at += 1;
  }
  return { allowed: (code) => (members[code] === 1) !== negated, end: at + 1 };
}

const NAMED: Readonly<Record<string, RegExp>> = {
  alnum: /[A-Za-z0-9]/,
  alpha: /[A-Za-z]/,
  blank: /[ \t]/,
  cntrl: /[\0-\x1f\x7f]/,
  digit: /[0-9]/,
  graph: /[!-~]/,
  lower: /[a-z]/,
  print: /[ -~]/,
  punct: /[!-/:-@[-`{-~]/,
  space: /[ \t\n\v\f\r]/,
  upper: /[A-Z]/,
  xdigit: /[0-9A-Fa-f]/,
};

/** `[:name:]` in a class; undefined where it is none, and its "[" means itself. */
function namedClass(pattern: string, from: number): { test: RegExp | undefined; end: number } | undefined {
  const close = pattern.indexOf(']', from + 2);
  if (close < 0) return { test: undefined, end: pattern.length };
  if (pattern[close - 1] !== ':' || close - 1 < from + 2) return undefined;
  return { test: NAMED[pattern.slice(from + 2, close - 1)], end: close + 1 };
}
