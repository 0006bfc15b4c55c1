import type { Clock } from '../../base/index.ts';
import { bad } from './values.ts';

export const LEVELS = ['panic', 'fatal', 'error', 'warning', 'info', 'debug', 'trace'] as const;
export type Level = (typeof LEVELS)[number];

export interface LogOptions {
  readonly clock: Clock;
  /** Where lines go: standard error. */
  readonly write: (text: string) => void;
  readonly level: string;
  readonly format: string;
  /** The time in every line, in the colored format. */
  readonly timestamp: boolean;
}

const COLORS: Readonly<Record<Level, number>> = {
  panic: 31,
  fatal: 31,
  error: 31,
  warning: 33,
  info: 36,
  debug: 37,
  trace: 37,
};
const WIDTH = 44;

/** Lines as kaniko writes them (logrus' text and JSON formatters): pipelines look for words in them. */
export class Log {
  readonly #o: LogOptions;
  readonly #most: number;
  readonly #started: number;

  /** Throws `FLAG_INVALID` for a level or format that is not known. */
  constructor(o: LogOptions) {
    const wanted = o.level.toLowerCase() === 'warn' ? 'warning' : o.level.toLowerCase();
    this.#most = LEVELS.indexOf(wanted as Level);
    if (this.#most < 0) throw bad('--verbosity', o.level, `use one of ${LEVELS.join(', ')}`);
    if (!['text', 'color', 'json'].includes(o.format))
      throw bad('--log-format', o.format, 'use one of text, color, json');
    this.#o = o;
    this.#started = o.clock.now();
  }

  /** True when lines of this level are written. */
  shows(level: Level): boolean {
    return LEVELS.indexOf(level) <= this.#most;
  }

  error(message: string): void {
    this.#line('error', message);
  }

  warn(message: string): void {
    this.#line('warning', message);
  }

  info(message: string): void {
    this.#line('info', message);
  }

  debug(message: string): void {
    this.#line('debug', message);
  }

  #line(level: Level, message: string): void {
    if (!this.shows(level)) return;
    this.#o.write(`${this.#text(level, message)}\n`);
  }

  #text(level: Level, message: string): string {
    const now = this.#o.clock.now();
    const time = new Date(now).toISOString().replace(/\.\d+Z$/, 'Z');
    if (this.#o.format === 'json') return JSON.stringify({ level, msg: message, time });
    if (this.#o.format === 'text') return `time="${time}" level=${level} msg=${quoted(message)}`;
    const when = this.#o.timestamp
      ? time
      : String(Math.max(0, Math.floor((now - this.#started) / 1000))).padStart(4, '0');
    const word = level.toUpperCase().slice(0, 4);
    return `\x1b[${COLORS[level]}m${word}\x1b[0m[${when}] ${message.padEnd(WIDTH)} `;
  }
}

/** As logrus quotes values: only those with more than plain characters, by Go's %q. */
function quoted(text: string): string {
  return /^[A-Za-z0-9\-._/@^+]+$/.test(text) ? text : JSON.stringify(text);
}
