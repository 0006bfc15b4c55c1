export { hclError, isHclError, placed, ValueError } from './errors.ts';
export { evaluate, suggestion, withVariables, type Scope } from './evaluate.ts';
export type { FunctionSpec, FunctionWorld } from './functions/call.ts';
export { standardFunctions } from './functions/index.ts';
export { parseHclJson, type BlockSchema } from './json-parser.ts';
export { parseHcl } from './parser.ts';
export type { HclSource, Range } from './source.ts';
export type { Attribute, Block, Body, Expression } from './syntax.ts';
export { typeFrom } from './type-expression.ts';
export { ANY, convert, friendlyType, typeOf, type Type } from './types.ts';
export {
  compareText,
  elementsOf,
  formatNumber,
  isList,
  isObject,
  objectOf,
  scalarText,
  SetValue,
  toJson,
  typeName,
  type JsonValue,
  type ObjectValue,
  type Value,
} from './value.ts';
