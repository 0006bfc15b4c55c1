import { CodedError } from '../../base/index.ts';
import { dockerfileError } from './errors.ts';
import { replaceGlob, trimPrefix, trimSuffix } from './glob.ts';
import { isSpace, quote } from './go-text.ts';

/** Where variables are looked up. */
export interface Variables {
  get(name: string): string | undefined;
}

export const noVariables: Variables = { get: () => undefined };

export interface ExpandOptions {
  readonly escape: '\\' | '`';
  /** Quotes stay in the result (they still protect). */
  readonly rawQuotes?: boolean | undefined;
  /** Escape characters stay in the result. */
  readonly rawEscapes?: boolean | undefined;
  /** Quotes are ordinary characters. */
  readonly skipQuotes?: boolean | undefined;
  /** Unset variables stay as they are written. */
  readonly skipUnset?: boolean | undefined;
}

export interface Expansion {
  readonly text: string;
  /** The text split at white space that was neither quoted nor escaped. */
  readonly words: readonly string[];
  readonly matched: ReadonlySet<string>;
  readonly unmatched: ReadonlySet<string>;
}

/** Nesting of `${a:-${b:-…}}` that is read; far above what people write, far below what the stack holds. */
const DEEPEST = 200;

/** Expands variables, quotes and escapes as a shell does, in all forms of facts 1.3. Throws `DOCKERFILE_EXPANSION` without a place. */
export function expand(source: string, variables: Variables, options: ExpandOptions): Expansion {
  const run = new Expander(source, variables, options);
  try {
    return run.all();
  } catch (error) {
    if (error instanceof Fault || error instanceof CodedError)
      throw dockerfileError('DOCKERFILE_EXPANSION', `failed to process ${quote(source)}: ${error.message}`, {
        remedy: error.remedy,
      });
    throw error;
  }
}

class Fault extends Error {
  readonly remedy: string | undefined;

  constructor(message: string, remedy?: string) {
    super(message);
    this.remedy = remedy;
  }
}

const DIGIT = /^\p{Nd}$/u;
const NAME = /^[\p{L}\p{Nd}_]$/u;
const SPECIAL: ReadonlySet<string> = new Set(['@', '*', '#', '?', '-', '$', '!', '0']);
const MISSING_BRACE = "syntax error: missing '}'";
const CLOSE_BRACE = 'Close the "${" with a "}", or escape the "$".';

/** Collects words. */
class Words {
  readonly words: string[] = [];
  #buffer = '';

  /** A character that may separate words. */
  add(char: string): void {
    if (!isSpace(char)) this.#buffer += char;
    else this.#flush();
  }

  /** Text that is part of a word whatever it is. */
  addRaw(text: string): void {
    this.#buffer += text;
  }

  done(): readonly string[] {
    this.#flush();
    return this.words;
  }

  #flush(): void {
    if (this.#buffer !== '') this.words.push(this.#buffer);
    this.#buffer = '';
  }
}

class Expander {
  readonly #chars: readonly string[];
  readonly #variables: Variables;
  readonly #options: ExpandOptions;
  readonly #matched = new Set<string>();
  readonly #unmatched = new Set<string>();
  #at = 0;
  #depth = 0;

  constructor(source: string, variables: Variables, options: ExpandOptions) {
    this.#chars = Array.from(source);
    this.#variables = variables;
    this.#options = options;
  }

  all(): Expansion {
    const { text, words } = this.#until(undefined, this.#options.rawEscapes === true);
    return { text, words, matched: this.#matched, unmatched: this.#unmatched };
  }

  get #peek(): string | undefined {
    return this.#chars[this.#at];
  }

