import { sleep, unlessCancelled, type Wait } from '../../base/index.ts';
import type { ClientSession } from '../../wire/buildkit/index.ts';
import { serveError } from '../errors.ts';

/** How long a build waits for the session that it names: clients open both at once. */
const PATIENCE_MS = 10_000;

/** The open sessions, by id. */
export class Sessions {
  readonly #open = new Map<string, ClientSession>();
  /** Builds that use a session, and who waits for the last of them. */
  readonly #used = new Map<ClientSession, { count: number; readonly left: PromiseWithResolvers<void> }>();
  readonly #waiting = new Map<string, PromiseWithResolvers<ClientSession>>();

  get size(): number {
    return this.#open.size;
  }

  /** Throws `SESSION_INVALID` for an id that is taken. */
  add(session: ClientSession): void {
    const { id } = session.hello;
    if (this.#open.has(id)) throw serveError('SESSION_INVALID', `open session "${id}": it is open already`);
    this.#open.set(id, session);
    this.#waiting.get(id)?.resolve(session);
    this.#waiting.delete(id);
  }

  remove(session: ClientSession): void {
    const { id } = session.hello;
    if (this.#open.get(id) === session) this.#open.delete(id);
  }

  /** Held for a build until that has ended. */
  use(session: ClientSession): Disposable {
    const use = this.#used.get(session) ?? { count: 0, left: Promise.withResolvers<void>() };
    this.#used.set(session, use);
    use.count += 1;
    return {
      [Symbol.dispose]: () => {
        use.count -= 1;
        if (use.count > 0) return;
        this.#used.delete(session);
        use.left.resolve();
      },
    };
  }

  /** Settles when no build uses it. */
  async left(session: ClientSession): Promise<void> {
    await this.#used.get(session)?.left.promise;
  }

  find(id: string): ClientSession | undefined {
    return this.#open.get(id);
  }

  /** Waits for one that is about to be opened. Throws `SESSION_UNKNOWN`. */
  async get(id: string, w: Wait = {}): Promise<ClientSession> {
    const known = this.#open.get(id);
    if (known) return known;
    let waiting = this.#waiting.get(id);
    if (!waiting) {
      waiting = Promise.withResolvers();
      waiting.promise.catch(() => undefined);
      this.#waiting.set(id, waiting);
    }
    const enough = new AbortController();
    const signal = w.signal ? AbortSignal.any([w.signal, enough.signal]) : enough.signal;
    try {
      return await Promise.race([
        unlessCancelled(waiting.promise, { signal }),
        sleep(PATIENCE_MS, { signal }).then(() => {
          throw serveError('SESSION_UNKNOWN', `no active session for ${id}: context deadline exceeded`);
        }),
      ]);
    } finally {
      enough.abort();
      if (this.#waiting.get(id) === waiting && !this.#open.has(id)) this.#waiting.delete(id);
    }
  }
}
