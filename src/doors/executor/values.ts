import { executorError } from './errors.ts';
import type { Flag } from './flag.ts';
import type { ParsedFlags } from './parse-flags.ts';

/** Values of flags by kind, each with the flag's fallback and environment variable. Throws `FLAG_INVALID`. */
export class Values {
  readonly #parsed: ParsedFlags;
  readonly #flags: ReadonlyMap<string, Flag>;
  readonly #env: Readonly<Record<string, string | undefined>>;

  constructor(parsed: ParsedFlags, o: { flags: readonly Flag[]; env: Readonly<Record<string, string | undefined>> }) {
    this.#parsed = parsed;
    this.#flags = new Map(o.flags.map((flag) => [flag.name, flag]));
    this.#env = o.env;
  }

  /** The last value that was given, else that of the environment, else the fallback. */
  text(name: string): string | undefined {
    const flag = this.#flags.get(name);
    return (
      this.#parsed.values.get(name)?.at(-1) ??
      (flag?.env === undefined ? undefined : this.#env[flag.env]) ??
      flag?.fallback
    );
  }

  bool(name: string): boolean {
    const text = this.text(name);
    if (text === undefined) return false;
    const given = this.#parsed.values.get(name)?.at(-1);
    const value = BOOLEANS[text];
    // kaniko takes an environment variable that is no bool for one that is not set.
    if (value === undefined && given === undefined) return false;
    if (value === undefined) throw bad(`--${name}`, text, 'it is neither true nor false');
    return value;
  }

  int(name: string): number {
    const text = this.text(name);
    if (text === undefined) return 0;
    if (!/^[+-]?\d{1,15}$/.test(text)) throw bad(`--${name}`, text, 'it is not a whole number');
    return Number(text);
  }

  /** Milliseconds. */
  span(name: string): number {
    return durationOf(this.text(name) ?? '0', `--${name}`);
  }

  list(name: string): readonly string[] {
    return this.#parsed.values.get(name) ?? [];
  }

  words(name: string): readonly string[] {
    return this.list(name)
      .flatMap((text) => text.split(','))
      .filter((word) => word !== '');
  }

  pairs(name: string): ReadonlyMap<string, string> {
    return new Map(
      this.list(name).map((text) => {
        const equals = text.indexOf('=');
        if (equals < 0) throw bad(`--${name}`, text, 'expect key=value');
        return [text.slice(0, equals), text.slice(equals + 1)];
      }),
    );
  }

  /** `a=b;c=d`, several values for a key in order; the environment's come after those given. */
  map(name: string): ReadonlyMap<string, readonly string[]> {
    const env = this.#flags.get(name)?.env;
    const more = env === undefined ? undefined : this.#env[env];
    const found = new Map<string, string[]>();
    for (const text of [...this.list(name), ...(more === undefined ? [] : [more])])
      for (const pair of text.split(';')) {
        if (pair === '') continue;
        const equals = pair.indexOf('=');
        if (equals < 0) throw bad(`--${name}`, pair, 'expect key=value');
        const key = pair.slice(0, equals);
        const own = found.get(key);
        if (own) own.push(pair.slice(equals + 1));
        else found.set(key, [pair.slice(equals + 1)]);
      }
    return found;
  }
}

/** Go's strconv.ParseBool. */
const BOOLEANS: Readonly<Record<string, boolean>> = {
  ...Object.fromEntries(['1', 't', 'T', 'true', 'TRUE', 'True'].map((word) => [word, true])),
  ...Object.fromEntries(['0', 'f', 'F', 'false', 'FALSE', 'False'].map((word) => [word, false])),
};

const UNITS: Readonly<Record<string, number>> = {
  ns: 1e-6,
  us: 1e-3,
  µs: 1e-3,
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
};

/** Milliseconds of Go's time.ParseDuration: `336h`, `1h30m`, `1.5h`, `-2s`, `0`. */
export function durationOf(text: string, what: string): number {
  if (/^[+-]?0$/.test(text)) return 0;
  const match = /^([+-]?)((?:(?:\d+\.?\d*|\.\d+)(?:ns|us|µs|ms|s|m|h))+)$/.exec(text);
  if (!match) throw bad(what, text, 'it is not a span of time; write a number with a unit, as 6h');
  let sum = 0;
  for (const [, count, unit = ''] of (match[2] ?? '').matchAll(/(\d+\.?\d*|\.\d+)(ns|us|µs|ms|s|m|h)/g))
    sum += Number(count) * (UNITS[unit] ?? 0);
  return match[1] === '-' ? -sum : sum;
}

/** The error for a value that cannot be meant. */
export function bad(what: string, text: string, detail: string): Error {
  return executorError('FLAG_INVALID', `read ${what} "${text}": ${detail}`);
}
