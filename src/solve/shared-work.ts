import { cancelled, unlessCancelled, type Wait } from '../base/index.ts';

interface Running<T> {
  readonly promise: Promise<T>;
  readonly controller: AbortController;
  waiting: number;
}

/**
 * Work that several solves may want at once, by key: it runs once, and is cancelled when the last of those who wait for it has given up. A cancelled wait still ends only when the
 * work has, if it was the last one: so that nothing runs on after a build ended.
 */
export class SharedWork<T> {
  readonly #running = new Map<string, Running<T>>();

  isRunning(key: string): boolean {
    return this.#running.has(key);
  }

  async run(key: string, work: (w: { signal: AbortSignal }) => Promise<T>, w: Wait): Promise<T> {
    let entry = this.#running.get(key);
    if (entry?.controller.signal.aborted) {
      await entry.promise.catch(() => undefined);
      entry = this.#running.get(key);
    }
    if (!entry) {
      const controller = new AbortController();
      const promise = work({ signal: controller.signal }).finally(() => this.#running.delete(key));
      promise.catch(() => undefined);
      entry = { promise, controller, waiting: 0 };
      this.#running.set(key, entry);
    }
    entry.waiting += 1;
    try {
      return await unlessCancelled(entry.promise, w);
    } catch (error) {
      if (w.signal?.aborted && entry.waiting === 1) {
        entry.controller.abort(w.signal.reason);
        await entry.promise.catch(() => undefined);
        throw cancelled(w.signal.reason);
      }
      throw error;
    } finally {
      entry.waiting -= 1;
    }
  }
}
