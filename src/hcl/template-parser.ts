import type { Cursor } from './cursor.ts';
import { parseExpression } from './expression-parser.ts';
import type { Range } from './source.ts';
import type { Expression, TemplatePart } from './syntax.ts';

/** What a template is made of before its directives are put in each other. */
type Piece =
  | { readonly kind: 'text'; text: string }
  | { readonly kind: 'expression'; readonly expression: Expression; readonly range: Range }
  | { readonly kind: 'if'; readonly condition: Expression; readonly range: Range }
  | {
      readonly kind: 'for';
      readonly keyName: string | undefined;
      readonly valueName: string;
      readonly collection: Expression;
      readonly range: Range;
    }
  | { readonly kind: 'else'; readonly range: Range }
  | { readonly kind: 'endif'; readonly range: Range }
  | { readonly kind: 'endfor'; readonly range: Range };

/** A quoted template; the cursor is at its quote. */
export function parseQuoted(cursor: Cursor): Expression {
  const { start } = cursor.peek();
  const scan = { cursor, end: undefined, escapes: true } as const;
  const pieces = cursor.nested(() => piecesFrom(scan, start + 1));
  return templateOf(cursor, pieces, { start, end: cursor.lastEnd });
}

/** A whole text as a template, as a string of JSON is: `at` and `end` are offsets. */
export function parseTemplateText(cursor: Cursor): Expression {
  const end = cursor.source.text.length;
  const pieces = piecesFrom({ cursor, end, escapes: false }, 0);
  return templateOf(cursor, pieces, { start: 0, end });
}

/** A quoted text without templates in it, as a label. */
export function quotedText(cursor: Cursor, what: string): { readonly text: string; readonly range: Range } {
  const expression = parseQuoted(cursor);
  const { range } = expression;
  if (expression.kind === 'literal' && typeof expression.value === 'string') return { text: expression.value, range };
  throw cursor.error(`${what} cannot hold expressions`, range, 'Write it as it is, and "$${" for "${".');
}

/** A heredoc; the cursor is at its marker. Its region ends before the line with the closing marker. */
export function parseHeredoc(cursor: Cursor): Expression {
  const token = cursor.take();
  const { source } = cursor;
  const { text } = source;
  const flush = token.text.startsWith('<<-');
  const marker = token.text.slice(flush ? 3 : 2);
  const begin = text.indexOf('\n', token.end) + 1;
  let line = begin;
  while (line > 0 && line <= text.length) {
    const next = text.indexOf('\n', line);
    const end = next < 0 ? text.length : next;
    if (text.slice(line, end).trim() === marker) {
      const pieces = cursor.nested(() => piecesFrom({ cursor, end: line, escapes: false }, begin));
      const after = line + text.slice(line, end).trimEnd().length;
      cursor.moveTo(after);
      if (flush) unindent(pieces);
      return templateOf(cursor, pieces, { start: token.start, end: after });
    }
    if (next < 0) break;
    line = next + 1;
  }
  throw cursor.error(`the heredoc is not ended by "${marker}" on a line of its own`, token);
}

interface Scan {
  readonly cursor: Cursor;
  /** Where the template ends; undefined: at the closing quote. */
  readonly end: number | undefined;
  readonly escapes: boolean;
}

