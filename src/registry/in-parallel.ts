import type { Wait } from '../base/index.ts';

/**
 * Runs `work` for each item, `limit` at once. The first failure cancels the others by the signal they were given; it is thrown when all have ended, so that nothing goes on behind the caller's back.
 */
export async function inParallel<T>(
  items: readonly T[],
  o: { limit: number } & Wait,
  work: (item: T, w: { signal: AbortSignal }) => Promise<void>,
): Promise<void> {
  const controller = new AbortController();
  const signal = o.signal ? AbortSignal.any([o.signal, controller.signal]) : controller.signal;
  let failure: { readonly error: unknown } | undefined;
  let next = 0;
  const lane = async (): Promise<void> => {
    while (next < items.length && !failure) {
      const item = items[next++] as T;
      try {
        await work(item, { signal });
      } catch (error) {
        failure ??= { error };
        controller.abort(error);
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(o.limit, items.length) }, lane));
  if (failure) throw failure.error;
}
