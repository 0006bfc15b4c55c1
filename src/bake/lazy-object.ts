import type { ObjectValue, Value } from '../hcl/index.ts';

/** An object whose attributes are found when they are asked for: `target.app.tags` evaluates nothing else of `app`. */
export class LazyObject implements ObjectValue {
  readonly #names: readonly string[];
  readonly #find: (name: string) => Value;

  constructor(names: Iterable<string>, find: (name: string) => Value) {
    this.#names = [...names].sort();
    this.#find = find;
  }

  get size(): number {
    return this.#names.length;
  }

  has(name: string): boolean {
    return this.#names.includes(name);
  }

  get(name: string): Value | undefined {
    return this.has(name) ? this.#find(name) : undefined;
  }

  *entries(): MapIterator<[string, Value]> {
    for (const name of this.#names) yield [name, this.#find(name)];
    return undefined;
  }

  *keys(): MapIterator<string> {
    yield* this.#names;
    return undefined;
  }

  *values(): MapIterator<Value> {
    for (const [, value] of this.entries()) yield value;
    return undefined;
  }

  forEach(visit: (value: Value, name: string, map: ReadonlyMap<string, Value>) => void): void {
    for (const [name, value] of this.entries()) visit(value, name, this);
  }

  [Symbol.iterator](): MapIterator<[string, Value]> {
    return this.entries();
  }
}
