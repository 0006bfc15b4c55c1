import { ValueError } from '../errors.ts';
import { exact, operate } from '../operations.ts';
import { formatNumber, isEqual, type Value } from '../value.ts';
import type { FunctionSpec } from './call.ts';
import { any, bool, define, defineVariadic, nullable, number } from './parameters.ts';

function calculated(operator: '+' | '-' | '*' | '/' | '%' | '<' | '>' | '<=' | '>='): FunctionSpec {
  return define([number, number], ([a, b]) => operate(operator, a, b));
}

const DIGITS = '0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ';

/** go-cty's functions of numbers, booleans and comparison. */
export const numberFunctions: Readonly<Record<string, FunctionSpec>> = {
  absolute: define([number], ([a]) => Math.abs(a)),
  add: calculated('+'),
  subtract: calculated('-'),
  multiply: calculated('*'),
  divide: calculated('/'),
  modulo: calculated('%'),
  greaterthan: calculated('>'),
  greaterthanorequalto: calculated('>='),
  lessthan: calculated('<'),
  lessthanorequalto: calculated('<='),
  negate: define([number], ([a]) => -a),
  ceil: define([number], ([a]) => Math.ceil(a)),
  floor: define([number], ([a]) => Math.floor(a)),
  int: define([number], ([a]) => Math.trunc(a)),
  signum: define([number], ([a]) => Math.sign(a)),
  pow: define([number, number], ([a, b]) => a ** b),
  log: define([number, number], ([a, base]) => exact(Math.log(a) / Math.log(base))),
  max: extreme((a, b) => Math.max(a, b)),
  min: extreme((a, b) => Math.min(a, b)),
  and: define([bool, bool], ([a, b]) => a && b),
  or: define([bool, bool], ([a, b]) => a || b),
  not: define([bool], ([a]) => !a),
  equal: define([nullable, nullable], ([a, b]) => isEqual(a, b)),
  notequal: define([nullable, nullable], ([a, b]) => !isEqual(a, b)),
  parseint: define([any, number], ([value, base]) => parseInteger(value, base)),
};

function extreme(of: (a: number, b: number) => number): FunctionSpec {
  return defineVariadic([], number, (args) => {
    const [first, ...rest] = args;
    if (first === undefined) throw new ValueError('it takes at least one number');
    return rest.reduce((found, each) => of(found, each), first);
  });
}

function parseInteger(value: Value, base: number): number {
  if (typeof value !== 'string' && typeof value !== 'number')
    throw new ValueError('invalid argument: a string or number is required', 0);
  if (!Number.isInteger(base) || base < 2 || base > 62)
    throw new ValueError('invalid argument: the base is a whole number from 2 to 62', 1);
  const text = typeof value === 'number' ? formatNumber(value) : value;
  const wrong = new ValueError(`${JSON.stringify(text)} is no whole number of base ${formatNumber(base)}`, 0);
  const digits = text.replace(/^[+-]/, '');
  if (digits === '') throw wrong;
  let found = 0;
  for (const char of digits) {
    // Up to base 36 capitals mean the same as small letters.
    const digit = DIGITS.indexOf(base <= 36 ? char.toLowerCase() : char);
    if (digit < 0 || digit >= base) throw wrong;
    found = found * base + digit;
  }
  return text.startsWith('-') ? -found : found;
}
