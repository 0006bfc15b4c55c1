import { editDistance } from '../base/index.ts';
import { hclError } from './errors.ts';
import { parseExpressionText } from './parser.ts';
import { EmbeddedSource } from './json-parser.ts';
import type { Expression } from './syntax.ts';
import { ANY, BOOL, NUMBER, STRING, type Type } from './types.ts';

const WORDS: Readonly<Record<string, Type>> = { any: ANY, string: STRING, number: NUMBER, bool: BOOL };
const CALLS = ['list', 'set', 'map', 'object', 'tuple'];

/** Reads an expression as a type (HCL's typeexpr extension): `string`, `list(number)`, `object({ a = string })`. A string of a JSON file holds one. Throws `HCL_EVALUATION`. */
export function typeFrom(expression: Expression): Type {
  if (expression.kind === 'parentheses') return typeFrom(expression.inner);
  if (expression.kind === 'literal' && typeof expression.value === 'string') {
    const { source, range, value } = expression;
    const found = parseExpressionText(new EmbeddedSource(source, range, value));
    if (found.kind !== 'literal') return typeFrom(found);
  }
  if (expression.kind === 'variable') return word(expression);
  if (expression.kind !== 'call') throw wrong(expression, 'a type is a keyword or a call of one, as list(string)');
  const [first, second] = expression.args;
  const { name } = expression;
  if (first === undefined || second !== undefined)
    throw wrong(expression, `type ${name} takes one argument${name === 'object' ? ': an object of types' : ''}`);
  switch (name) {
    case 'list':
    case 'set':
    case 'map':
      return { kind: name, element: typeFrom(first) };
    case 'tuple':
      if (first.kind !== 'tuple') throw wrong(first, 'type tuple takes a list of types');
      return { kind: 'tuple', elements: first.items.map(typeFrom) };
    case 'object':
      return objectType(first);
    default:
      throw unknown(expression, name, CALLS);
  }
}

function word(expression: Expression & { readonly kind: 'variable' }): Type {
  const { name } = expression;
  const type = Object.hasOwn(WORDS, name) ? WORDS[name] : undefined;
  if (type) return type;
  if (CALLS.includes(name)) throw wrong(expression, `type ${name} takes an argument, as ${name}(…)`);
  throw unknown(expression, name, [...Object.keys(WORDS), ...CALLS]);
}

function objectType(expression: Expression): Type {
  if (expression.kind !== 'object') throw wrong(expression, 'type object takes an object of types');
  const attributes = new Map<string, { type: Type; optional: boolean }>();
  for (const { key, word: name, value } of expression.items) {
    const found = name ?? (key.kind === 'literal' && typeof key.value === 'string' ? key.value : undefined);
    if (found === undefined) throw wrong(key, 'the name of an attribute is a word');
    const optional = value.kind === 'call' && value.name === 'optional' ? value.args[0] : undefined;
    attributes.set(found, { type: typeFrom(optional ?? value), optional: optional !== undefined });
  }
  return { kind: 'object', attributes };
}

function unknown(expression: Expression, name: string, known: readonly string[]): Error {
  const near = known.find((one) => editDistance(one, name) <= 2);
  return wrong(expression, `there is no type "${name}"`, near === undefined ? undefined : `Did you mean "${near}"?`);
}

function wrong(expression: Expression, message: string, remedy?: string): Error {
  const place = expression.source.place(expression.range);
  return hclError('HCL_EVALUATION', `invalid type: ${message}`, { place, remedy });
}
