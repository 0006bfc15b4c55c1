import { closeSync, fsyncSync, mkdirSync, openSync, readFileSync, renameSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { hasErrno, sys, type Clock } from '../base/index.ts';
import { bootId } from './process-id.ts';

/** Milliseconds after which the mark is moved up: what was written before has long gone to the disk by itself, so that syncing is quick. */
const MOVE_UP = 3_600_000;
/** The mark is set back by this much, because file systems keep coarser times than clocks do. */
const SLACK = 60_000;

interface Mark {
  readonly boot: string;
  /** Blobs stored before this are on the disk; milliseconds since the epoch. */
  readonly since: number;
}

/**
 * What lets a store rename blobs into place without waiting for the disk: a small synced file that says since when blobs may be in the page cache only, and in which boot of the machine. A crash of a process loses nothing of
 * the page cache; after another boot, `suspect` is asked to look at every blob since then, once.
 */
export async function keepSyncMark(
  folder: string,
  o: { clock: Clock; suspect: (since: number) => Promise<void> },
): Promise<void> {
  const now = o.clock.now();
  const boot = bootId();
  const before = readMark(folder);
  if (before && before.boot === boot && now - before.since < MOVE_UP) return;
  mkdirSync(folder, { recursive: true });
  const fd = openSync(join(folder, 'sync.lock'), 'a', 0o600);
  try {
    while (!sys.flock(fd, 'exclusive')) await new Promise((resolve) => setTimeout(resolve, 50));
    const mark = readMark(folder);
    if (mark && mark.boot === boot && now - mark.since < MOVE_UP) return;
    // A store without a mark was written by a program that synced every blob, or is new.
    if (mark && mark.boot !== boot) await o.suspect(mark.since - SLACK);
    if (mark) sys.syncfs(fd);
    writeMark(folder, { boot, since: now });
  } finally {
    closeSync(fd);
  }
}

function readMark(folder: string): Mark | undefined {
  try {
    const [boot, since] = readFileSync(join(folder, 'sync'), 'latin1').trim().split(' ');
    return boot !== undefined && since !== undefined && /^\d+$/.test(since)
      ? { boot, since: Number(since) }
      : undefined;
  } catch (error) {
    if (hasErrno(error, 'ENOENT')) return undefined;
    throw error;
  }
}

function writeMark(folder: string, mark: Mark): void {
  const temporary = join(folder, 'sync.new');
  const fd = openSync(temporary, 'w', 0o600);
  try {
    writeSync(fd, `${mark.boot} ${mark.since}\n`);
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
  renameSync(temporary, join(folder, 'sync'));
  const parent = openSync(folder, 'r');
  try {
    fsyncSync(parent);
  } finally {
    closeSync(parent);
  }
}
