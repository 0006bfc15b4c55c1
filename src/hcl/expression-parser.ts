import type { Cursor } from './cursor.ts';
import type { BinaryOperator, Expression, ObjectItem } from './syntax.ts';
import { parseHeredoc, parseQuoted } from './template-parser.ts';

/** From the loosest to the tightest. */
const LEVELS: readonly (readonly BinaryOperator[])[] = [
  ['||'],
  ['&&'],
  ['==', '!='],
  ['>', '>=', '<', '<='],
  ['+', '-'],
  ['*', '/', '%'],
];

/** Steps of one chain (`a + b + …`, `a.b.c…`): evaluation goes as deep. */
const MAX_CHAIN = 500;

/** An expression (HCL native syntax, "Expressions"). Throws `HCL_SYNTAX`. */
export function parseExpression(cursor: Cursor): Expression {
  return cursor.nested(() => {
    const { start } = cursor.peek();
    const condition = binary(cursor, 0);
    if (!cursor.takeIf('?')) return condition;
    const yes = parseExpression(cursor);
    if (!cursor.is(':')) throw cursor.unexpected('expected ":" between the two values of the conditional');
    cursor.take();
    const no = parseExpression(cursor);
    return { kind: 'conditional', condition, yes, no, ...rangeFrom(cursor, start) };
  });
}

function binary(cursor: Cursor, level: number): Expression {
  const operators = LEVELS[level];
  if (operators === undefined) return unary(cursor);
  const { start } = cursor.peek();
  let left = binary(cursor, level + 1);
  for (let steps = 0; cursor.is(...operators); steps++) {
    if (steps > MAX_CHAIN) throw cursor.error(`more than ${MAX_CHAIN} operators in a row`, cursor.peek());
    const operator = cursor.take().text as BinaryOperator;
    const right = binary(cursor, level + 1);
    left = { kind: 'binary', operator, left, right, ...rangeFrom(cursor, start) };
  }
  return left;
}

function unary(cursor: Cursor): Expression {
  const { start } = cursor.peek();
  if (!cursor.is('-', '!')) return withTraversals(cursor, start, term(cursor));
  const operator = cursor.take().text as '-' | '!';
  const operand = cursor.nested(() => unary(cursor));
  return { kind: 'unary', operator, operand, ...rangeFrom(cursor, start) };
}

function rangeFrom(cursor: Cursor, start: number): Pick<Expression, 'range' | 'source'> {
  return { range: { start, end: cursor.lastEnd }, source: cursor.source };
}

function term(cursor: Cursor): Expression {
  const token = cursor.peek();
  const { start } = token;
  switch (token.kind) {
    case 'quote':
      return parseQuoted(cursor);
    case 'heredoc':
      return parseHeredoc(cursor);
    case 'number':
      cursor.take();
      return { kind: 'literal', value: Number(token.text), ...rangeFrom(cursor, start) };
    case 'identifier':
      return word(cursor);
    default:
  }
  if (cursor.is('(')) {
    const inner = bracketed(cursor, ')', () => parseExpression(cursor));
    return { kind: 'parentheses', inner, ...rangeFrom(cursor, start) };
  }
  if (cursor.is('[')) return cursor.nested(() => tuple(cursor));
  if (cursor.is('{')) return cursor.nested(() => object(cursor));
  throw cursor.unexpected('expected a value');
}

/** What stands in brackets, where newlines mean nothing; both brackets are taken. */
function bracketed<T>(cursor: Cursor, close: string, read: () => T): T {
  let end = 0;
  const result = cursor.within({ newlines: false }, () => {
    cursor.take();
    const found = read();
    if (!cursor.is(close)) throw cursor.unexpected(`expected "${close}"`);
    end = cursor.take().end;
    return found;
  });
  cursor.moveTo(end);
  return result;
}

function word(cursor: Cursor): Expression {
  const name = cursor.take();
  const { start } = name;
  if (cursor.is('(')) {
    let spread = false;
    const args: Expression[] = [];
    bracketed(cursor, ')', () => {
      while (!cursor.is(')')) {
        args.push(parseExpression(cursor));
        if (cursor.takeIf('...')) {
          spread = true;
          break;
        }
        if (!cursor.takeIf(',')) break;
      }
    });
    return { kind: 'call', name: name.text, nameRange: name, args, spread, ...rangeFrom(cursor, start) };
  }
  const values: Readonly<Record<string, boolean | null>> = { true: true, false: false, null: null };
  const value = Object.hasOwn(values, name.text) ? values[name.text] : undefined;
  if (value !== undefined) return { kind: 'literal', value, ...rangeFrom(cursor, start) };
  return { kind: 'variable', name: name.text, ...rangeFrom(cursor, start) };
}

function withTraversals(cursor: Cursor, start: number, first: Expression): Expression {
  let target = first;
  for (let steps = 0; ; steps++) {
    if (steps > MAX_CHAIN) throw cursor.error(`more than ${MAX_CHAIN} attributes in a row`, cursor.peek());
    if (cursor.is('.')) target = dotted(cursor, start, target);
    else if (cursor.is('[')) target = indexed(cursor, start, target);
    else return target;
  }
}

