import { mapBounded, type Wait } from '../base/index.ts';

/** `items` mapped, at most `limit` at once. When one fails the others are given up, and have ended when this throws: nothing runs on. */
export async function together<T, R>(
  items: readonly T[],
  work: (item: T, w: { signal: AbortSignal }) => Promise<R>,
  o: { limit: number } & Wait,
): Promise<R[]> {
  const stop = new AbortController();
  const signal = o.signal ? AbortSignal.any([o.signal, stop.signal]) : stop.signal;
  const running: Promise<R>[] = [];
  try {
    return await mapBounded(items, o.limit, (item) => {
      const one = work(item, { signal });
      running.push(one);
      return one;
    });
  } catch (error) {
    stop.abort(error);
    await Promise.allSettled(running);
    throw error;
  }
}
