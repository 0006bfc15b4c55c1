import { editDistance } from '../../base/index.ts';
import { lifecycleError } from './errors.ts';
import type { Flag } from './flag.ts';

export interface ParsedFlags {
  /** As often as a flag was given; a bool without a value is `true`. */
  readonly values: ReadonlyMap<string, readonly string[]>;
  /** All from the first word that is no flag. */
  readonly words: readonly string[];
}

/** Reads a command line as Go's flag package does: `-x v`, `-x=v`, `--x v`, a bool only with "="; the first word that is no flag ends them, "--" does too. Throws `LIFECYCLE_FLAG_INVALID`. */
export function parseFlags(
  argv: readonly string[],
  o: { readonly flags: readonly Flag[]; readonly program: string },
): ParsedFlags {
  const values = new Map<string, string[]>();
  let at = 0;
  for (; at < argv.length; at++) {
    const word = argv[at]!;
    if (word === '--') return { values, words: argv.slice(at + 1) };
    if (!word.startsWith('-') || word === '-') break;
    const [, name = '', , text] = /^--?([^=]*)(=([\s\S]*))?$/.exec(word) ?? [];
    if (name === '' || name.startsWith('-')) throw invalid(`bad flag syntax: ${word}`, o.program);
    const flag = o.flags.find((one) => one.name === name);
    if (!flag) throw unknown(name, o);
    let value = text;
    if (flag.kind === 'bool') value = boolOf(value ?? 'true', { name, program: o.program });
    else if (value === undefined) {
      at += 1;
      value = argv[at];
      if (value === undefined) throw invalid(`flag needs an argument: -${name}`, o.program);
    }
    const own = values.get(name);
    if (own) own.push(value);
    else values.set(name, [value]);
  }
  return { values, words: argv.slice(at) };
}

/** Go's strconv.ParseBool, undefined for what it would not take. */
export function parseBool(text: string): boolean | undefined {
  if (['1', 't', 'T', 'TRUE', 'true', 'True'].includes(text)) return true;
  return ['0', 'f', 'F', 'FALSE', 'false', 'False'].includes(text) ? false : undefined;
}

function boolOf(text: string, { name, program }: { name: string; program: string }): string {
  const value = parseBool(text);
  if (value === undefined) throw invalid(`invalid boolean value "${text}" for -${name}`, program);
  return String(value);
}

function unknown(name: string, o: { flags: readonly Flag[]; program: string }): Error {
  const [near] = o.flags
    .map((one) => ({ name: one.name, distance: editDistance(one.name, name) }))
    .sort((a, b) => a.distance - b.distance);
  const hint = near && near.distance <= 2 ? `Did you mean -${near.name}? ` : '';
  return invalid(`flag provided but not defined: -${name}`, o.program, hint);
}

function invalid(detail: string, program: string, hint = ''): Error {
  return lifecycleError('LIFECYCLE_FLAG_INVALID', `parse arguments: ${detail}`, {
    remedy: `${hint}"${program} -help" shows the flags that this Platform API has.`,
  });
}
