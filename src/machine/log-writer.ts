import { isUtf8 } from 'node:buffer';
import { closeSync, fstatSync, mkdirSync, openSync, rmSync, writeSync } from 'node:fs';
import type { Clock } from '../base/index.ts';
import { logFile, logNumbers, type LogLine } from './log-files.ts';

/** More bytes than this without a line feed are a piece of their own. */
const PIECE = 16 << 10;
const LF = 10;

/** Writes what a container says, line by line, to files of bounded size and number. What was given is in the files when the call comes back, but for the beginning of a line, which waits for its end or for `end`. */
export class LogWriter {
  readonly #folder: string;
  readonly #maxBytes: number;
  readonly #maxFiles: number;
  readonly #clock: Clock;
  readonly #open: Record<LogLine['stream'], Buffer> = { stdout: Buffer.alloc(0), stderr: Buffer.alloc(0) };
  #fd: number;
  #number: number;
  #bytes: number;

  /** Goes on where another writer has stopped. */
  constructor(folder: string, o: { readonly clock: Clock; readonly maxBytes: number; readonly maxFiles: number }) {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    this.#folder = folder;
    this.#clock = o.clock;
    this.#maxBytes = o.maxBytes;
    this.#maxFiles = o.maxFiles;
    this.#number = logNumbers(folder).at(-1) ?? 1;
    this.#fd = openSync(logFile(folder, this.#number), 'a', 0o600);
    this.#bytes = fstatSync(this.#fd).size;
  }

  write(stream: LogLine['stream'], chunk: Uint8Array): void {
    const before = this.#open[stream];
    const bytes = before.length === 0 ? Buffer.from(chunk) : Buffer.concat([before, chunk]);
    const time = new Date(this.#clock.now()).toISOString();
    let text = '';
    let at = 0;
    for (let end = bytes.indexOf(LF); end >= 0; end = bytes.indexOf(LF, at)) {
      for (; end + 1 - at > PIECE; at = cut(bytes, at)) text += line(bytes.subarray(at, cut(bytes, at)), stream, time);
      text += line(bytes.subarray(at, end + 1), stream, time);
      at = end + 1;
    }
    for (; bytes.length - at >= PIECE; at = cut(bytes, at))
      text += line(bytes.subarray(at, cut(bytes, at)), stream, time);
    this.#open[stream] = bytes.subarray(at);
    if (text !== '') this.#append(text);
  }

  /** Writes the lines that have no end yet. More can follow. */
  end(): void {
    const time = new Date(this.#clock.now()).toISOString();
    for (const stream of ['stdout', 'stderr'] as const) {
      const rest = this.#open[stream];
      this.#open[stream] = Buffer.alloc(0);
      if (rest.length > 0) this.#append(line(rest, stream, time));
    }
  }

  [Symbol.dispose](): void {
    this.end();
    closeSync(this.#fd);
  }

  #append(text: string): void {
    if (this.#bytes >= this.#maxBytes) this.#next();
    const bytes = Buffer.from(text);
    for (let at = 0; at < bytes.length;) at += writeSync(this.#fd, bytes, at);
    this.#bytes += bytes.length;
  }

  #next(): void {
    const fd = openSync(logFile(this.#folder, this.#number + 1), 'ax', 0o600);
    closeSync(this.#fd);
    this.#fd = fd;
    this.#number += 1;
    this.#bytes = 0;
    for (const number of logNumbers(this.#folder).slice(0, -this.#maxFiles))
      rmSync(logFile(this.#folder, number), { force: true });
  }
}

/** Where a piece that begins at `at` ends: not within a character. */
function cut(bytes: Buffer, at: number): number {
  const most = at + PIECE;
  for (let end = most; end > most - 4; end--) if (((bytes[end] ?? 0) & 0xc0) !== 0x80) return end;
  return most;
}

function line(bytes: Buffer, stream: LogLine['stream'], time: string): string {
  if (isUtf8(bytes)) return `{"log":${JSON.stringify(bytes.toString())},"stream":"${stream}","time":"${time}"}\n`;
  return `{"log":"${bytes.toString('base64')}","stream":"${stream}","time":"${time}","encoding":"base64"}\n`;
}
