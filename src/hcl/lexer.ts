import { hclError } from './errors.ts';
import type { HclSource } from './source.ts';

export interface Token {
  /** `quote` begins a template that the parser reads on; `heredoc` is the whole `<<NAME` line. */
  readonly kind: 'identifier' | 'number' | 'operator' | 'newline' | 'quote' | 'heredoc' | 'end';
  readonly text: string;
  readonly start: number;
  readonly end: number;
}

const BLANK = /[ \t\r]+|\/\*[^]*?\*\/|(?:#|\/\/)[^\n]*/y;
const IDENTIFIER = /[\p{ID_Start}_][\p{ID_Continue}-]*/uy;
const NUMBER = /\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
const HEREDOC = /<<-?[\p{ID_Start}_][\p{ID_Continue}-]*\r?(?=\n|$)/uy;
const OPERATOR = /\.\.\.|=>|==|!=|<=|>=|&&|\|\||[{}[\]().,:?=!<>+\-*/%~]/y;

/** The token at an offset (HCL native syntax, "Lexical Elements"). Blanks and comments go before it; newlines too where they mean nothing. Throws `HCL_SYNTAX`. */
export function tokenAt(source: HclSource, offset: number, o: { readonly newlines: boolean }): Token {
  const { text } = source;
  let at = offset;
  for (;;) {
    const blank = match(BLANK, text, at);
    if (blank !== undefined) at += blank.length;
    else if (!o.newlines && text[at] === '\n') at += 1;
    else break;
  }
  const token = (kind: Token['kind'], found: string): Token => ({
    kind,
    text: found,
    start: at,
    end: at + found.length,
  });
  if (at >= text.length) return token('end', '');
  if (text[at] === '\n') return token('newline', '\n');
  if (text[at] === '"') return token('quote', '"');
  const identifier = match(IDENTIFIER, text, at);
  if (identifier !== undefined) return token('identifier', identifier);
  const number = match(NUMBER, text, at);
  if (number !== undefined) return token('number', number);
  const heredoc = match(HEREDOC, text, at);
  if (heredoc !== undefined) return token('heredoc', heredoc.replace(/\r$/, ''));
  const operator = match(OPERATOR, text, at);
  if (operator !== undefined) return token('operator', operator);
  throw unreadable(source, at);
}

function unreadable(source: HclSource, at: number): Error {
  const place = source.place({ start: at, end: at + 1 });
  const found = String.fromCodePoint(source.text.codePointAt(at) ?? 0);
  if (source.text.startsWith('/*', at))
    return hclError('HCL_SYNTAX', 'unterminated comment', { place, remedy: 'End it with "*/".' });
  if (source.text.startsWith('<<', at))
    return hclError('HCL_SYNTAX', 'invalid heredoc: "<<" is followed by no marker at the end of its line', {
      place,
      remedy: 'Write <<NAME, then lines, then NAME on a line of its own.',
    });
  const remedies: Readonly<Record<string, string>> = {
    "'": 'Use double quotes for strings.',
    '`': 'Use double quotes, or a heredoc (<<NAME) for text of several lines.',
    '&': 'Did you mean "&&"?',
    '|': 'Did you mean "||"?',
    ';': 'Write each argument on a line of its own.',
    '^': 'Use the function pow.',
    '“': 'Use straight double quotes.',
    '”': 'Use straight double quotes.',
  };
  const remedy = remedies[found];
  return hclError('HCL_SYNTAX', `invalid character ${JSON.stringify(found)}`, { place, remedy });
}

function match(pattern: RegExp, text: string, at: number): string | undefined {
  pattern.lastIndex = at;
  return pattern.exec(text)?.[0];
}
