import { isSpace, trimSpace } from './go-text.ts';

/** A piece of a logical line: `text` after quotes and escapes, `start` and `end` as offsets of what was written. */
export interface Piece {
  readonly text: string;
  readonly start: number;
  readonly end: number;
}

/** A line taken apart: keyword, builder flags, the rest. */
export interface SplitLine {
  readonly keyword: Piece;
  readonly flags: readonly Piece[];
  readonly rest: Piece;
}

const BLANK = /[\t\v\f\r ]/;

/** Splits at blanks as Dockerfile's words are split: tab, vertical tab, form feed, carriage return, space; not at other Unicode spaces. */
export function splitBlanks(piece: Piece): readonly Piece[] {
  const words: Piece[] = [];
  for (const match of piece.text.matchAll(/[^\t\v\f\r ]+/g))
    words.push({ text: match[0], start: piece.start + match.index, end: piece.start + match.index + match[0].length });
  return words;
}

/** A part of the line without the space around it. */
export function trimmed(line: string, start: number, end: number): Piece {
  const text = line.slice(start, end);
  const inner = trimSpace(text);
  const lead = inner === '' ? 0 : text.indexOf(inner);
  return { text: inner, start: start + lead, end: start + lead + inner.length };
}

/** Takes an instruction's line apart. */
export function splitLine(line: string, from: number, escape: string): SplitLine {
  const whole = trimmed(line, from, line.length);
  let at = whole.start;
  while (at < whole.end && !BLANK.test(line.charAt(at))) at += 1;
  const keyword = { text: line.slice(whole.start, at), start: whole.start, end: at };
  const { flags, end } = splitFlags(line, at, whole.end, escape);
  return { keyword, flags, rest: trimmed(line, end, whole.end) };
}

/** The words that start with `--`, up to the first that does not, or `--` alone. Quotes and escapes are resolved. */
function splitFlags(line: string, from: number, to: number, escape: string): { flags: Piece[]; end: number } {
  const flags: Piece[] = [];
  let at = from;
  for (;;) {
    while (at < to && isSpace(line.charAt(at))) at += 1;
    if (line.charAt(at) !== '-' || at + 1 >= to || line.charAt(at + 1) !== '-') return { flags, end: at };
    const word = flagWord(line, at, to, escape);
    at = word.end;
    if (word.text === '--') return { flags, end: at };
    flags.push(word);
  }
}

function flagWord(line: string, start: number, to: number, escape: string): Piece {
  let text = '';
  let quote = '';
  let at = start;
  for (; at < to; at++) {
    const char = line.charAt(at);
    if (quote === '' && isSpace(char)) break;
    if (quote === '' && (char === "'" || char === '"')) quote = char;
    else if (char === quote) quote = '';
    else if (char === escape) {
      // An escape at the very end is dropped.
      at += 1;
      if (at < to) text += line.charAt(at);
    } else text += char;
  }
  return { text, start, end: Math.min(at, to) };
}

/** Words of `ENV`, `LABEL` and `ARG`: split at space that is neither quoted nor escaped; quotes and escapes stay for the expansion. */
export function quotedWords(piece: Piece, escape: string): readonly Piece[] {
  const { text } = piece;
  const words: Piece[] = [];
  let word = '';
  let begin = -1;
  let quote = '';
  const flush = (end: number): void => {
    if (begin >= 0 && word !== '') words.push({ text: word, start: piece.start + begin, end: piece.start + end });
    word = '';
    begin = -1;
  };
  for (let at = 0; at < text.length; at++) {
    const char = text.charAt(at);
    if (quote === '' && isSpace(char)) {
      flush(at);
      continue;
    }
    if (begin < 0) begin = at;
    if (quote === '' && (char === "'" || char === '"')) quote = char;
    else if (char === quote) quote = '';
    else if (char === escape && quote !== "'") {
      if (at + 1 === text.length) {
        quote = '';
        continue;
      }
      at += 1;
      word += char + text.charAt(at);
      continue;
    }
    word += char;
  }
  flush(text.length);
  return words;
}
