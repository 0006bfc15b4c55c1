import { unlessCancelled, type Wait } from './wait.ts';

/**
 * A value computed once, when first asked for. Callers share the work in flight; a failure is not remembered.
 * A caller's signal ends that caller's wait only, never the work.
 */
export class Lazy<T> {
  #compute: () => Promise<T>;
  #value: Promise<T> | undefined;

  constructor(compute: () => Promise<T>) {
    this.#compute = compute;
  }

  get(w?: Wait): Promise<T> {
    this.#value ??= this.#compute().catch((error: unknown) => {
      this.#value = undefined;
      throw error;
    });
    return unlessCancelled(this.#value, w);
  }
}
