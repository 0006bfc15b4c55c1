import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** One build of the corpus. README.md says how it is written down. */
export interface Case {
  readonly name: string;
  /** File it stands in, without ".txt". */
  readonly group: string;
  readonly rules: readonly string[];
  readonly dockerfile: string;
  /** Content of the context, as `place-context.ts` reads it; undefined is the standard one. */
  readonly tree?: string | undefined;
  /** The content comes on top of the standard one. */
  readonly adds: boolean;
  /** Further files, by path. */
  readonly files: ReadonlyMap<string, string>;
  /** Words of the command line, the same for both builders. */
  readonly flags: readonly string[];
  /** Attributes of the output. */
  readonly output?: string | undefined;
  /** What both must say when they fail. */
  readonly fails?: RegExp | undefined;
  /** The Dockerfile lies in the context, as usual, and not beside it. */
  readonly inside: boolean;
  /** Where the expectation is from when it is written by hand, because docker 28's frontend is older. */
  readonly hand?: string | undefined;
}

const CASES = join(import.meta.dirname, 'cases');
const KEYS = ['rule', 'flags', 'output', 'fails', 'escapes', 'inside', 'hand', 'add'];

export function readCases(): readonly Case[] {
  const files = readdirSync(CASES).filter((name) => name.endsWith('.txt'));
  const cases = files.sort().flatMap((file) => parseCases(readFileSync(join(CASES, file), 'utf8'), file.slice(0, -4)));
  const seen = new Set<string>();
  for (const { name } of cases) {
    if (seen.has(name)) throw new Error(`case "${name}" is there twice`);
    seen.add(name);
  }
  return cases;
}

function parseCases(text: string, group: string): readonly Case[] {
  return text
    .split(/^=== /m)
    .slice(1)
    .map((part) => parseCase(part, group));
}

function parseCase(text: string, group: string): Case {
  const [head = '', ...sections] = text.split(/^--- /m);
  const [name = '', ...lines] = head.trimEnd().split('\n');
  const header = new Map<string, string>();
  for (const line of lines) {
    if (line === '') continue;
    const [, key = '', value = ''] = /^(\w+): (.*)$/.exec(line) ?? [];
    if (!KEYS.includes(key)) throw new Error(`${group}.txt: case "${name}": line "${line}" is not understood`);
    header.set(key, value);
  }
  const files = new Map<string, string>();
  let dockerfile: string | undefined;
  let tree: string | undefined;
  for (const section of sections) {
    const end = section.indexOf('\n');
    const title = section.slice(0, end);
    // The empty line before the next heading is no part of the file.
    const body = section.slice(end + 1).replace(/\n\n$/, '\n');
    if (title === 'Dockerfile') dockerfile = header.get('escapes') === 'yes' ? unescape(body) : body;
    else if (title === 'tree') tree = body;
    else files.set(title, body);
  }
  if (dockerfile === undefined) throw new Error(`${group}.txt: case "${name}" has no Dockerfile`);
  const fails = header.get('fails');
  const rules = (header.get('rule') ?? '').split(',').map((rule) => rule.trim());
  if (rules.some((rule) => !/^1\.\d+ \S/.test(rule))) throw new Error(`${group}.txt: case "${name}" names no rule`);
  return {
    name: name.trim(),
    group,
    rules,
    dockerfile,
    tree,
    adds: header.get('add') === 'yes',
    files,
    flags: words(header.get('flags') ?? ''),
    output: header.get('output'),
    fails: fails === undefined ? undefined : new RegExp(fails, 'i'),
    inside: header.get('inside') === 'yes',
    hand: header.get('hand'),
  };
}

/** `\r`, `\t`, `\s` (a blank), `\u{…}` and `\\`, for what editors would change; `\n` at the end of a line joins nothing. */
function unescape(text: string): string {
  return text.replace(/\\(?:([rts\\])|u\{([0-9a-f]+)\}|(0))/g, (_, letter: string, code: string) =>
    letter === undefined
      ? code === undefined
        ? ''
        : String.fromCodePoint(Number.parseInt(code, 16))
      : ({ r: '\r', t: '\t', s: ' ', '\\': '\\' }[letter] ?? ''),
  );
}

/** Words of a line; single and double quotes hold blanks together. */
function words(line: string): readonly string[] {
  return [...line.matchAll(/(?:[^\s'"]+|'[^']*'|"[^"]*")+/g)].map(([word]) =>
    word.replace(/'([^']*)'|"([^"]*)"/g, '$1$2'),
  );
}
