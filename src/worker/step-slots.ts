import { setTimeout } from 'node:timers/promises';
import { Semaphore, throwIfCancelled, type Wait } from '../base/index.ts';
import type { Digest } from '../blob/index.ts';
import type { Vertex } from '../graph/index.ts';

/** Steps that run at once. They mostly wait (for the network, for a compiler's own processes), so more than there are cores. */
const STEPS_AT_ONCE = 16;
/** How long the one root is kept for a step that goes on from the last one, while others wait. */
const GRACE_MS = 100;

interface Waiting {
  readonly vertex: Vertex;
  readonly go: () => void;
}

/** Who may run a process when: many at once, or on a ground with one root one at a time, those of one stage after each other. */
export class StepSlots {
  readonly #many = new Semaphore(STEPS_AT_ONCE);
  readonly #waiting: Waiting[] = [];
  #busy = false;
  #last: Digest | undefined;

  async take(vertex: Vertex, o: { readonly oneRoot: boolean } & Wait): Promise<Disposable> {
    if (!o.oneRoot) return this.#many.take(o);
    throwIfCancelled(o);
    if (this.#busy) await this.#wait(vertex, o);
    this.#busy = true;
    this.#last = vertex.digest;
    let given = false;
    return {
      [Symbol.dispose]: () => {
        if (!given) void this.#next();
        given = true;
      },
    };
  }

  async #wait(vertex: Vertex, w: Wait): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const waiting = { vertex, go: resolve };
    this.#waiting.push(waiting);
    const stop = (): void => {
      const at = this.#waiting.indexOf(waiting);
      if (at >= 0) this.#waiting.splice(at, 1);
      reject(w.signal?.reason);
    };
    w.signal?.addEventListener('abort', stop, { once: true });
    try {
      await promise;
    } finally {
      w.signal?.removeEventListener('abort', stop);
    }
  }

  async #next(): Promise<void> {
    const goesOn = (): number => this.#waiting.findIndex(({ vertex }) => isAbove(vertex, this.#last));
    if (this.#waiting.length > 0 && goesOn() < 0) await setTimeout(GRACE_MS);
    const [next] = this.#waiting.splice(Math.max(0, goesOn()), 1);
    if (next) next.go();
    else this.#busy = false;
  }
}

/** True when a step's root comes, by way of roots, from the other one's. */
function isAbove(vertex: Vertex, other: Digest | undefined): boolean {
  for (let at: Vertex | undefined = vertex; at; at = at.inputs[0]?.vertex) if (at.digest === other) return true;
  return false;
}
