import { setTimeout } from 'node:timers/promises';
import { cancelled, Semaphore, throwIfCancelled, type Wait } from '../base/index.ts';
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
  #line: readonly Digest[] = [];

  async take(vertex: Vertex, o: { readonly oneRoot: boolean } & Wait): Promise<Disposable> {
    if (!o.oneRoot) return this.#many.take(o);
    throwIfCancelled(o);
    if (this.#busy) await this.#wait(vertex, o);
    this.#busy = true;
    this.#last = vertex.digest;
    this.#line = lineOf(vertex);
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
      reject(cancelled(w.signal?.reason));
    };
    w.signal?.addEventListener('abort', stop, { once: true });
    try {
      await promise;
    } finally {
      w.signal?.removeEventListener('abort', stop);
    }
  }

  async #next(): Promise<void> {
    const last = this.#last;
    const goesOn = (): boolean => this.#waiting.some(({ vertex }) => lineOf(vertex).some((one) => one === last));
    if (this.#waiting.length > 0 && !goesOn()) await setTimeout(GRACE_MS);
    const next = this.#takeNearest();
    if (next) next.go();
    else this.#busy = false;
  }

  /** Who has most in common with what is there; of several, who asked first. */
  #takeNearest(): Waiting | undefined {
    const there = new Set(this.#line);
    const common = this.#waiting.map(({ vertex }) => lineOf(vertex).filter((one) => there.has(one)).length);
    const [next] = this.#waiting.splice(common.indexOf(Math.max(0, ...common)), 1);
    return next;
  }
}

/** A step and those that its root comes from, by way of roots. */
function lineOf(vertex: Vertex): readonly Digest[] {
  const line: Digest[] = [];
  for (let at: Vertex | undefined = vertex; at; at = at.inputs[0]?.vertex) line.push(at.digest);
  return line;
}
