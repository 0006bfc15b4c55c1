import type { Healthcheck } from '../../image/index.ts';
import type { InstructionNode } from './ast.ts';
import { formatDuration, parseDuration } from './duration.ts';
import { dockerfileError } from './errors.ts';
import { parseFlags } from './flags.ts';
import { quote } from './go-text.ts';

const FLAGS = {
  interval: 'text',
  timeout: 'text',
  'start-period': 'text',
  'start-interval': 'text',
  retries: 'text',
} as const;

/** Reads HEALTHCHECK's arguments and flags. Throws `DOCKERFILE_INSTRUCTION` and `DOCKERFILE_FLAG` without a place. */
export function parseHealthcheck(node: InstructionNode): Healthcheck {
  const [first, ...rest] = node.args.map((arg) => arg.text);
  if (first === undefined) throw wrong('HEALTHCHECK requires at least one argument');
  const type = first.toUpperCase();
  if (type === 'NONE') {
    if (rest.length > 0) throw wrong('HEALTHCHECK NONE takes no arguments');
    return { Test: ['NONE'] };
  }
  const flags = parseFlags(node.flags, FLAGS);
  if (type !== 'CMD') throw wrong(`Unknown type ${quote(type)} in HEALTHCHECK (try CMD)`);
  if (rest.length === 0) throw wrong('Missing command after HEALTHCHECK CMD');
  return {
    Test: node.form === 'json' ? ['CMD', ...rest] : ['CMD-SHELL', rest.join(' ')],
    Interval: interval('interval', flags.interval),
    Timeout: interval('timeout', flags.timeout),
    StartPeriod: interval('start-period', flags['start-period']),
    StartInterval: interval('start-interval', flags['start-interval']),
    Retries: retries(flags.retries),
  };
}

/** Go's `%q` of a pointer to the structure, for the history: durations as texts, the number of retries as a character. */
export function printHealthcheck(health: Healthcheck): string {
  const time = (value: number | undefined): string => quote(formatDuration(value ?? 0));
  const { Test = [], Interval, Timeout, StartPeriod, StartInterval, Retries = 0 } = health;
  const times = [Interval, Timeout, StartPeriod, StartInterval].map(time).join(' ');
  return `&{[${Test.map((word) => quote(word)).join(' ')}] ${times} ${quoteRune(Retries)}}`;
}

/** strconv.QuoteRune. */
function quoteRune(code: number): string {
  const isCharacter = code <= 0x10ffff && (code < 0xd800 || code > 0xdfff);
  const quoted = quote(isCharacter ? String.fromCodePoint(code) : '\ufffd').slice(1, -1);
  return `'${quoted === '\\"' ? '"' : quoted === "'" ? "\\'" : quoted}'`;
}

/** Nanoseconds; undefined for none and for 0, which both mean "inherit". */
function interval(name: string, text: string | undefined): number | undefined {
  if (text === undefined || text === '') return undefined;
  const value = parseDuration(text);
  if (typeof value !== 'bigint') throw wrong(value.wrong, 'Write a duration such as 30s, 1m30s or 500ms.');
  if (value === 0n) return undefined;
  if (value < 1_000_000n) throw wrong(`Interval ${quote(name)} cannot be less than 1ms`);
  return Number(value);
}

function retries(text: string | undefined): number | undefined {
  if (text === undefined || text === '') return undefined;
  if (!/^[+-]?\d+$/.test(text)) throw wrong(`parse --retries: ${quote(text)} is not a whole number`);
  const value = Number(text);
  if (value < 0) throw wrong(`--retries cannot be negative (${value})`);
  if (value > 2_147_483_647) throw wrong(`parse --retries: ${quote(text)} is out of range`);
  return value === 0 ? undefined : value;
}

function wrong(
  message: string,
  remedy = 'Write HEALTHCHECK [--interval=30s] CMD command, or HEALTHCHECK NONE.',
): Error {
  return dockerfileError('DOCKERFILE_INSTRUCTION', message, { remedy });
}
