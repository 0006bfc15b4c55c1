import { ANY, BOOL, NUMBER, STRING } from '../types.ts';
import type { SetValue, Value } from '../value.ts';
import type { FunctionSpec, FunctionWorld, Parameter } from './call.ts';

export const any: Parameter<NonNullable<Value>> = { type: ANY };
export const nullable: Parameter = { type: ANY, nullable: true };
export const text: Parameter<string> = { type: STRING };
export const number: Parameter<number> = { type: NUMBER };
export const bool: Parameter<boolean> = { type: BOOL };
export const texts: Parameter<readonly string[]> = { type: { kind: 'list', element: STRING } };
export const set: Parameter<SetValue> = { type: { kind: 'set', element: ANY } };

/** What the values are that parameters take. */
type Arguments<P extends readonly Parameter[]> = {
  readonly [At in keyof P]: P[At] extends Parameter<infer T> ? T : never;
};

/** A function of fixed arguments, typed as its parameters say. */
export function define<const P extends readonly Parameter[]>(
  parameters: P,
  run: (args: Arguments<P>, world: FunctionWorld) => Value,
): FunctionSpec {
  return { parameters, run: (args, world) => run(args as unknown as Arguments<P>, world) };
}

/** The same with any number of further arguments of one kind, which come after the others. */
export function defineVariadic<const P extends readonly Parameter[], V extends Value>(
  parameters: P,
  variadic: Parameter<V>,
  run: (args: readonly [...Arguments<P>, ...V[]], world: FunctionWorld) => Value,
): FunctionSpec {
  return {
    parameters,
    variadic,
    run: (args, world) => run(args as unknown as readonly [...Arguments<P>, ...V[]], world),
  };
}
