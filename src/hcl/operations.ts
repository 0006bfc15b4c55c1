import { ValueError } from './errors.ts';
import type { BinaryOperator } from './syntax.ts';
import { BOOL, convert, NUMBER } from './types.ts';
import { elementsOf, formatNumber, isEqual, isList, isObject, typeName, type Value } from './value.ts';

/** A binary operator but for those that do not need both sides. Throws `ValueError`. */
export function operate(operator: BinaryOperator, left: Value, right: Value): Value {
  if (operator === '==') return isEqual(left, right);
  if (operator === '!=') return !isEqual(left, right);
  const type = operator === '||' || operator === '&&' ? BOOL : NUMBER;
  const [a, b] = [operand(left, type), operand(right, type)];
  switch (operator) {
    case '||':
      return a === true || b === true;
    case '&&':
      return a === true && b === true;
    default:
      return calculate(operator, Number(a), Number(b));
  }
}

function calculate(operator: BinaryOperator, a: number, b: number): Value {
  switch (operator) {
    case '<':
      return a < b;
    case '>':
      return a > b;
    case '<=':
      return a <= b;
    case '>=':
      return a >= b;
    case '+':
      return exact(a + b);
    case '-':
      return exact(a - b);
    case '*':
      return exact(a * b);
    case '/':
      if (b === 0) throw new ValueError('division by zero');
      return a / b;
    default:
      if (b === 0) throw new ValueError('division by zero');
      return exact(a % b);
  }
}

/** Decimals as people count: 0.1 + 0.2 is 0.3. */
export function exact(value: number): number {
  if (Number.isInteger(value) || !Number.isFinite(value)) return value;
  return Number(value.toPrecision(15));
}

/** One side of an operator as the type that it works with. */
export function operand(value: Value, type: typeof BOOL): boolean | number {
  if (value === null) throw new ValueError('the value is null');
  return convert(value, type) as boolean | number;
}

/** `value.name`. Of a list of objects, `null` elements are no exception. */
export function attributeOf(value: Value, name: string): Value {
  if (value === null) throw new ValueError(`read attribute "${name}": the value is null`);
  if (!isObject(value)) {
    const hint = isList(value) ? '; did you mean an element of it, or all with [*]?' : '';
    throw new ValueError(`read attribute "${name}": a ${typeName(value)} has no attributes${hint}`);
  }
  const found = value.get(name);
  if (found === undefined) throw new ValueError(`there is no attribute "${name}"${near(name, value)}`);
  return found;
}

function near(name: string, value: ReadonlyMap<string, Value>): string {
  const keys = [...value.keys()];
  const same = keys.find((key) => key.replaceAll('_', '-').toLowerCase() === name.replaceAll('_', '-').toLowerCase());
  return same === undefined ? '' : `; did you mean "${same}"?`;
}

/** `value[key]`. */
export function indexOf(value: Value, key: Value): Value {
  if (value === null) throw new ValueError('read an element: the value is null');
  if (key === null) throw new ValueError('read an element: the key is null');
  if (isList(value)) {
    const at = asIndex(key);
    const found = value[at];
    if (found === undefined)
      throw new ValueError(`there is no element ${formatNumber(at)}: the list has ${value.length}`);
    return found;
  }
  if (!isObject(value)) throw new ValueError(`a ${typeName(value)} has no elements that can be reached by a key`);
  if (typeof key === 'object') throw new ValueError(`a key is a string, not a ${typeName(key)}`);
  const name = typeof key === 'string' ? key : typeof key === 'number' ? formatNumber(key) : String(key);
  const found = value.get(name);
  if (found === undefined) throw new ValueError(`there is no element "${name}"${near(name, value)}`);
  return found;
}

function asIndex(key: Value): number {
  let at: Value;
  try {
    at = convert(key, NUMBER);
  } catch {
    throw new ValueError(
      `an index is a number, not ${typeof key === 'string' ? JSON.stringify(key) : `a ${typeName(key)}`}`,
    );
  }
  if (!Number.isInteger(at)) throw new ValueError('an index is a whole number');
  return Number(at);
}

/** What a for expression, a splat or a directive goes through. */
export function iterate(value: Value): readonly (readonly [Value, Value])[] {
  const elements = elementsOf(value);
  if (elements) return elements;
  throw new ValueError(value === null ? 'the value is null' : `a ${typeName(value)} has no elements to go through`);
}
