import { ValueError } from '../errors.ts';
import { convert } from '../types.ts';
import { formatNumber, isList, SetValue, scalarText, toJson, type Value } from '../value.ts';

const VERB = /%(?:%|([-+ #0]*)(?:\[(\d+)\])?(\d+|\*)?(?:\.(\d+))?(?:\[(\d+)\])?([a-zA-Z]))?/g;

/** `format` of go-cty: Go's verbs for values of the language. Throws `ValueError`. */
export function format(pattern: string, args: readonly Value[]): string {
  let next = 0;
  let most = 0;
  let explicit = false;
  const text = pattern.replace(
    VERB,
    (whole: string, flags = '', before?: string, width?: string, precision?: string, after?: string, verb?: string) => {
      if (whole === '%%') return '%';
      if (verb === undefined) throw new ValueError(`unrecognized format character after "%"`, 0);
      const index = before ?? after;
      if (index !== undefined) {
        next = Number(index) - 1;
        explicit = true;
      }
      if (width === '*') throw new ValueError('a width of "*" is not supported', 0);
      const arg = args[next];
      if (arg === undefined)
        throw new ValueError(
          `not enough arguments for "${whole}": need index ${next + 1} but have ${args.length} total`,
          0,
        );
      next += 1;
      most = Math.max(most, next);
      return verbText(verb, arg, {
        flags,
        width: Number(width ?? 0),
        precision: precision === undefined ? undefined : Number(precision),
        at: next,
      });
    },
  );
  if (!explicit && most < args.length)
    throw new ValueError(`too many arguments; only ${most} used by format string`, most + 1);
  return text;
}

/** `format` for each element of the lists among the arguments, which are of one length. */
export function formatList(pattern: string, args: readonly Value[]): Value {
  const lists = args.map((arg) => (arg instanceof SetValue ? arg.items : arg));
  const lengths = lists.flatMap((list) => (isList(list) ? [list.length] : []));
  const [length] = lengths;
  if (length === undefined) return [format(pattern, args)];
  if (lengths.some((other) => other !== length))
    throw new ValueError(`the lists have different lengths: ${lengths.join(' and ')}`);
  return Array.from({ length }, (_, at) =>
    format(
      pattern,
      lists.map((list) => (isList(list) ? (list[at] ?? null) : list)),
    ),
  );
}

interface VerbOptions {
  readonly flags: string;
  readonly width: number;
  readonly precision: number | undefined;
  /** Position of the argument, from 1. */
  readonly at: number;
}

function verbText(verb: string, arg: Value, o: VerbOptions): string {
  switch (verb) {
    case 'v':
      return padded(o.flags.includes('#') ? JSON.stringify(toJson(arg)) : shown(arg), o);
    case 's':
    case 'q': {
      const text = needed(arg, 'string', o);
      const cut = o.precision === undefined ? text : Array.from(text).slice(0, o.precision).join('');
      return padded(verb === 'q' ? JSON.stringify(cut) : cut, o);
    }
    case 't':
      return padded(needed(arg, 'bool', o), o);
    case 'b':
    case 'd':
    case 'o':
    case 'x':
    case 'X':
      return integer(verb, arg, o);
    case 'e':
    case 'E':
    case 'f':
    case 'F':
    case 'g':
    case 'G':
      return numeric(decimal(verb, Number(needed(arg, 'number', o)), o), o);
    default:
      throw new ValueError(`unsupported format verb "${verb}"`, 0);
  }
}

function integer(verb: string, arg: Value, o: VerbOptions): string {
  if ((verb === 'x' || verb === 'X') && typeof arg === 'string') {
    const hex = Buffer.from(arg).toString('hex');
    return padded(verb === 'x' ? hex : hex.toUpperCase(), o);
  }
  const value = Math.trunc(Number(needed(arg, 'number', o)));
  const base = { b: 2, d: 10, o: 8, x: 16, X: 16 }[verb] ?? 10;
  const digits = BigInt(Number.isFinite(value) ? value : 0).toString(base);
  return numeric(verb === 'X' ? digits.toUpperCase() : digits, o);
}

function decimal(verb: string, value: number, { precision }: VerbOptions): string {
  const lower = verb.toLowerCase();
  const text =
    lower === 'f'
      ? value.toFixed(Math.min(100, precision ?? 6))
      : lower === 'e'
        ? exponent(value.toExponential(Math.min(100, precision ?? 6)))
        : shortest(value, precision);
  return verb === lower ? text : text.toUpperCase();
}

/** `%g`: an exponent where it is large. */
function shortest(value: number, precision: number | undefined): string {
  const digits = precision === undefined ? undefined : Math.max(1, Math.min(100, precision));
  const [mantissa = '', power = '0'] = value.toExponential(digits === undefined ? undefined : digits - 1).split('e');
  const by = Number(power);
  if (by < -4 || by >= (digits ?? 21)) return exponent(`${mantissa.replace(/\.?0+$/, '')}e${power}`);
  return formatNumber(digits === undefined ? value : Number(value.toPrecision(digits)));
}

/** At least two digits, as Go. */
function exponent(text: string): string {
  return text.replace(/e([+-])(\d)$/, 'e$10$2');
}

function numeric(text: string, o: VerbOptions): string {
  const signed = text.startsWith('-')
    ? text
    : o.flags.includes('+')
      ? `+${text}`
      : o.flags.includes(' ')
        ? ` ${text}`
        : text;
  if (!o.flags.includes('0') || o.flags.includes('-')) return padded(signed, o);
  const sign = /^[+ -]/.exec(signed)?.[0] ?? '';
  return sign + signed.slice(sign.length).padStart(Math.min(1000, o.width) - sign.length, '0');
}

function padded(text: string, { flags, width }: VerbOptions): string {
  const missing = Math.min(1000, width) - Array.from(text).length;
  if (missing <= 0) return text;
  return flags.includes('-') ? text + ' '.repeat(missing) : ' '.repeat(missing) + text;
}

function shown(arg: Value): string {
  if (arg === null) return 'null';
  return typeof arg === 'object' ? JSON.stringify(toJson(arg)) : scalarText(arg);
}

function needed(arg: Value, kind: 'string' | 'number' | 'bool', o: VerbOptions): string {
  if (arg === null) throw new ValueError(`unsupported value for argument ${o.at}: it is null`, o.at);
  try {
    return scalarText(convert(arg, { kind }));
  } catch (error) {
    if (error instanceof ValueError)
      throw new ValueError(`unsupported value for argument ${o.at}: ${error.message}`, o.at);
    throw error;
  }
}
