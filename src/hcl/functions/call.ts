import type { Clock, Random } from '../../base/index.ts';
import { ValueError } from '../errors.ts';
import { convert, type Type } from '../types.ts';
import { typeName, type Value } from '../value.ts';

/** What functions may know of the world, handed in. */
export interface FunctionWorld {
  readonly clock: Clock;
  readonly random: Random;
  readonly home: string;
}

export interface Parameter<T extends Value = Value> {
  readonly type: Type;
  /** Never there: says what the type comes to. */
  readonly value?: T | undefined;
  /** Null is an argument like any other. */
  readonly nullable?: boolean | undefined;
}

/** A function of values. `run` throws `ValueError`. */
export interface FunctionSpec {
  readonly parameters: readonly Parameter[];
  /** Further arguments, any number of them. */
  readonly variadic?: Parameter | undefined;
  run(args: readonly Value[], world: FunctionWorld): Value;
}

/** Checks and converts the arguments. Throws `ValueError`. */
export function callFunction(spec: FunctionSpec, args: readonly Value[], world: FunctionWorld): Value {
  const { parameters, variadic } = spec;
  const wanted = parameters.length;
  if (args.length < wanted || (args.length > wanted && !variadic)) {
    const plural = wanted === 1 ? '' : 's';
    throw new ValueError(`it takes ${variadic ? 'at least ' : ''}${wanted} argument${plural}, not ${args.length}`);
  }
  const converted = args.map((arg, at) => {
    const parameter = parameters[at] ?? variadic;
    if (parameter === undefined || (arg === null && parameter.nullable === true)) return arg;
    if (arg === null) throw new ValueError('the argument is null', at);
    try {
      return convert(arg, parameter.type);
    } catch (error) {
      if (error instanceof ValueError) throw new ValueError(`invalid argument: ${error.message}`, at);
      throw error;
    }
  });
  return spec.run(converted, world);
}

/** A list or set as it is; functions that take either say so by `any`. */
export function itemsOf(value: Value, at: number): readonly Value[] {
  if (Array.isArray(value)) return value as readonly Value[];
  if (typeof value === 'object' && value !== null && 'items' in value) return value.items;
  throw new ValueError(`invalid argument: a list is required, not a ${typeName(value)}`, at);
}
