import { cancelled, throwIfCancelled, type Wait } from './wait.ts';

/** A counted permit, handed out in order of asking. `await using permit = await semaphore.take()`. */
export class Semaphore {
  #free: number;
  readonly #queue: (() => void)[] = [];

  constructor(permits: number) {
    this.#free = permits;
  }

  async take(w?: Wait): Promise<Disposable> {
    throwIfCancelled(w);
    if (this.#free > 0) this.#free -= 1;
    else await this.#wait(w);
    let given = false;
    return {
      [Symbol.dispose]: () => {
        if (given) return;
        given = true;
        const next = this.#queue.shift();
        if (next) next();
        else this.#free += 1;
      },
    };
  }

  async #wait(w?: Wait): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#queue.push(resolve);
    const onAbort = (): void => {
      const at = this.#queue.indexOf(resolve);
      if (at >= 0) this.#queue.splice(at, 1);
      reject(cancelled(w?.signal?.reason));
    };
    w?.signal?.addEventListener('abort', onAbort, { once: true });
    try {
      await promise;
    } finally {
      w?.signal?.removeEventListener('abort', onAbort);
    }
  }
}

/** `items` mapped with at most `limit` at once, results in order. The first failure stops the taking of new items and is thrown. */
export async function mapBounded<T, R>(
  items: readonly T[],
  limit: number,
  fn: (item: T, index: number) => Promise<R>,
): Promise<R[]> {
  const results: R[] = Array.from({ length: items.length });
  let next = 0;
  let failed = false;
  const lane = async (): Promise<void> => {
    while (next < items.length && !failed) {
      const index = next++;
      try {
        results[index] = await fn(items[index] as T, index);
      } catch (error) {
        failed = true;
        throw error;
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(limit, items.length) }, lane));
  return results;
}
