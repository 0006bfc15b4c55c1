import { dockerfileError } from './errors.ts';
import { isSpace, trimSpace } from './go-text.ts';
import type { Position, Range, SourceText } from './text.ts';

/** Longest physical line in bytes, its ending not counted (facts 1.1). */
const LONGEST_LINE = 65_535;

/** Where the text of a logical line from `offset` on was written. */
interface Segment {
  readonly offset: number;
  readonly at: Position;
}

/** A directive of the head of the file: `# escape=\``. */
export interface Directive {
  readonly name: 'syntax' | 'escape' | 'check';
  readonly value: string;
  readonly range: Range;
}

/** One instruction's text: its physical lines joined, comments and continuation characters gone. */
export interface LogicalLine {
  readonly text: string;
  readonly segments: readonly Segment[];
  readonly firstLine: number;
  readonly lastLine: number;
  /** The comments right above, as BuildKit collects them: without the `#`, trimmed. */
  readonly comments: readonly string[];
  /** An empty line was skipped inside a continuation; BuildKit warns about it. */
  readonly emptyContinuation: boolean;
}

const DIRECTIVE = /^([a-zA-Z][a-zA-Z0-9]*)[\t\n\f\r ]*=[\t\n\f\r ]*([^\n]+?)[\t\n\f\r ]*$/;
const DIRECTIVES: readonly string[] = ['syntax', 'escape', 'check'];

/** Reads a Dockerfile line by line: directives, comments, continuations. The bodies of heredocs are read by `body`, for only the parser knows where they are. */
export class LineReader {
  readonly source: SourceText;
  readonly directives: Directive[] = [];
  escape: '\\' | '`' = '\\';
  /** Number of physical lines read. */
  line = 0;
  #inHead = true;
  #comments: string[] = [];

  constructor(source: SourceText) {
    this.source = source;
    for (const [index, line] of source.lines.entries()) {
      if (line.length * 3 <= LONGEST_LINE) continue;
      if (Buffer.byteLength(line.replace(/\n$/, '')) <= LONGEST_LINE) continue;
      const range = { start: { line: index + 1, column: 1 }, end: { line: index + 1, column: 1 } };
      throw dockerfileError(
        'DOCKERFILE_LINE_TOO_LONG',
        `dockerfile line greater than max allowed size of ${LONGEST_LINE}`,
        {
          place: { ...source.place(range), text: `${line.slice(0, 100)}…` },
          remedy: 'Break the line with the escape character, or put the long text into a file of the build context.',
        },
      );
    }
  }

  /** The next logical line; undefined at the end of the file. */
  next(): LogicalLine | undefined {
    for (let raw = this.#read(); raw !== undefined; raw = this.#read()) {
      const indent = leadingSpace(raw);
      const comment = isComment(raw);
      if (comment) {
        const text = trimSpace(raw.slice(1));
        if (text === '') this.#comments = [];
        else this.#comments.push(text);
      }
      const stripped = withoutEnding(raw).slice(indent);
      if (this.#directive(stripped, indent) && comment) this.#comments.pop();
      if (comment) continue;
      const first = this.#continued(stripped);
      if (!first.continues && first.text === '') continue;
      return this.#logical(first, indent);
    }
    return undefined;
  }

  /** The body up to the line that is `name` alone, as written (line endings kept), read from the next physical line on; undefined when it never comes. */
  body(name: string, chomp: boolean): { readonly content: string; readonly range: Range } | undefined {
    const start = this.line + 1;
    let content = '';
    for (let raw = this.#read(); raw !== undefined; raw = this.#read()) {
      const candidate = withoutEnding(raw);
      if ((chomp ? candidate.replace(/^\t+/, '') : candidate) === name)
        return {
          content,
          range: { start: { line: start, column: 1 }, end: { line: this.line, column: candidate.length + 1 } },
        };
      content += raw;
    }
    return undefined;
  }

  #logical(first: { readonly text: string; readonly continues: boolean }, indent: number): LogicalLine {
    const firstLine = this.line;
    const segments: Segment[] = [{ offset: 0, at: { line: firstLine, column: indent + 1 } }];
    let { text, continues } = first;
    let emptyContinuation = false;
    while (continues) {
      const raw = this.#read();
      if (raw === undefined) break;
      const line = withoutEnding(raw);
      this.#directive(line, 0);
      if (isComment(raw)) continue;
      if (trimSpace(line) === '') {
        emptyContinuation = true;
        continue;
      }
      segments.push({ offset: text.length, at: { line: this.line, column: 1 } });
      const more = this.#continued(line);
      text += more.text;
      continues = more.continues;
    }
    const comments = this.#comments;
    this.#comments = [];
    return { text, segments, firstLine, lastLine: this.line, comments, emptyContinuation };
  }

