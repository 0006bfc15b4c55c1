import { stripVTControlCharacters } from 'node:util';

/** What a line of output shows on a terminal: no escape sequences, only what the last carriage return left, tabs as spaces, no control or direction characters. */
export function visibleText(line: string): string {
  if (PLAIN.test(line)) return line;
  const text = stripVTControlCharacters(line)
    .replace(/\r+$/, '')
    .replaceAll(/\x1b[^@-~]*[@-~]?/g, '');
  const shown = text.slice(text.lastIndexOf('\r') + 1);
  return expandTabs(shown).replaceAll(/[\p{Cc}\u202a-\u202e\u2066-\u2069]/gu, '');
}

/** The first cells of a text, at most `columns`; an ellipsis marks that there was more. */
export function clip(text: string, columns: number): string {
  if (columns <= 0) return '';
  if (PLAIN.test(text)) return text.length <= columns ? text : `${text.slice(0, columns - 1)}…`;
  let width = 0;
  let kept = '';
  for (const { segment } of segmenter().segment(text)) {
    const next = cellsOf(segment);
    if (width + next > columns - 1) {
      // The rest may fit exactly.
      const rest = text.slice(kept.length);
      return textWidth(rest) <= columns - width ? kept + rest : `${kept}…`;
    }
    width += next;
    kept += segment;
  }
  return kept;
}

/** Cells that a text without control characters takes (UAX 11: wide characters and emoji take two). */
export function textWidth(text: string): number {
  if (PLAIN.test(text)) return text.length;
  let width = 0;
  for (const { segment } of segmenter().segment(text)) width += cellsOf(segment);
  return width;
}

/** Clipped and padded to exactly `columns` cells. */
export function fit(text: string, columns: number): string {
  const clipped = clip(text, columns);
  return clipped + ' '.repeat(Math.max(0, columns - textWidth(clipped)));
}

const PLAIN = /^[\x20-\x7e]*$/;
const TAB = 8;

function expandTabs(text: string): string {
  if (!text.includes('\t')) return text;
  let out = '';
  for (const part of text.split(/(\t)/)) out += part === '\t' ? ' '.repeat(TAB - (textWidth(out) % TAB)) : part;
  return out;
}

let shared: Intl.Segmenter | undefined;

function segmenter(): Intl.Segmenter {
  shared ??= new Intl.Segmenter('en', { granularity: 'grapheme' });
  return shared;
}

function cellsOf(grapheme: string): number {
  const point = grapheme.codePointAt(0) ?? 0;
  if (point < 0x300) return point < 0x20 || (point >= 0x7f && point < 0xa0) ? 0 : 1;
  if (/^[\p{M}\p{Cf}]/u.test(grapheme)) return 0;
  if (grapheme.includes('\ufe0f') || /^\p{Emoji_Presentation}/u.test(grapheme)) return 2;
  return isWide(point) ? 2 : 1;
}

const WIDE: readonly (readonly [number, number])[] = [
  [0x1100, 0x115f],
  [0x2329, 0x232a],
  [0x2e80, 0x303e],
  [0x3041, 0x4dbf],
  [0x4e00, 0xa4cf],
  [0xa960, 0xa97f],
  [0xac00, 0xd7a3],
  [0xf900, 0xfaff],
  [0xfe10, 0xfe19],
  [0xfe30, 0xfe6f],
  [0xff00, 0xff60],
  [0xffe0, 0xffe6],
  [0x16fe0, 0x18cff],
  [0x1b000, 0x1b2ff],
  [0x1f200, 0x1f2ff],
  [0x20000, 0x3fffd],
];

function isWide(point: number): boolean {
  return WIDE.some(([first, last]) => point >= first && point <= last);
}
