import { StringDecoder } from 'node:string_decoder';
import type { StepProgress } from '../../solve/index.ts';

/** How far a fetch of git is, read from what it writes to standard error with `--progress`: `Receiving objects:  45% (5/11), 1.20 MiB | 2.00 MiB/s`. */
export class GitProgress {
  readonly #report: (progress: StepProgress) => void;
  readonly #decoder = new StringDecoder('utf8');
  #rest = '';

  constructor(report: (progress: StepProgress) => void) {
    this.#report = report;
  }

  readonly see = (chunk: Uint8Array): void => {
    const lines = (this.#rest + this.#decoder.write(Buffer.from(chunk))).split(/[\r\n]/);
    this.#rest = (lines.pop() ?? '').slice(0, LONGEST);
    for (const line of lines) {
      const [, what, current, total, done] = COUNT.exec(line) ?? [];
      if (what === undefined) continue;
      const item = what.toLowerCase();
      this.#report({ item, current: Number(current), total: Number(total), unit: 'objects', done: done !== undefined });
    }
  };
}

/** What git says without the lines that only tell how far it is, and from where. */
export function withoutProgress(said: string): string {
  return said
    .split(/[\r\n]+/)
    .filter((line) => !TALK.test(line))
    .join('\n')
    .trim();
}

const LONGEST = 4096;
/** The first two are the server's. Of less than a hundred objects git tells no more than these. */
const COUNT =
  /^(?:remote: )?(Counting objects|Compressing objects|Receiving objects|Resolving deltas):\s+\d+% \((\d+)\/(\d+)\)(?:.*(, done\.?))?/;
const TALK =
  /^\s*$|^(?:remote: )?[A-Z][a-z]+ (?:objects|deltas|files): .*\d|^remote: Total \d|^From \S|^ [*+=t-] \[?\w/;
