import type { Word } from './ast.ts';
import { dockerfileError } from './errors.ts';
import { didYouMean } from './suggest.ts';

export type FlagKind = 'text' | 'switch' | 'list';

/** The value of a flag by the kind it was declared with; switches and texts that were not given are absent. */
export type FlagValues<S extends Readonly<Record<string, FlagKind>>> = {
  readonly [K in keyof S]: S[K] extends 'list'
    ? readonly string[]
    : S[K] extends 'switch'
      ? boolean | undefined
      : string | undefined;
};

/** Reads builder flags (facts 1.1, Flags). Throws `DOCKERFILE_FLAG` without a place. */
export function parseFlags<const S extends Readonly<Record<string, FlagKind>>>(
  words: readonly Word[],
  spec: S,
): FlagValues<S> {
  const values: Record<string, string | boolean | string[] | undefined> = {};
  for (const [name, kind] of Object.entries(spec)) if (kind === 'list') values[name] = [];
  const seen = new Set<string>();
  for (const { text } of words) {
    const equals = text.indexOf('=');
    const flag = equals < 0 ? text : text.slice(0, equals);
    const value = equals < 0 ? undefined : text.slice(equals + 1);
    const name = flag.slice(2);
    const kind = Object.hasOwn(spec, name) ? spec[name] : undefined;
    if (kind === undefined) throw unknownFlag(flag, name, Object.keys(spec));
    if (kind !== 'list' && seen.has(name)) throw wrong(`duplicate flag specified: ${flag}`, `Give ${flag} once.`);
    seen.add(name);
    if (kind === 'switch') {
      values[name] = switchValue(flag, value);
      continue;
    }
    if (value === undefined) throw wrong(`missing a value on flag: ${flag}`, `Write ${flag}=<value>.`);
    const list = values[name];
    if (Array.isArray(list)) list.push(value);
    else values[name] = value;
  }
  return values as FlagValues<S>;
}

function switchValue(flag: string, value: string | undefined): boolean {
  if (value === '') throw wrong(`missing a value on flag: ${flag}`, `Write ${flag}, ${flag}=true or ${flag}=false.`);
  const word = (value ?? 'true').toLowerCase();
  if (word === 'true') return true;
  if (word === 'false') return false;
  throw wrong(`expecting boolean value for flag ${flag}, not: ${value ?? ''}`, `Write ${flag}=true or ${flag}=false.`);
}

function unknownFlag(flag: string, name: string, known: readonly string[]): Error {
  const remedy =
    known.length === 0
      ? 'Remove it: this instruction takes no flags.'
      : `Use one of ${known.map((flagName) => `--${flagName}`).join(', ')}.`;
  return wrong(`unknown flag: ${flag}${didYouMean(name, known)}`, remedy);
}

function wrong(message: string, remedy: string): Error {
  return dockerfileError('DOCKERFILE_FLAG', message, { remedy });
}
