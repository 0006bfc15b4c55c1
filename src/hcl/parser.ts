import { Cursor } from './cursor.ts';
import { hclError } from './errors.ts';
import { parseExpression } from './expression-parser.ts';
import { HclSource } from './source.ts';
import type { Attribute, Block, Body, Expression } from './syntax.ts';
import { quotedText } from './template-parser.ts';

/** Reads a file in HCL's native syntax. Throws `HCL_SYNTAX` with the place. */
export function parseHcl(text: string, file: string): Body {
  const cursor = new Cursor(new HclSource(file, text));
  const body = parseBody(cursor, 'end');
  return body;
}

/** Reads one expression, as a type or a reference in a JSON string. Throws `HCL_SYNTAX`. */
export function parseExpressionText(source: HclSource): Expression {
  const cursor = new Cursor(source);
  return cursor.within({ newlines: false }, () => {
    const expression = parseExpression(cursor);
    if (cursor.peek().kind !== 'end') throw cursor.unexpected('expected the end of the expression');
    return expression;
  });
}

function parseBody(cursor: Cursor, until: 'end' | '}'): Body {
  const attributes: Attribute[] = [];
  const blocks: Block[] = [];
  for (;;) {
    cursor.skipNewlines();
    const token = cursor.peek();
    if (until === 'end' ? token.kind === 'end' : cursor.is('}')) return { attributes, blocks };
    if (token.kind === 'end') throw cursor.unexpected('expected "}" at the end of the block');
    const item = parseItem(cursor);
    if ('expression' in item) addAttribute(attributes, item);
    else blocks.push(item);
    const after = cursor.peek();
    if (after.kind === 'newline' || after.kind === 'end') continue;
    // A block of one line ends on it: `a { b = 1 }`.
    if (until === '}' && cursor.is('}') && 'expression' in item) continue;
    if (cursor.is(','))
      throw cursor.error('arguments are not separated by commas', after, 'Write each on a line of its own.');
    throw cursor.unexpected(
      `expected a new line after the ${'expression' in item ? `value of "${item.name}"` : `block "${item.type}"`}`,
    );
  }
}

/** Throws `HCL_SYNTAX` for a name that is there already. */
export function addAttribute(attributes: Attribute[], attribute: Attribute): void {
  const { name, nameRange, source } = attribute;
  const before = attributes.find((other) => other.name === name);
  if (before)
    throw hclError(
      'HCL_SYNTAX',
      `argument "${name}" is set twice, first in line ${source.place(before.nameRange).line}`,
      {
        place: source.place(nameRange),
        remedy: 'Leave one of them out.',
      },
    );
  attributes.push(attribute);
}

function parseItem(cursor: Cursor): Attribute | Block {
  const { source } = cursor;
  const quoted = cursor.peek().kind === 'quote';
  if (quoted)
    throw cursor.error('the name of an argument or block is not quoted', cursor.peek(), 'Leave the quotes out.');
  const name = cursor.identifier('the name of an argument or block');
  if (cursor.takeIf('=')) {
    const expression = parseExpression(cursor);
    const range = { start: name.start, end: cursor.lastEnd };
    return { name: name.text, nameRange: name, range, expression, source };
  }
  const labels: { text: string; range: { start: number; end: number } }[] = [];
  for (;;) {
    const token = cursor.peek();
    if (token.kind === 'quote') labels.push(quotedText(cursor, 'a label'));
    else if (token.kind === 'identifier') {
      cursor.take();
      labels.push({ text: token.text, range: token });
    } else break;
  }
  if (!cursor.is('{')) {
    const hint = labels.length === 0 ? 'expected "=" and a value, or "{" and a block' : 'expected "{"';
    throw cursor.unexpected(`${hint} after "${name.text}"`);
  }
  const body = cursor.within({ newlines: true }, () => {
    cursor.take();
    const found = parseBody(cursor, '}');
    cursor.take();
    return found;
  });
  return { type: name.text, typeRange: name, labels, body, source };
}