  /** `text` without its continuation character, and whether it had one. */
  #continued(text: string): { readonly text: string; readonly continues: boolean } {
    let end = text.length;
    while (end > 0 && (text[end - 1] === ' ' || text[end - 1] === '\t')) end -= 1;
    const continues = text[end - 1] === this.escape && text[end - 2] !== this.escape;
    return { text: continues ? text.slice(0, end - 1) : text, continues };
  }

  /** True when the line is a directive of the head of the file. Anything else ends the head. */
  #directive(line: string, indent: number): boolean {
    if (!this.#inHead) return false;
    const match = line.startsWith('#') ? DIRECTIVE.exec(trimStart(line.slice(1))) : null;
    const name = (match?.[1] ?? '').toLowerCase();
    if (match === null || !DIRECTIVES.includes(name)) {
      this.#inHead = false;
      return false;
    }
    const range: Range = {
      start: { line: this.line, column: indent + 1 },
      end: { line: this.line, column: indent + line.length + 1 },
    };
    const place = this.source.place(range);
    if (this.directives.some((directive) => directive.name === name))
      throw dockerfileError('DOCKERFILE_DIRECTIVE', `only one ${name} parser directive can be used`, {
        place,
        remedy: `Remove one of the "# ${name}=" lines.`,
      });
    const value = match[2] ?? '';
    if (name === 'escape') {
      if (value !== '\\' && value !== '`')
        throw dockerfileError('DOCKERFILE_DIRECTIVE', `invalid escape token '${value}' does not match \` or \\`, {
          place,
          remedy: 'Use "# escape=\\" or "# escape=`".',
        });
      this.escape = value;
    }
    this.directives.push({ name: name as Directive['name'], value, range });
    return true;
  }

  #read(): string | undefined {
    const raw = this.source.lines[this.line];
    if (raw !== undefined) this.line += 1;
    return raw;
  }
}

/** Where the character at `offset` of a logical line was written. */
export function positionIn(line: Pick<LogicalLine, 'segments'>, offset: number): Position {
  let found = line.segments[0] ?? { offset: 0, at: { line: 1, column: 1 } };
  for (const segment of line.segments) {
    if (segment.offset > offset) break;
    found = segment;
  }
  return { line: found.at.line, column: found.at.column + offset - found.offset };
}

/** Offsets `start` to `end` of a logical line as a range of the file. */
export function rangeIn(line: Pick<LogicalLine, 'segments'>, start: number, end: number): Range {
  const last = positionIn(line, Math.max(start, end - 1));
  return { start: positionIn(line, start), end: { line: last.line, column: last.column + (end > start ? 1 : 0) } };
}

function withoutEnding(line: string): string {
  return line.replace(/[\r\n]+$/, '');
}

function leadingSpace(line: string): number {
  let count = 0;
  while (count < line.length && isSpace(line.charAt(count))) count += 1;
  return count;
}

function trimStart(line: string): string {
  return line.slice(leadingSpace(line));
}

function isComment(line: string): boolean {
  return line.charAt(leadingSpace(line)) === '#';
}
