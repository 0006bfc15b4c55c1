import type { SourcePlace } from '../base/index.ts';

/** A piece of a file: offsets in UTF-16 units, the end not included. */
export interface Range {
  readonly start: number;
  readonly end: number;
}

/** The text of a file that a person wrote, and where in it something is. */
export class HclSource {
  readonly name: string;
  readonly text: string;
  #lines: readonly number[] | undefined;

  constructor(name: string, text: string) {
    this.name = name;
    this.text = text.startsWith('\uFEFF') ? text.slice(1) : text;
  }

  /** The line a range begins in; columns count characters. */
  place(range: Range): SourcePlace {
    this.#lines ??= lineStarts(this.text);
    const lines = this.#lines;
    let low = 0;
    let high = lines.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((lines[middle] ?? 0) <= range.start) low = middle;
      else high = middle - 1;
    }
    const start = lines[low] ?? 0;
    const end = this.text.indexOf('\n', start);
    const line = this.text.slice(start, end < 0 ? undefined : end).replace(/\r$/, '');
    const column = Array.from(this.text.slice(start, range.start)).length + 1;
    return { file: this.name, line: low + 1, column, text: line };
  }
}

function lineStarts(text: string): readonly number[] {
  const starts = [0];
  for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', at + 1)) starts.push(at + 1);
  return starts;
}
