import { kindOf, mapBounded, type Wait } from '../base/index.ts';
import type { Digest } from '../blob/index.ts';
import type { Edge, Vertex } from '../graph/index.ts';
import { solveError } from './errors.ts';
import type { BuildTrace } from './explain/build-trace.ts';
import type { RecordedKey } from './key-store.ts';
import { placed } from './placed.ts';
import { BuildKeys, type RemoteKeys } from './remote-keys.ts';
import type { SolverParts } from './solver-options.ts';
import { Step } from './step.ts';
import type { SolveEvent, StepContext } from './types.ts';

/** One build's dealings with a solver. */
export interface SolveOptions<H> extends Wait {
  readonly host: H;
  readonly emit: (event: SolveEvent) => void | Promise<void>;
  /** Caches elsewhere, asked for what this store does not know. */
  readonly remote?: RemoteKeys | undefined;
  /** Follows the build, where builds are kept on record. */
  readonly trace?: BuildTrace | undefined;
  /** Builds with the same word here run anew together: what one of them ran anew the others take. By default each build runs anew for itself. */
  readonly anew?: string | undefined;
}

/** A step's result as it is on record: its id, and the keys that lead to it. */
export interface RecordedStep {
  readonly vertex: Digest;
  readonly id: Digest;
  readonly keys: readonly RecordedKey[];
}

/**
 * The steps of one build. The first failure cancels everything else of the build; it is thrown once all of that has ended, so that nothing runs on, is mounted or half-written when the caller hears of it.
 */
export class Solve<R, H> implements AsyncDisposable {
  readonly solver: SolverParts<R, H>;
  readonly keys: BuildKeys;
  readonly trace: BuildTrace | undefined;
  readonly anew: string | undefined;
  readonly #host: H;
  readonly #emit: (event: SolveEvent) => void | Promise<void>;
  readonly #controller = new AbortController();
  readonly #signal: AbortSignal;
  readonly #asked: AbortSignal | undefined;
  readonly #steps = new Map<Digest, Step<R, H>>();
  readonly #results = new Set<R>();
  readonly #pending = new Set<Promise<unknown>>();
  readonly #underWay = new Set<Promise<unknown>>();
  readonly #used = new Set<Digest>();
  /** Steps that run now, by their vertices, and the one that is not cancelled with the build's others. */
  readonly #running = new Map<Digest, Promise<unknown>>();
  #spared: Digest | undefined;
  /** Errors that a step of this build has told of already; those who fail because of it pass it on. */
  readonly told = new WeakSet<object>();
  #failure: unknown;

  constructor(solver: SolverParts<R, H>, build: SolveOptions<H>) {
    this.solver = solver;
    this.keys = new BuildKeys(solver.options.keys, build.remote);
    this.trace = build.trace;
    this.anew = build.anew;
    this.#host = build.host;
    this.#emit = build.emit;
    this.#asked = build.signal;
    this.#signal = build.signal ? AbortSignal.any([build.signal, this.#controller.signal]) : this.#controller.signal;
  }

  get signal(): AbortSignal {
    return this.#signal;
  }

