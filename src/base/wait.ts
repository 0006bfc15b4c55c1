import { CodedError } from './error.ts';

/** Options of everything that waits. A cancellation carries its reason in `signal.reason`. */
export type Wait = { signal?: AbortSignal | undefined };

/** Throws `CANCELLED` with the signal's reason as its cause when the signal has fired. */
export function throwIfCancelled(w?: Wait): void {
  if (w?.signal?.aborted) throw cancelled(w.signal.reason);
}

/** The error that stands for a cancellation, whatever the reason was given as. */
export function cancelled(reason: unknown): CodedError {
  if (reason instanceof CodedError) return reason;
  const detail = reason instanceof Error && reason.name !== 'AbortError' ? `: ${reason.message}` : '';
  return new CodedError({ code: 'CANCELLED', kind: 'cancelled', message: `cancelled${detail}`, cause: reason });
}

/** Waits `ms` milliseconds; rejects at once with `CANCELLED` when the signal fires. */
export async function sleep(ms: number, w?: Wait): Promise<void> {
  throwIfCancelled(w);
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const onAbort = (): void => reject(cancelled(w?.signal?.reason));
  const timer = setTimeout(resolve, ms);
  w?.signal?.addEventListener('abort', onAbort, { once: true });
  try {
    await promise;
  } finally {
    clearTimeout(timer);
    w?.signal?.removeEventListener('abort', onAbort);
  }
}

/** Settles as `promise` does, or rejects with `CANCELLED` when the signal fires first. The work behind `promise` goes on. */
export async function unlessCancelled<T>(promise: Promise<T>, w?: Wait): Promise<T> {
  const signal = w?.signal;
  if (!signal) return promise;
  if (signal.aborted) {
    promise.catch(() => undefined);
    throw cancelled(signal.reason);
  }
  const { promise: gate, reject } = Promise.withResolvers<never>();
  const onAbort = (): void => reject(cancelled(signal.reason));
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    return await Promise.race([promise, gate]);
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}
