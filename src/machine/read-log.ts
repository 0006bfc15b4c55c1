import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { hasErrno, sleep, type Wait } from '../base/index.ts';
import { logFile, logNumbers, type LogLine } from './log-files.ts';

/** What a container said, as it said it. */
export interface LogEntry {
  readonly stream: LogLine['stream'];
  /** Milliseconds since the epoch. */
  readonly time: number;
  /** ISO 8601. */
  readonly timeText: string;
  readonly bytes: Uint8Array;
}

export interface LogOptions extends Wait {
  /** The last so many lines. */
  readonly tail?: number | undefined;
  /** Milliseconds since the epoch, both inclusive. */
  readonly since?: number | undefined;
  readonly until?: number | undefined;
  /** Waits for more until `ended` says that none will come. */
  readonly follow?: boolean | undefined;
  readonly ended: () => boolean;
}

const BLOCK = 256 << 10;
const LOOK_MS = 100;
const LF = 10;

/** Lines of a log, in batches, the oldest first. Files that are dropped before they are read are passed over; one that is being read is read to its end. */
export async function* readLog(folder: string, o: LogOptions): AsyncIterable<readonly LogEntry[]> {
  let { number, offset } = o.tail === undefined ? { number: 0, offset: 0 } : tailOf(folder, o.tail);
  let fd: number | undefined;
  try {
    for (;;) {
      // Asked before looking: what is written afterwards is read in the next round.
      const last = o.follow !== true || o.ended();
      for (;;) {
        fd ??= openIfThere(logFile(folder, number));
        if (fd !== undefined) offset = yield* readFrom(fd, { ...o, offset });
        const next = logNumbers(folder).find((other) => other > number);
        if (next === undefined) break;
        // The next one was begun when this one was whole: what came in between is read first.
        if (fd !== undefined) {
          yield* readFrom(fd, { ...o, offset });
          closeSync(fd);
        }
        fd = undefined;
        number = next;
        offset = 0;
      }
      if (last) return;
      await sleep(LOOK_MS, o);
    }
  } finally {
    if (fd !== undefined) closeSync(fd);
  }
}

/** What is in a file from an offset on, in whole lines; gives where the next one begins. */
function* readFrom(
  fd: number,
  o: { readonly offset: number } & Pick<LogOptions, 'since' | 'until'>,
): Generator<readonly LogEntry[], number> {
  const block = Buffer.allocUnsafe(BLOCK);
  let rest: Buffer = Buffer.alloc(0);
  let { offset } = o;
  for (let at = offset; ;) {
    const read = readSync(fd, block, 0, BLOCK, at);
    if (read === 0) return offset;
    at += read;
    const bytes = Buffer.concat([rest, block.subarray(0, read)]);
    const end = bytes.lastIndexOf(LF) + 1;
    rest = bytes.subarray(end);
    offset += end;
    const lines = bytes.toString('utf8', 0, end).split('\n');
    const entries = lines.flatMap((text) => entryOf(text, o) ?? []);
    if (entries.length > 0) yield entries;
  }
}

function openIfThere(path: string): number | undefined {
  try {
    return openSync(path, 'r');
  } catch (error) {
    if (hasErrno(error, 'ENOENT')) return undefined;
    throw error;
  }
}

function entryOf(text: string, o: Pick<LogOptions, 'since' | 'until'>): LogEntry | undefined {
  if (text === '') return undefined;
  let line: LogLine;
  try {
    line = JSON.parse(text) as LogLine;
  } catch {
    // What a power cut has left of a line.
    return undefined;
  }
  const time = Date.parse(line.time);
  if ((o.since !== undefined && time < o.since) || (o.until !== undefined && time > o.until)) return undefined;
  const bytes = Buffer.from(line.log, line.encoding ?? 'utf8');
  return { stream: line.stream, time, timeText: line.time, bytes };
}

/** Where the last so many lines begin. */
function tailOf(folder: string, count: number): { number: number; offset: number } {
  const numbers = logNumbers(folder);
  let left = count;
  const block = Buffer.allocUnsafe(BLOCK);
  for (const number of numbers.toReversed()) {
    const fd = openIfThere(logFile(folder, number));
    if (fd === undefined) break;
    try {
      const { size } = fstatSync(fd);
      if (count <= 0) return { number, offset: size };
      // The line feed at the very end ends a line, and begins none.
      for (let to = size; to > 0; to = Math.max(0, to - BLOCK)) {
        const from = Math.max(0, to - BLOCK);
        const read = readSync(fd, block, 0, to - from, from);
        for (let at = read - 1; at >= 0; at--) {
          if (block[at] !== LF || from + at + 1 === size) continue;
          if (--left <= 0) return { number, offset: from + at + 1 };
        }
      }
      if (size > 0 && --left <= 0) return { number, offset: 0 };
    } finally {
      closeSync(fd);
    }
  }
  return { number: numbers[0] ?? 1, offset: 0 };
}