  /** The result at an edge, loaded or made. Several calls may be under way at once. */
  async result(edge: Edge): Promise<R> {
    return this.#guard(async () => {
      const step = this.step(edge.vertex);
      const results = await step.results();
      const result = results[edge.output];
      if (result === undefined)
        throw solveError('SOLVE_NO_OUTPUT', `solve "${edge.vertex.label.name}": no output ${edge.output}`);
      return result;
    });
  }

  /** All results at these edges, in order. */
  async all(edges: readonly Edge[]): Promise<readonly R[]> {
    return mapBounded(edges, edges.length || 1, (edge) => this.result(edge));
  }

  /** The step of a vertex of this build; announces vertices when first met, inputs first. */
  step(vertex: Vertex): Step<R, H> {
    const known = this.#steps.get(vertex.digest);
    if (known) return known;
    const inputs = vertex.inputs.map((edge) => ({ step: this.step(edge.vertex), output: edge.output }));
    const step = new Step(this, vertex, inputs);
    this.#steps.set(vertex.digest, step);
    this.trace?.announce(vertex);
    this.emit({ kind: 'vertex', vertex });
    return step;
  }

  /** All steps that this build has met, inputs first. */
  vertices(): readonly Vertex[] {
    return [...this.#steps.values()].map(({ vertex }) => vertex);
  }

  /** The steps of this build that a later one could find, inputs first, as far as they are identified. */
  recorded(): readonly RecordedStep[] {
    const { keys } = this.solver.options;
    const steps: RecordedStep[] = [];
    for (const { vertex, known } of this.#steps.values())
      if (known && known.keys.length > 0) {
        const byDigest = new Map([...keys.keysOf(known.id), ...known.keys].map((key) => [key.digest, key]));
        steps.push({ vertex: vertex.digest, id: known.id, keys: [...byDigest.values()] });
      }
    return steps;
  }

  contextOf(vertex: Vertex, signal: AbortSignal): StepContext<H> {
    const digest = vertex.digest;
    const { clock } = this.solver.options;
    return {
      host: this.#host,
      vertex,
      signal,
      log: (stream, chunk) => this.#emit({ kind: 'log', digest, at: clock.now(), stream, chunk }),
      progress: (progress) => this.emit({ kind: 'progress', digest, at: clock.now(), progress }),
      note: (text) => this.emit({ kind: 'note', digest, at: clock.now(), text }),
      unkept: () => undefined,
      stopOthers: (failure) => this.#stopOthers(vertex, failure),
    };
  }

  /** Fires when a step is to give up: with the build's, but for the step that stopped the others. */
  signalFor(vertex: Vertex): AbortSignal {
    const own = new AbortController();
    const { signal } = this.#controller;
    const stop = (): void => {
      if (this.#spared !== vertex.digest) own.abort(signal.reason);
    };
    if (signal.aborted) stop();
    else signal.addEventListener('abort', stop, { once: true });
    return this.#asked ? AbortSignal.any([this.#asked, own.signal]) : own.signal;
  }

  /** Notes that a step, whose inputs are there, runs until this settles. */
  runs<T>(vertex: Vertex, work: Promise<T>): Promise<T> {
    this.#running.set(vertex.digest, work);
    const done = (): void => void this.#running.delete(vertex.digest);
    work.then(done, done);
    return work;
  }

  async #stopOthers(vertex: Vertex, failure: unknown): Promise<boolean> {
    if (this.#signal.aborted || !this.#running.has(vertex.digest)) return false;
    this.#spared = vertex.digest;
    this.#failure ??= placed(failure, vertex);
    this.#controller.abort(stopped(this.#failure));
    const others = [...this.#running].flatMap(([digest, work]) => (digest === vertex.digest ? [] : [work]));
    await Promise.allSettled(others);
    return true;
  }

  emit(event: SolveEvent): void {
    this.trace?.event(event);
    void this.#emit(event);
  }

  /** Work of a step, so that the build does not end before it has. */
  track<T>(work: Promise<T>): Promise<T> {
    this.#underWay.add(work);
    const done = (): void => void this.#underWay.delete(work);
    work.then(done, done);
    return work;
  }

  /** Notes that a recorded result served this build. */
  use(id: Digest): void {
    this.#used.add(id);
  }

  /** Takes charge of results: they are released when the build closes. */
  own(results: readonly R[]): void {
    for (const result of results) this.#results.add(result);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#controller.abort(solveError('SOLVE_STOPPED', 'the build ended'));
    await Promise.allSettled(this.#pending);
    await this.#settle();
    try {
      this.solver.options.keys.touch([...this.#used]);
    } catch {
      // When a result was last used only serves those who prune; a full disk must not fail a build that is done.
    }
    await Promise.all([...this.#results].map((result) => this.solver.options.results.release(result)));
  }

  async #guard<T>(work: () => Promise<T>): Promise<T> {
    const promise = work();
    this.#pending.add(promise);
    try {
      return await promise;
    } catch (error) {
      this.#failure ??= error;
      this.#controller.abort(stopped(this.#failure));
      this.#pending.delete(promise);
      await this.#settle();
      // Who gave the build up while a failed step was looked at has no failure in mind.
      if (this.#spared !== undefined && this.#asked?.aborted && kindOf(error) === 'cancelled') throw error;
      throw this.#failure;
    } finally {
      this.#pending.delete(promise);
    }
  }

  /** Waits until no step is at work; one that ends may have begun another. */
  async #settle(): Promise<void> {
    while (this.#underWay.size > 0) await Promise.allSettled(this.#underWay);
  }
}

function stopped(failure: unknown): Error {
  return solveError('SOLVE_STOPPED', 'stopped: the build has failed', { cause: failure });
}
