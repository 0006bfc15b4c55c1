import { bakeError } from './errors.ts';

/** Names to values; undefined for what is not set. */
export type Lookup = (name: string) => string | undefined;

const NAME = /[A-Za-z_][A-Za-z0-9_]*/y;
const MAX_DEPTH = 50;

/** A text of a compose file with its variables put in: `$NAME`, `${NAME}` and the forms with `:-`, `-`, `:?`, `?`, `:+`, `+`; `$$` is a dollar sign (Compose specification, interpolation). Throws `BAKE_COMPOSE`. */
export function interpolate(text: string, lookup: Lookup): string {
  if (!text.includes('$')) return text;
  const reader = new Reader(text, lookup);
  return reader.until(undefined, 0);
}

class Reader {
  readonly #text: string;
  readonly #lookup: Lookup;
  #at = 0;

  constructor(text: string, lookup: Lookup) {
    this.#text = text;
    this.#lookup = lookup;
  }

  /** Up to the end, or to the brace that closes a form. */
  until(close: '}' | undefined, depth: number): string {
    if (depth > MAX_DEPTH) throw this.#invalid('it is nested too deep');
    let found = '';
    while (this.#at < this.#text.length) {
      const char = this.#text[this.#at] ?? '';
      if (char === close) return found;
      this.#at += 1;
      found += char === '$' ? this.#variable(depth) : char;
    }
    if (close !== undefined) throw this.#invalid('a "${" is not closed');
    return found;
  }

  #variable(depth: number): string {
    const next = this.#text[this.#at];
    if (next === '$') {
      this.#at += 1;
      return '$';
    }
    if (next !== '{') {
      const name = this.#name();
      if (name === undefined) throw this.#invalid('a "$" is followed by no name');
      return this.#lookup(name) ?? '';
    }
    this.#at += 1;
    const name = this.#name();
    if (name === undefined) throw this.#invalid('a "${" is followed by no name');
    const [, operator] = /^(:?[-?+])/.exec(this.#text.slice(this.#at, this.#at + 2)) ?? [];
    this.#at += operator?.length ?? 0;
    const word = operator === undefined ? undefined : this.until('}', depth + 1);
    if (this.#text[this.#at] !== '}') throw this.#invalid(`"\${${name}" is not closed`);
    this.#at += 1;
    return this.#formed(name, operator ?? '', word ?? '');
  }

  #formed(name: string, operator: string, word: string): string {
    const value = this.#lookup(name);
    const there = value !== undefined && (!operator.startsWith(':') || value !== '');
    switch (operator.at(-1)) {
      case '-':
        return there ? value : word;
      case '+':
        return there ? word : '';
      case '?':
        if (there) return value;
        throw bakeError('BAKE_COMPOSE', `required variable ${name} is missing a value: ${word}`, {
          remedy: `Set ${name} in the environment or in the file ".env".`,
        });
      default:
        return value ?? '';
    }
  }

  #name(): string | undefined {
    NAME.lastIndex = this.#at;
    const found = NAME.exec(this.#text)?.[0];
    this.#at += found?.length ?? 0;
    return found;
  }

  #invalid(detail: string): Error {
    return bakeError('BAKE_COMPOSE', `invalid interpolation format in ${JSON.stringify(this.#text)}: ${detail}`, {
      remedy: 'Write "$$" for a dollar sign.',
    });
  }
}
