import type { Clock } from '../../base/index.ts';

type Fields = Readonly<Record<string, string | number>>;
type Level = 'debug' | 'info' | 'warning' | 'error';

/** Lines on standard error, as BuildKit's: `time="…" level=info msg="…" key=value`, or one JSON object each. */
export class DaemonLog {
  readonly #write: (text: string) => void;
  readonly #clock: Clock;
  readonly #json: boolean;
  readonly #debug: boolean;

  constructor(o: { write: (text: string) => void; clock: Clock; json: boolean; debug: boolean }) {
    this.#write = o.write;
    this.#clock = o.clock;
    this.#json = o.json;
    this.#debug = o.debug;
  }

  debug(message: string, fields: Fields = {}): void {
    if (this.#debug) this.#say('debug', message, fields);
  }

  info(message: string, fields: Fields = {}): void {
    this.#say('info', message, fields);
  }

  warn(message: string, fields: Fields = {}): void {
    this.#say('warning', message, fields);
  }

  error(message: string, fields: Fields = {}): void {
    this.#say('error', message, fields);
  }

  #say(level: Level, message: string, fields: Fields): void {
    const time = new Date(this.#clock.now()).toISOString();
    if (this.#json) {
      this.#write(`${JSON.stringify({ ...fields, level, msg: message, time })}\n`);
      return;
    }
    const more = Object.entries(fields).map(([name, value]) => ` ${name}=${quoted(String(value))}`);
    this.#write(`time="${time}" level=${level} msg=${JSON.stringify(message)}${more.join('')}\n`);
  }
}

function quoted(text: string): string {
  return /^[\w./:@+-]+$/.test(text) ? text : JSON.stringify(text);
}