function dotted(cursor: Cursor, start: number, target: Expression): Expression {
  cursor.take();
  const token = cursor.peek();
  if (token.kind === 'identifier') {
    cursor.take();
    return { kind: 'attribute', target, name: token.text, ...rangeFrom(cursor, start) };
  }
  if (token.kind === 'number') {
    // The old way to write an index, also twice: `a.0.1`.
    cursor.take();
    let found = target;
    for (const digits of token.text.split('.')) {
      const key = { kind: 'literal', value: Number(digits), range: token, source: cursor.source } as const;
      found = { kind: 'index', target: found, key, ...rangeFrom(cursor, start) };
    }
    return found;
  }
  if (!cursor.is('*')) throw cursor.unexpected('expected the name of an attribute after "."');
  cursor.take();
  return splat(cursor, start, target, (each) => {
    let found = each;
    // Of this splat only attributes are meant for each element; an index is for what comes of it.
    while (cursor.is('.')) found = dotted(cursor, start, found);
    return found;
  });
}

function indexed(cursor: Cursor, start: number, target: Expression): Expression {
  let full = false;
  const key = bracketed(cursor, ']', () => {
    if (cursor.is('*')) {
      full = true;
      cursor.take();
      return undefined;
    }
    return parseExpression(cursor);
  });
  if (key !== undefined) return { kind: 'index', target, key, ...rangeFrom(cursor, start) };
  if (!full) throw cursor.unexpected('expected an index');
  return splat(cursor, start, target, (each) => withTraversals(cursor, start, each));
}

function splat(cursor: Cursor, start: number, target: Expression, read: (each: Expression) => Expression): Expression {
  const item: Expression = { kind: 'item', range: target.range, source: cursor.source };
  const each = cursor.nested(() => read(item));
  return { kind: 'splat', target, each, ...rangeFrom(cursor, start) };
}

function tuple(cursor: Cursor): Expression {
  const { start } = cursor.peek();
  const items: Expression[] = [];
  let loop: Expression | undefined;
  bracketed(cursor, ']', () => {
    if (cursor.isWord('for')) {
      loop = forExpression(cursor, start, false);
      return;
    }
    while (!cursor.is(']')) {
      items.push(parseExpression(cursor));
      if (!cursor.takeIf(',')) {
        if (!cursor.is(']')) throw cursor.unexpected('expected "," or "]" after the element');
        break;
      }
    }
  });
  return loop ? { ...loop, ...rangeFrom(cursor, start) } : { kind: 'tuple', items, ...rangeFrom(cursor, start) };
}

function object(cursor: Cursor): Expression {
  const { start } = cursor.peek();
  const items: ObjectItem[] = [];
  let end = 0;
  let loop: Expression | undefined;
  // Taken before newlines count again: one may stand before it.
  cursor.take();
  cursor.within({ newlines: true }, () => {
    cursor.skipNewlines();
    if (cursor.isWord('for') && !isKey(cursor)) {
      loop = cursor.within({ newlines: false }, () => {
        const found = forExpression(cursor, start, true);
        if (!cursor.is('}')) throw cursor.unexpected('expected "}" after the for expression');
        end = cursor.take().end;
        return found;
      });
      cursor.moveTo(end);
      return;
    }
    while (!cursor.is('}')) {
      items.push(objectItem(cursor));
      if (!cursor.takeIf(',') && cursor.peek().kind !== 'newline' && !cursor.is('}'))
        throw cursor.unexpected('expected a new line, "," or "}" after the value');
      cursor.skipNewlines();
    }
    end = cursor.take().end;
  });
  cursor.moveTo(end);
  return loop ? { ...loop, ...rangeFrom(cursor, start) } : { kind: 'object', items, ...rangeFrom(cursor, start) };
}

/** True when the word here is a key, as in `{ for = 1 }`. */
function isKey(cursor: Cursor): boolean {
  const { end } = cursor.peek();
  return /^[ \t]*(?:=(?!=)|:)/.test(cursor.source.text.slice(end, end + 100));
}

function objectItem(cursor: Cursor): ObjectItem {
  const token = cursor.peek();
  const key = parseExpression(cursor);
  const word =
    key.kind === 'variable' ? key.name : key.kind === 'literal' && token.kind === 'identifier' ? token.text : undefined;
  if (key.kind === 'attribute')
    throw cursor.error(
      'it is not clear what this key means',
      key.range,
      'Quote it, or put it into parentheses if it is an expression.',
    );
  if (!cursor.is('=', ':')) throw cursor.unexpected('expected "=" after the key');
  cursor.take();
  cursor.skipNewlines();
  return { key, word, value: parseExpression(cursor) };
}

function forExpression(cursor: Cursor, start: number, isObject: boolean): Expression {
  cursor.take();
  const first = cursor.identifier('a name after "for"');
  const second = cursor.takeIf(',') ? cursor.identifier('a name after ","') : undefined;
  if (!cursor.isWord('in')) throw cursor.unexpected('expected "in" after the names');
  cursor.take();
  const collection = parseExpression(cursor);
  cursor.expect(':', 'after the collection');
  let key: Expression | undefined;
  let value = parseExpression(cursor);
  if (isObject) {
    key = value;
    cursor.expect('=>', 'between key and value');
    value = parseExpression(cursor);
  }
  const group = isObject && cursor.takeIf('...');
  let condition: Expression | undefined;
  if (cursor.isWord('if')) {
    cursor.take();
    condition = parseExpression(cursor);
  }
  const keyName = second && first.text;
  const valueName = (second ?? first).text;
  return { kind: 'for', keyName, valueName, collection, key, value, condition, group, ...rangeFrom(cursor, start) };
}
