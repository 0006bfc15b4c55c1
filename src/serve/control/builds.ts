import { sleep, unlessCancelled, type Wait } from '../../base/index.ts';
import { serveError } from '../errors.ts';
import { Build, type BuildInit } from './build.ts';

/** How long a call waits for a build that is about to be asked for. */
const PATIENCE_MS = 30_000;
/** Builds that have ended and can still be looked at. */
const KEPT = 20;

/** The builds that run, by ref, and the last that have ended. Calls that come before their build are held. */
export class Builds {
  readonly #running = new Map<string, Build>();
  readonly #ended = new Map<string, Build>();
  readonly #waiting = new Map<string, { readonly found: PromiseWithResolvers<Build>; count: number }>();

  get size(): number {
    return this.#running.size;
  }

  running(): readonly Build[] {
    return [...this.#running.values()];
  }

  /** Throws `BUILD_EXISTS`. */
  begin(init: BuildInit): Build {
    const { ref } = init;
    if (ref === '') throw serveError('SOLVE_INVALID', 'solve: the request has no ref');
    if (this.#running.has(ref)) throw serveError('BUILD_EXISTS', `job ID ${ref} exists`);
    const build = new Build(init);
    this.#ended.delete(ref);
    this.#running.set(ref, build);
    this.#waiting.get(ref)?.found.resolve(build);
    return build;
  }

  end(build: Build): void {
    this.#running.delete(build.ref);
    this.#ended.set(build.ref, build);
    for (const ref of this.#ended.keys()) {
      if (this.#ended.size <= KEPT) break;
      this.#ended.delete(ref);
    }
  }

  /** One that runs. Throws `BUILD_UNKNOWN` when it is not asked for in time. */
  async get(ref: string, w: Wait = {}): Promise<Build> {
    const known = this.#running.get(ref);
    if (known) return known;
    if (this.#ended.has(ref)) throw serveError('BUILD_ENDED', `no such job ${ref}: it has ended`);
    return this.#wait(ref, w);
  }

  /** One that runs or has ended of late. */
  async look(ref: string, w: Wait = {}): Promise<Build> {
    return this.#running.get(ref) ?? this.#ended.get(ref) ?? this.#wait(ref, w);
  }

  async #wait(ref: string, w: Wait): Promise<Build> {
    let waiting = this.#waiting.get(ref);
    if (!waiting) {
      waiting = { found: Promise.withResolvers(), count: 0 };
      waiting.found.promise.catch(() => undefined);
      this.#waiting.set(ref, waiting);
    }
    waiting.count += 1;
    const enough = new AbortController();
    const signal = w.signal ? AbortSignal.any([w.signal, enough.signal]) : enough.signal;
    try {
      return await Promise.race([
        unlessCancelled(waiting.found.promise, { signal }),
        sleep(PATIENCE_MS, { signal }).then(() => {
          throw serveError('BUILD_UNKNOWN', `no such job ${ref}`);
        }),
      ]);
    } finally {
      enough.abort();
      waiting.count -= 1;
      if (waiting.count === 0) this.#waiting.delete(ref);
    }
  }
}
