import type { SourcePlace } from '../../base/index.ts';

/** A point in a Dockerfile. Both count from 1; columns are UTF-16 code units. */
export interface Position {
  readonly line: number;
  readonly column: number;
}

/** From `start` up to, and not with, `end`. */
export interface Range {
  readonly start: Position;
  readonly end: Position;
}

/** Turns ranges into places that people can be shown. */
export interface Places {
  readonly file: string;
  place(range: Range): SourcePlace;
}

/** The text of a Dockerfile: a byte-order mark is taken off, lines keep their endings in `lines`. */
export class SourceText implements Places {
  readonly file: string;
  readonly text: string;
  readonly lines: readonly string[];

  constructor(file: string, text: string) {
    this.file = file;
    this.text = text.startsWith('\ufeff') ? text.slice(1) : text;
    this.lines = this.text.match(/[^\n]*\n|[^\n]+$/g) ?? [];
  }

  place(range: Range): SourcePlace {
    const { start, end } = range;
    const endLine = end.column === 1 && end.line > start.line ? end.line - 1 : end.line;
    const text = this.lines
      .slice(start.line - 1, endLine)
      .map((line) => line.replace(/[\r\n]+$/, ''))
      .join('\n');
    return { file: this.file, line: start.line, column: start.column, endLine, text };
  }

  /** All of one line. */
  lineRange(line: number): Range {
    const length = (this.lines[line - 1] ?? '').replace(/[\r\n]+$/, '').length;
    return { start: { line, column: 1 }, end: { line, column: length + 1 } };
  }
}

/** Everything is at one place: for text that a person did not write in this file (ONBUILD triggers of a base). */
export function fixedPlaces(places: Places, range: Range): Places {
  return { file: places.file, place: () => places.place(range) };
}
