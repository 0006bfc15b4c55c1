import { hclError } from './errors.ts';
import { tokenAt, type Token } from './lexer.ts';
import type { HclSource, Range } from './source.ts';

/** How deep things may stand in each other: far beyond what people write, and before the stack ends. */
const MAX_DEPTH = 300;

/** A place in a file that moves on as its tokens are taken. */
export class Cursor {
  readonly source: HclSource;
  #at: number;
  #newlines = true;
  #depth = 0;
  #next: Token | undefined;
  #lastEnd = 0;

  constructor(source: HclSource, at = 0) {
    this.source = source;
    this.#at = at;
  }

  peek(): Token {
    this.#next ??= tokenAt(this.source, this.#at, { newlines: this.#newlines });
    return this.#next;
  }

  take(): Token {
    const token = this.peek();
    this.#next = undefined;
    this.#at = token.end;
    this.#lastEnd = token.end;
    return token;
  }

  /** Where the last token that was taken ended. */
  get lastEnd(): number {
    return this.#lastEnd;
  }

  is(...operators: readonly string[]): boolean {
    const { kind, text } = this.peek();
    return kind === 'operator' && operators.includes(text);
  }

  isWord(word: string): boolean {
    const { kind, text } = this.peek();
    return kind === 'identifier' && text === word;
  }

  takeIf(operator: string): boolean {
    if (!this.is(operator)) return false;
    this.take();
    return true;
  }

  expect(operator: string, after: string): Token {
    if (this.is(operator)) return this.take();
    throw this.unexpected(`expected "${operator}" ${after}`);
  }

  identifier(what: string): Token {
    if (this.peek().kind === 'identifier') return this.take();
    throw this.unexpected(`expected ${what}`);
  }

  /** Moves to an offset that something other than tokens ended at. */
  moveTo(at: number): void {
    this.#at = at;
    this.#lastEnd = at;
    this.#next = undefined;
  }

  skipNewlines(): void {
    while (this.peek().kind === 'newline') this.take();
  }

  /** Reads on with newlines meaning something or not, as inside of brackets. */
  within<T>(o: { readonly newlines: boolean }, read: () => T): T {
    const before = this.#newlines;
    this.#newlines = o.newlines;
    this.#next = undefined;
    try {
      return this.nested(read);
    } finally {
      this.#newlines = before;
      this.#next = undefined;
    }
  }

  nested<T>(read: () => T): T {
    this.#depth += 1;
    if (this.#depth > MAX_DEPTH) throw this.error(`more than ${MAX_DEPTH} levels deep`, this.peek());
    try {
      return read();
    } finally {
      this.#depth -= 1;
    }
  }

  unexpected(expected: string, token = this.peek()): Error {
    const found =
      token.kind === 'end'
        ? 'the file ends'
        : token.kind === 'newline'
          ? 'the line ends'
          : `there is ${JSON.stringify(token.text)}`;
    return this.error(`${expected}, but here ${found}`, token);
  }

  error(message: string, range: Range, remedy?: string): Error {
    return hclError('HCL_SYNTAX', message, { place: this.source.place(range), remedy });
  }
}
