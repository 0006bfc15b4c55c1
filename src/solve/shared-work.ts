import { cancelled, kindOf, throwIfCancelled, unlessCancelled, type Wait } from '../base/index.ts';

interface Running<T> {
  readonly promise: Promise<T>;
  readonly controller: AbortController;
  waiting: number;
}

export interface SharedOptions extends Wait {
  /** Which failures of work that somebody else began are no reason to fail: it is begun anew then. By default cancellations. */
  readonly again?: ((error: unknown) => boolean) | undefined;
}

/**
 * Work that several callers may want at once, by key: it runs once, and is cancelled when the last of those who wait for it has given up. A cancelled wait still ends only when the
 * work has, if it was the last one: so that nothing runs on after a build ended.
 */
export class SharedWork<T> {
  readonly #running = new Map<string, Running<T>>();

  isRunning(key: string): boolean {
    return this.#running.get(key)?.controller.signal.aborted === false;
  }

  async run(key: string, work: (w: { signal: AbortSignal }) => Promise<T>, o: SharedOptions = {}): Promise<T> {
    const again = o.again ?? ((error: unknown) => kindOf(error) === 'cancelled');
    for (;;) {
      throwIfCancelled(o);
      const running = this.#running.get(key);
      if (running?.controller.signal.aborted) {
        await running.promise.catch(() => undefined);
        continue;
      }
      try {
        return await wait(running ?? this.#start(key, work), o);
      } catch (error) {
        if (!running || o.signal?.aborted || !again(error)) throw error;
      }
    }
  }

  #start(key: string, work: (w: { signal: AbortSignal }) => Promise<T>): Running<T> {
    const controller = new AbortController();
    const promise = work({ signal: controller.signal }).finally(() => this.#running.delete(key));
    promise.catch(() => undefined);
    const running = { promise, controller, waiting: 0 };
    this.#running.set(key, running);
    return running;
  }
}

async function wait<T>(running: Running<T>, w: Wait): Promise<T> {
  running.waiting += 1;
  try {
    return await unlessCancelled(running.promise, w);
  } catch (error) {
    if (w.signal?.aborted && running.waiting === 1) {
      running.controller.abort(w.signal.reason);
      await running.promise.catch(() => undefined);
      throw cancelled(w.signal.reason);
    }
    throw error;
  } finally {
    running.waiting -= 1;
  }
}