function piecesFrom(scan: Scan, start: number): Piece[] {
  const { cursor, escapes } = scan;
  const { text } = cursor.source;
  const end = scan.end ?? text.length;
  const pieces: Piece[] = [];
  let at = start;
  let literal = '';
  let trimNext = false;
  const flush = (o: { readonly trimEnd: boolean }): void => {
    let found = literal;
    if (trimNext) found = escapes ? found.trimStart() : trimmedStart(found);
    if (o.trimEnd) found = escapes ? found.trimEnd() : trimmedEnd(found);
    if (found !== '') pieces.push({ kind: 'text', text: found });
    literal = '';
  };
  while (at < end) {
    const char = text[at] ?? '';
    if (scan.end === undefined && char === '"') {
      flush({ trimEnd: false });
      cursor.moveTo(at + 1);
      return pieces;
    }
    if (scan.end === undefined && char === '\n') break;
    if (escapes && char === '\\') {
      const escape = readEscape(cursor, at);
      literal += escape.text;
      at = escape.end;
    } else if ((char === '$' || char === '%') && text.startsWith(`${char}{`, at + 1)) {
      literal += `${char}{`;
      at += 3;
    } else if ((char === '$' || char === '%') && text[at + 1] === '{') {
      const opened = at;
      cursor.moveTo(at + 2);
      const piece = cursor.within({ newlines: false }, () => {
        flush({ trimEnd: cursor.takeIf('~') });
        const content = char === '$' ? expressionPiece(cursor, opened) : directivePiece(cursor, opened);
        trimNext = cursor.takeIf('~');
        if (!cursor.is('}'))
          throw cursor.unexpected(`expected "}" at the end of the ${char === '$' ? 'expression' : 'directive'}`);
        // Taken by hand: what follows is the template's text.
        at = cursor.peek().end;
        return content;
      });
      pieces.push(piece);
    } else {
      literal += char;
      at += 1;
    }
  }
  if (scan.end === undefined)
    throw cursor.error(
      'the string is not ended by a quote on its line',
      { start: start - 1, end: start },
      'Use a heredoc (<<NAME) for text of several lines.',
    );
  flush({ trimEnd: false });
  return pieces;
}

/** Of a heredoc, `~` takes away blanks of one line only, with its end: Go's HCL reads it line by line. */
function trimmedStart(text: string): string {
  const end = text.indexOf('\n') + 1 || text.length;
  return text.slice(0, end).trimStart() + text.slice(end);
}

function trimmedEnd(text: string): string {
  const start = text.lastIndexOf('\n', text.length - 2) + 1;
  return text.slice(0, start) + text.slice(start).trimEnd();
}

function expressionPiece(cursor: Cursor, start: number): Piece {
  const expression = parseExpression(cursor);
  return { kind: 'expression', expression, range: { start, end: cursor.lastEnd + 1 } };
}

function directivePiece(cursor: Cursor, start: number): Piece {
  const word = cursor.identifier('a directive: if, else, endif, for or endfor');
  const range = { start, end: word.end };
  switch (word.text) {
    case 'if':
      return { kind: 'if', condition: parseExpression(cursor), range };
    case 'for': {
      const first = cursor.identifier('a name');
      const second = cursor.takeIf(',') ? cursor.identifier('a name') : undefined;
      if (!cursor.isWord('in')) throw cursor.unexpected('expected "in"');
      cursor.take();
      const collection = parseExpression(cursor);
      return {
        kind: 'for',
        keyName: second && first.text,
        valueName: (second ?? first).text,
        collection,
        range,
      };
    }
    case 'else':
    case 'endif':
    case 'endfor':
      return { kind: word.text, range };
    default:
      throw cursor.error(
        `there is no directive "${word.text}"`,
        word,
        'Use if, else, endif, for or endfor; write "%%{" for "%{" itself.',
      );
  }
}

const ESCAPES: Readonly<Record<string, string>> = { n: '\n', r: '\r', t: '\t', '"': '"', '\\': '\\' };

function readEscape(cursor: Cursor, at: number): { readonly text: string; readonly end: number } {
  const { text } = cursor.source;
  const letter = text[at + 1] ?? '';
  const simple = ESCAPES[letter];
  if (simple !== undefined) return { text: simple, end: at + 2 };
  const digits = letter === 'u' ? 4 : letter === 'U' ? 8 : 0;
  const hex = text.slice(at + 2, at + 2 + digits);
  const code = Number.parseInt(hex, 16);
  if (digits > 0 && hex.length === digits && /^[0-9a-fA-F]+$/.test(hex) && code <= 0x10ffff)
    return { text: String.fromCodePoint(code), end: at + 2 + digits };
  throw cursor.error(
    `there is no escape sequence "\\${letter}"`,
    { start: at, end: at + 2 },
    'Use \\n, \\r, \\t, \\", \\\\, \\uNNNN or \\UNNNNNNNN; write "\\\\" for a backslash.',
  );
}

