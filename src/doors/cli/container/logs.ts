import { logFolder, readLog } from '../../../machine/index.ts';
import { usage } from '../errors.ts';
import { durationOf } from '../parse/values.ts';
import type { CliContext } from '../command.ts';
import { descriptorWriter } from '../run/standard-streams.ts';
import { openContainers } from './containers.ts';
import { findContainer } from './find-container.ts';
import { isRunning } from './stop.ts';

export interface LogFlags {
  readonly follow?: boolean | undefined;
  readonly tail: string;
  readonly since?: string | undefined;
  readonly until?: string | undefined;
  readonly timestamps?: boolean | undefined;
}

/** `strake logs`: what was written to standard output goes there, the rest to standard error. */
export async function showLogs(name: string, flags: LogFlags, c: CliContext): Promise<void> {
  const { io, signal } = c;
  const { store } = openContainers(c);
  const now = io.clock.now();
  const since = flags.since === undefined ? undefined : timeOf(flags.since, '--since', now);
  const until = flags.until === undefined ? undefined : timeOf(flags.until, '--until', now);
  const tail = tailOf(flags.tail);
  const { id } = await findContainer(name, c);
  const ended = (): boolean => {
    if (until !== undefined && io.clock.now() > until) return true;
    const record = store.read(id);
    return !record || !store.isWatched(record) || !isRunning(record);
  };
  const write = { stdout: descriptorWriter(1), stderr: descriptorWriter(2) };
  for await (const batch of readLog(logFolder(store.folderOf(id)), {
    follow: flags.follow,
    tail,
    since,
    until,
    ended,
    signal,
  })) {
    // As many lines at once as go to one place.
    for (let at = 0; at < batch.length;) {
      const stream = batch[at]?.stream ?? 'stdout';
      const pieces: Uint8Array[] = [];
      for (; batch[at]?.stream === stream; at++) {
        const entry = batch[at];
        if (!entry) break;
        if (flags.timestamps) pieces.push(Buffer.from(`${entry.timeText} `));
        pieces.push(entry.bytes);
      }
      await write[stream](Buffer.concat(pieces));
    }
  }
}

function tailOf(text: string): number | undefined {
  if (text === 'all' || text === '-1') return undefined;
  if (!/^\d{1,9}$/.test(text)) throw usage(`read --tail "${text}": it is no number of lines`);
  return Number(text);
}

/** A point in time: RFC 3339, seconds since the epoch, or how long ago. */
function timeOf(text: string, flag: string, now: number): number {
  if (/^\d{9,}(?:\.\d+)?$/.test(text)) return Number(text) * 1000;
  if (/^\d{4}-\d\d/.test(text)) {
    const time = Date.parse(text);
    if (!Number.isNaN(time)) return time;
  }
  return now - durationOf(text, flag);
}
