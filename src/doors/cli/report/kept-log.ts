import type { ReportLine, ReportLog } from './report-data.ts';

/** Characters of a step's log that are kept of its beginning and of its end. */
const HEAD = 1 << 16;
const TAIL = 1 << 18;

/** A step's log in bounded memory. */
export class KeptLog {
  readonly #head: ReportLine[] = [];
  readonly #tail: ReportLine[] = [];
  #headSize = 0;
  #tailSize = 0;
  /** Where the tail begins: what is before it in the list has been left out. */
  #first = 0;
  #left = 0;

  add(line: ReportLine): void {
    const size = line.text.length + 1;
    if (this.#tail.length === 0 && this.#headSize + size <= HEAD) {
      this.#head.push(line);
      this.#headSize += size;
      return;
    }
    this.#tail.push(line);
    this.#tailSize += size;
    while (this.#tailSize > TAIL) {
      this.#tailSize -= (this.#tail[this.#first]?.text.length ?? 0) + 1;
      this.#first += 1;
      this.#left += 1;
    }
    if (this.#first > 4096) {
      this.#tail.splice(0, this.#first);
      this.#first = 0;
    }
  }

  read(): ReportLog {
    return { head: this.#head, left: this.#left, tail: this.#tail.slice(this.#first) };
  }
}