/** `<<-`: takes away the blanks that all lines begin with. */
function unindent(pieces: Piece[]): void {
  let atStart = true;
  let least = Infinity;
  const starts: { piece: Piece & { kind: 'text' }; lines: string[] }[] = [];
  for (const piece of pieces) {
    if (piece.kind !== 'text') {
      if (atStart) least = 0;
      atStart = false;
      continue;
    }
    const lines = piece.text.split('\n');
    for (const [index, line] of lines.entries()) {
      const begins = index > 0 || atStart;
      const last = index === lines.length - 1;
      if (begins && !(last && line === '') && line.trim() + (last ? 'x' : '') !== '')
        least = Math.min(least, line.length - line.trimStart().length);
    }
    starts.push({ piece, lines });
    atStart = piece.text.endsWith('\n');
  }
  if (least === 0 || least === Infinity) return;
  atStart = true;
  for (const piece of pieces) {
    if (piece.kind !== 'text') {
      atStart = false;
      continue;
    }
    const begins = atStart;
    atStart = piece.text.endsWith('\n');
    piece.text = piece.text
      .split('\n')
      .map((line, index) =>
        index > 0 || begins ? line.slice(Math.min(least, line.length - line.trimStart().length)) : line,
      )
      .join('\n');
  }
}

function templateOf(cursor: Cursor, pieces: readonly Piece[], range: Range): Expression {
  const { source } = cursor;
  const [first] = pieces;
  if (first === undefined) return { kind: 'literal', value: '', range, source };
  if (pieces.length === 1 && first.kind === 'text') return { kind: 'literal', value: first.text, range, source };
  // An expression alone keeps its type.
  if (pieces.length === 1 && first.kind === 'expression')
    return { kind: 'parentheses', inner: first.expression, range, source };
  const state = { pieces, at: 0 };
  const parts = partsFrom(cursor, state);
  const left = pieces[state.at];
  if (left !== undefined && 'range' in left) throw cursor.error(`"${left.kind}" without what it ends`, left.range);
  return { kind: 'template', parts, range, source };
}

function partsFrom(cursor: Cursor, state: { readonly pieces: readonly Piece[]; at: number }): TemplatePart[] {
  const parts: TemplatePart[] = [];
  for (;;) {
    const piece = state.pieces[state.at];
    if (piece === undefined || piece.kind === 'else' || piece.kind === 'endif' || piece.kind === 'endfor') return parts;
    state.at += 1;
    if (piece.kind === 'text') parts.push({ kind: 'text', text: piece.text });
    else if (piece.kind === 'expression') parts.push({ kind: 'expression', expression: piece.expression });
    else if (piece.kind === 'if') {
      const yes = cursor.nested(() => partsFrom(cursor, state));
      const otherwise = state.pieces[state.at]?.kind === 'else';
      if (otherwise) state.at += 1;
      const no = otherwise ? cursor.nested(() => partsFrom(cursor, state)) : [];
      ended(cursor, state, { by: 'endif', opened: piece.range });
      parts.push({ kind: 'if', condition: piece.condition, yes, no });
    } else {
      const { keyName, valueName, collection } = piece;
      const body = cursor.nested(() => partsFrom(cursor, state));
      ended(cursor, state, { by: 'endfor', opened: piece.range });
      parts.push({ kind: 'for', keyName, valueName, collection, body });
    }
  }
}

function ended(
  cursor: Cursor,
  state: { readonly pieces: readonly Piece[]; at: number },
  o: { readonly by: 'endif' | 'endfor'; readonly opened: Range },
): void {
  if (state.pieces[state.at]?.kind !== o.by)
    throw cursor.error(`the directive is not ended by "%{ ${o.by} }"`, o.opened);
  state.at += 1;
}
