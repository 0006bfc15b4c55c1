import { StringDecoder } from 'node:string_decoder';
import { visibleText } from './text.ts';

export interface LogLine {
  /** Milliseconds since the epoch, when the line ended. */
  readonly at: number;
  readonly text: string;
}

/** Lines that are kept of a step, to be shown again when it fails. */
export const KEPT_LINES = 30;
/** A line that does not end is cut here. */
const LONGEST_LINE = 1 << 14;

/** What a step prints: whole lines as they come, the last of them kept, memory bounded. */
export class StepLog {
  /** The last lines, at most `KEPT_LINES`. */
  readonly lines: LogLine[] = [];
  /** How many lines there were in all. */
  count = 0;
  readonly #streams = { stdout: new Partial(), stderr: new Partial() };

  /** Takes a chunk; gives the lines that it ended. */
  push(stream: 'stdout' | 'stderr', chunk: Uint8Array, at: number): LogLine[] {
    return this.#streams[stream].push(chunk).map((text) => this.#keep({ at, text }));
  }

  /** Gives what was printed without an end of line. */
  end(at: number): LogLine[] {
    return [...this.#streams.stdout.end(), ...this.#streams.stderr.end()].map((text) => this.#keep({ at, text }));
  }

  /** The last `count` lines, a line that has not ended among them. */
  tail(count: number): readonly string[] {
    const open = [this.#streams.stdout.rest, this.#streams.stderr.rest].filter((text) => text !== '').map(visibleText);
    return [...this.lines.slice(-count).map(({ text }) => text), ...open.filter((text) => text !== '')].slice(-count);
  }

  #keep(line: LogLine): LogLine {
    this.count += 1;
    this.lines.push(line);
    if (this.lines.length > KEPT_LINES) this.lines.shift();
    return line;
  }
}

class Partial {
  rest = '';
  readonly #decoder = new StringDecoder('utf8');

  push(chunk: Uint8Array): string[] {
    const parts = (this.rest + this.#decoder.write(Buffer.from(chunk.buffer, chunk.byteOffset, chunk.length))).split(
      '\n',
    );
    this.rest = parts.pop() ?? '';
    while (this.rest.length > LONGEST_LINE) {
      parts.push(this.rest.slice(0, LONGEST_LINE));
      this.rest = this.rest.slice(LONGEST_LINE);
    }
    return parts.map(visibleText);
  }

  end(): string[] {
    const last = this.rest + this.#decoder.end();
    this.rest = '';
    return last === '' ? [] : [visibleText(last)];
  }
}
