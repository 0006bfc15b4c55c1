import type { Variables } from './expand.ts';

/** Variables in order; setting one that is there moves it to the end. Immutable. */
export class Environment implements Variables {
  readonly #values: ReadonlyMap<string, string>;

  constructor(values: Iterable<readonly [string, string]> = []) {
    this.#values = new Map(values);
  }

  get(name: string): string | undefined {
    return this.#values.get(name);
  }

  with(name: string, value: string): Environment {
    const values = new Map(this.#values);
    values.delete(name);
    values.set(name, value);
    return new Environment(values);
  }

  without(name: string): Environment {
    return new Environment([...this.#values].filter(([key]) => key !== name));
  }

  names(): readonly string[] {
    return [...this.#values.keys()];
  }

  /** `NAME=value`, in order. */
  list(): readonly string[] {
    return [...this.#values].map(([name, value]) => `${name}=${value}`);
  }
}

/** A variable of an image's config: `NAME=value`, or `NAME` alone for the empty value. */
export function splitVariable(text: string): readonly [string, string] {
  const equals = text.indexOf('=');
  return equals < 0 ? [text, ''] : [text.slice(0, equals), text.slice(equals + 1)];
}
