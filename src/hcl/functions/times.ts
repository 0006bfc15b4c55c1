import { ValueError } from '../errors.ts';
import { objectOf, type Value } from '../value.ts';
import type { FunctionSpec } from './call.ts';
import { any, define, number, text } from './parameters.ts';

const DAYS = ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday'];
const MONTHS = 'January February March April May June July August September October November December'.split(' ');

/** Functions of points in time. */
export const timeFunctions: Readonly<Record<string, FunctionSpec>> = {
  timestamp: define([], (_, { clock }) => rfc3339(clock.now())),
  timeadd: define([text, text], ([at, by]) => {
    const { time, offset, zone } = parseTime(at, 0);
    return rfc3339(time + parseDuration(by), offset, zone);
  }),
  formatdate: define([text, text], ([format, at]) => formatDate(format, parseTime(at, 1))),
  formattimestamp: define([text, any], ([format, at]) => {
    const time = typeof at === 'number' ? unixTime(at, 1) : typeof at === 'string' ? parseTime(at, 1) : undefined;
    if (time === undefined) throw new ValueError('must be a string timestamp or a unix timestamp number', 1);
    return format === 'X' ? String(Math.floor(time.time / 1000)) : formatDate(format, time);
  }),
  unixtimestampparse: define([number], ([at]) => parts(unixTime(at, 0).time)),
};

interface Time {
  /** Milliseconds since the Unix epoch. */
  readonly time: number;
  /** Minutes east of UTC. */
  readonly offset: number;
  /** As it was written. */
  readonly zone: string;
}

function unixTime(seconds: number, at: number): Time {
  if (!Number.isInteger(seconds)) throw new ValueError('unix timestamp must be an integer', at);
  if (Math.abs(seconds) > 8.64e12) throw new ValueError('the timestamp is out of range', at);
  return { time: seconds * 1000, offset: 0, zone: 'Z' };
}

function parseTime(value: string, at: number): Time {
  const match = /^(\d{4}-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:\.\d+)?)(Z|([+-])(\d\d):(\d\d))$/.exec(value);
  const time = match ? Date.parse(value) : Number.NaN;
  if (!match || Number.isNaN(time) || Number(match[4]) > 23)
    throw new ValueError(`not a valid RFC3339 timestamp: ${JSON.stringify(value)}`, at);
  const offset = match[8] === undefined ? 0 : (Number(match[9]) * 60 + Number(match[10])) * (match[8] === '-' ? -1 : 1);
  return { time, offset, zone: match[7] ?? 'Z' };
}

function rfc3339(time: number, offset = 0, zone = 'Z'): string {
  if (Math.abs(time) > 8.64e15) throw new ValueError('the time is out of range');
  const local = new Date(time + offset * 60_000).toISOString().replace(/\.\d+Z$/, '');
  return local + zone;
}

const UNITS: Readonly<Record<string, number>> = {
  h: 3_600_000,
  m: 60_000,
  s: 1000,
  ms: 1,
  us: 1e-3,
  µs: 1e-3,
  ns: 1e-6,
};

function parseDuration(value: string): number {
  const match = /^([+-]?)((?:\d+\.?\d*(?:h|ms|m|s|us|µs|ns))+|0)$/u.exec(value);
  if (!match) throw new ValueError(`time: invalid duration ${JSON.stringify(value)}`, 1);
  let total = 0;
  for (const [, amount = '0', unit = ''] of (match[2] ?? '').matchAll(/(\d+\.?\d*)(h|ms|m|s|us|µs|ns)/gu))
    total += Number(amount) * (UNITS[unit] ?? 0);
  return match[1] === '-' ? -total : total;
}

/** The format of go-cty's formatdate: letters repeated, text in single quotes. */
function formatDate(format: string, { time, offset }: Time): string {
  const at = new Date(time + offset * 60_000);
  const two = (value: number): string => String(value).padStart(2, '0');
  const hour = at.getUTCHours();
  const sign = offset < 0 ? '-' : '+';
  const [hours, minutes] = [two(Math.floor(Math.abs(offset) / 60)), two(Math.abs(offset) % 60)];
  const verbs: Readonly<Record<string, string>> = {
    YYYY: String(at.getUTCFullYear()).padStart(4, '0'),
    YY: two(at.getUTCFullYear() % 100),
    MMMM: MONTHS[at.getUTCMonth()] ?? '',
    MMM: (MONTHS[at.getUTCMonth()] ?? '').slice(0, 3),
    MM: two(at.getUTCMonth() + 1),
    M: String(at.getUTCMonth() + 1),
    DD: two(at.getUTCDate()),
    D: String(at.getUTCDate()),
    EEEE: DAYS[at.getUTCDay()] ?? '',
    EEE: (DAYS[at.getUTCDay()] ?? '').slice(0, 3),
    hh: two(hour),
    h: String(hour),
    HH: two(hour % 12 || 12),
    H: String(hour % 12 || 12),
    AA: hour < 12 ? 'AM' : 'PM',
    aa: hour < 12 ? 'am' : 'pm',
    mm: two(at.getUTCMinutes()),
    m: String(at.getUTCMinutes()),
    ss: two(at.getUTCSeconds()),
    s: String(at.getUTCSeconds()),
    ZZZZZ: `${sign}${hours}:${minutes}`,
    ZZZZ: `${sign}${hours}${minutes}`,
    ZZZ: offset === 0 ? 'UTC' : `${sign}${hours}${minutes}`,
    Z: offset === 0 ? 'Z' : `${sign}${hours}:${minutes}`,
  };
  return format.replace(/'((?:[^']|'')*)'?|([A-Za-z])\2*/g, (run: string, quoted?: string) => {
    if (quoted !== undefined) {
      if (!run.endsWith("'") || run.length < 2) throw new ValueError("unterminated literal '", 0);
      return quoted === '' ? "'" : quoted.replaceAll("''", "'");
    }
    const found = Object.hasOwn(verbs, run) ? verbs[run] : undefined;
    if (found === undefined)
      throw new ValueError(`invalid date format verb ${JSON.stringify(run)}: quote what is to stand as it is`, 0);
    return found;
  });
}

/** What buildx's unixtimestampparse tells of a time. */
function parts(time: number): Value {
  const at = new Date(time);
  const year = at.getUTCFullYear();
  const { isoYear, isoWeek } = isoWeekOf(at);
  return objectOf(
    Object.entries({
      year,
      year_day: Math.floor((Date.UTC(year, at.getUTCMonth(), at.getUTCDate()) - Date.UTC(year, 0, 1)) / 86_400_000) + 1,
      day: at.getUTCDate(),
      month: at.getUTCMonth() + 1,
      month_name: MONTHS[at.getUTCMonth()] ?? '',
      weekday: at.getUTCDay(),
      weekday_name: DAYS[at.getUTCDay()] ?? '',
      hour: at.getUTCHours(),
      minute: at.getUTCMinutes(),
      second: at.getUTCSeconds(),
      rfc3339: rfc3339(time),
      iso_year: isoYear,
      iso_week: isoWeek,
    }),
  );
}

/** ISO 8601: the week is of the year that its Thursday is in. */
function isoWeekOf(at: Date): { readonly isoYear: number; readonly isoWeek: number } {
  const thursday = new Date(
    Date.UTC(at.getUTCFullYear(), at.getUTCMonth(), at.getUTCDate() + 4 - (at.getUTCDay() || 7)),
  );
  const isoYear = thursday.getUTCFullYear();
  return { isoYear, isoWeek: Math.ceil(((thursday.getTime() - Date.UTC(isoYear, 0, 1)) / 86_400_000 + 1) / 7) };
}