  #next(): string | undefined {
    return this.#chars[this.#at++];
  }

  /** Up to the unprotected character `stop`, which is taken; or, without one, to the end. */
  #until(stop: string | undefined, rawEscapes: boolean): { readonly text: string; readonly words: readonly string[] } {
    if (++this.#depth > DEEPEST)
      throw new Fault('substitutions are nested too deeply', 'Use variables for the inner parts.');
    let text = '';
    const words = new Words();
    for (let char = this.#peek; char !== undefined; char = this.#peek) {
      if (char === stop) {
        this.#at += 1;
        this.#depth -= 1;
        return { text, words: words.done() };
      }
      if (char === '$') {
        const value = this.#dollar();
        text += value;
        for (const part of value) words.add(part);
      } else if (char === '<') {
        const value = this.#less();
        text += value;
        words.addRaw(value);
      } else if ((char === "'" || char === '"') && this.#options.skipQuotes !== true) {
        const value = char === "'" ? this.#single() : this.#double(rawEscapes);
        text += value;
        words.addRaw(value);
      } else {
        this.#at += 1;
        if (char !== this.#options.escape) {
          words.add(char);
          text += char;
          continue;
        }
        if (rawEscapes) {
          words.addRaw(char);
          text += char;
        }
        const escaped = this.#next();
        if (escaped === undefined) break;
        words.addRaw(escaped);
        text += escaped;
      }
    }
    if (stop !== undefined) throw new Fault(`unexpected end of statement while looking for matching ${stop}`);
    this.#depth -= 1;
    return { text, words: words.done() };
  }

  #single(): string {
    let text = '';
    this.#at += 1;
    for (let char = this.#next(); char !== undefined; char = this.#next()) {
      if (char === "'") return this.#options.rawQuotes === true ? `'${text}'` : text;
      text += char;
    }
    throw new Fault(
      'unexpected end of statement while looking for matching single-quote',
      'Close or escape the quote.',
    );
  }

  #double(rawEscapes: boolean): string {
    const { escape } = this.#options;
    let text = '';
    this.#at += 1;
    for (let char = this.#peek; char !== undefined; char = this.#peek) {
      if (char === '$') {
        text += this.#dollar();
        continue;
      }
      this.#at += 1;
      if (char === '"') return this.#options.rawQuotes === true ? `"${text}"` : text;
      if (char === escape) {
        if (rawEscapes) text += char;
        const following = this.#peek;
        if (following === undefined) break;
        if (following === '"' || following === '$' || following === escape) {
          text += following;
          this.#at += 1;
          continue;
        }
      }
      text += char;
    }
    throw new Fault(
      'unexpected end of statement while looking for matching double-quote',
      'Close or escape the quote.',
    );
  }

  /** `<`, or `<<` with the blanks after it, which belong to a heredoc's word. */
  #less(): string {
    this.#at += 1;
    if (this.#peek !== '<') return '<';
    this.#at += 1;
    let text = '<<';
    for (let char = this.#peek; char === ' ' || char === '\t' || char === '\r' || char === '\n'; char = this.#peek) {
      text += char;
      this.#at += 1;
    }
    return text;
  }

  #dollar(): string {
    this.#at += 1;
    if (this.#peek !== '{') {
      const name = this.#name();
      if (name === '') return '$';
      const value = this.#get(name);
      return value === undefined && this.#options.skipUnset === true ? `$${name}` : (value ?? '');
    }
    this.#at += 1;
    const first = this.#peek;
    if (first === undefined) throw new Fault(MISSING_BRACE, CLOSE_BRACE);
    if (first === '{' || first === '}' || first === ':')
      throw new Fault('syntax error: bad substitution', 'Write a variable name after "${".');
    return this.#braces(this.#name());
  }

  /** The rest of `${name`. */
  #braces(name: string): string {
    let operator = this.#next();
    if (operator === undefined) throw new Fault(MISSING_BRACE, CLOSE_BRACE);
    if (operator === '}') {
      const value = this.#get(name);
      return value === undefined && this.#options.skipUnset === true ? `\${${name}}` : (value ?? '');
    }
    if (operator === '/') return this.#replace(name);
    let written = operator;
    const emptyIsUnset = operator === ':';
    if (emptyIsUnset) {
      operator = this.#next();
      if (operator === undefined) throw new Fault(MISSING_BRACE, CLOSE_BRACE);
      written += operator;
    }
    const trims = operator === '#' || operator === '%';
    if (!trims && operator !== '-' && operator !== '+' && operator !== '?') throw unsupported(written);
    if (trims && emptyIsUnset) throw unsupported(written);
    const word = this.#part('}', trims, MISSING_BRACE);
    const value = this.#get(name);
    if (value === undefined && this.#options.skipUnset === true) return `\${${name}${written}${word}}`;
    const missing = value === undefined || (emptyIsUnset && value === '');
    switch (operator) {
      case '-':
        return missing ? word : value;
      case '+':
        return missing ? '' : word;
      case '?':
        if (!missing) return value;
        throw new Fault(
          `${name}: ${word || `is not allowed to be ${value === undefined ? 'unset' : 'empty'}`}`,
          `Set it with ENV or ARG before this line, or with --build-arg ${name}=… where an ARG declares it.`,
        );
      default: {
        const longest = word.startsWith(operator);
        const pattern = longest ? word.slice(1) : word;
        return (operator === '#' ? trimPrefix : trimSuffix)(pattern, value ?? '', longest);
      }
    }
  }

  /** The rest of `${name/`. */
  #replace(name: string): string {
    const all = this.#peek === '/';
    if (all) this.#at += 1;
    const pattern = this.#part('/', true, "syntax error: missing '/' in ${}");
    const replacement = this.#part('}', true, MISSING_BRACE);
    const value = this.#get(name);
    if (value === undefined && this.#options.skipUnset === true) return `\${${name}/${pattern}/${replacement}}`;
    return replaceGlob(pattern, value ?? '', replacement, all);
  }

  #part(stop: string, rawEscapes: boolean, missing: string): string {
    try {
      return this.#until(stop, rawEscapes).text;
    } catch (error) {
      if (error instanceof Fault && this.#peek === undefined && this.#depth <= DEEPEST)
        throw new Fault(missing, CLOSE_BRACE);
      throw error;
    }
  }

  #name(): string {
    const first = this.#peek ?? '';
    if (DIGIT.test(first)) return this.#take(DIGIT);
    if (SPECIAL.has(first)) {
      this.#at += 1;
      return first;
    }
    return this.#take(NAME);
  }

  #take(pattern: RegExp): string {
    let text = '';
    for (let char = this.#peek; char !== undefined && pattern.test(char); char = this.#peek) {
      text += char;
      this.#at += 1;
    }
    return text;
  }

  #get(name: string): string | undefined {
    const value = this.#variables.get(name);
    (value === undefined ? this.#unmatched : this.#matched).add(name);
    return value;
  }
}

function unsupported(modifier: string): Fault {
  return new Fault(
    `unsupported modifier (${modifier}) in substitution`,
    'Use one of - :- + :+ ? :? # ## % %% / // after the name.',
  );
}
