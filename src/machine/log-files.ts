import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { hasErrno } from '../base/index.ts';

/** One line of what a container said, as the files have it (Docker's json-file logging driver has the first three). */
export interface LogLine {
  /** With its line feed; one that is very long comes in pieces, of which the last has it. */
  readonly log: string;
  readonly stream: 'stdout' | 'stderr';
  /** ISO 8601, UTC. */
  readonly time: string;
  /** `log` is not UTF-8 and so stands in base64. */
  readonly encoding?: 'base64' | undefined;
}

const FOLDER = 'log';

/** Where a container's log lies: files that are numbered upwards, `<number>.jsonl`, of which the first ones go when there are too many. */
export function logFolder(containerFolder: string): string {
  return join(containerFolder, FOLDER);
}

export function logFile(folder: string, number: number): string {
  return join(folder, `${String(number).padStart(6, '0')}.jsonl`);
}

/** The numbers of the files that are there, upwards. */
export function logNumbers(folder: string): number[] {
  try {
    return readdirSync(folder)
      .flatMap((name) => (/^\d{6,}\.jsonl$/.test(name) ? [parseInt(name, 10)] : []))
      .sort((a, b) => a - b);
  } catch (error) {
    if (hasErrno(error, 'ENOENT')) return [];
    throw error;
  }
}
