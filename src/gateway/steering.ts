import { cancelled, hasCode, unlessCancelled, type Wait } from '../base/index.ts';
import type { Digest } from '../blob/index.ts';
import type { FailedProcess, Frontend, FrontendHost, Plan, PlannedImage, Ref } from '../frontend/index.ts';
import type { State } from '../graph/index.ts';
import type { DecodedDefinition } from '../wire/buildkit/index.ts';
import type { HeldContainer } from './held-container.ts';
import { gatewayError } from './errors.ts';

/** Something that a client has a ref of: a tree, and the image that it is where a frontend planned one. */
export interface Held {
  readonly state: State;
  readonly image?: PlannedImage | undefined;
  /** How it is had, where that is not by solving its state: what a failed step left. */
  readonly ref?: ((w: Wait) => Promise<Ref>) | undefined;
  /** Nothing but the folder that a cache begins with. */
  readonly folder?: { readonly mode: number; readonly uid: number; readonly gid: number } | undefined;
}

/** What results name by their refs. */
export interface HeldRefs {
  /** Throws `REF_UNKNOWN`. */
  held(id: string): Held;
  solved(id: string, w?: Wait): Promise<{ readonly ref: Ref; readonly host: Pick<FrontendHost, 'read' | 'list'> }>;
}

/** Where the engine has called and waits for a plan. */
export interface Engaged {
  readonly host: FrontendHost;
  readonly signal: AbortSignal;
}

/** The steering wheel of one build: for the engine a frontend, whose plan comes from the client's calls. */
export class Steering implements HeldRefs {
  readonly #engaged = Promise.withResolvers<Engaged>();
  readonly #plan = Promise.withResolvers<Plan>();
  readonly #refs = new Map<string, Held>();
  readonly #solved = new Map<string, Promise<Ref>>();
  readonly #definitions: DecodedDefinition[] = [];
  readonly #id: (n: number) => string;
  /** Those that a client has set up, by what it calls them. */
  readonly containers = new Map<string, Promise<HeldContainer>>();
  #host: FrontendHost | undefined;
  /** States that the client knows by definitions it was given, by the digest of their last op. */
  inputs: ReadonlyMap<string, State> = new Map();

  constructor(id: (n: number) => string) {
    this.#id = id;
    this.#engaged.promise.catch(() => undefined);
    this.#plan.promise.catch(() => undefined);
  }

  /** The engine may call it again where a cache turned out to be no good: what the client has returned holds. A failure of what it solved does not end it: the client does, when it has looked. */
  readonly frontend: Frontend = async (_request, host, w = {}) => {
    const signal = w.signal ?? new AbortController().signal;
    this.#solved.clear();
    this.#host = host;
    this.#engaged.resolve({ host, signal });
    try {
      return await unlessCancelled(this.#plan.promise, { signal });
    } catch (error) {
      if (!hasCode(signal.reason, 'SOLVE_STOPPED')) throw error;
      return await this.#plan.promise;
    } finally {
      await this.#release();
    }
  };

  /** What is left of the process step that an error tells of. */
  failed(error: unknown): FailedProcess | undefined {
    return this.#host?.failed?.(error);
  }

  async #release(): Promise<void> {
    const all = [...this.containers.values()];
    this.containers.clear();
    await Promise.allSettled(all.map(async (held) => (await held).container[Symbol.asyncDispose]()));
  }

  /** Throws why there is nothing to steer any more. */
  async engaged(w: Wait = {}): Promise<Engaged> {
    return unlessCancelled(this.#engaged.promise, w);
  }

  return(plan: Plan): void {
    this.#plan.resolve(plan);
  }

  fail(error: unknown): void {
    this.#plan.reject(error);
  }

  /** The build has ended: nothing can be asked any more. */
  end(error?: unknown): void {
    const reason = error ?? gatewayError('BUILD_ENDED', 'ask a build that has ended');
    this.#engaged.reject(reason);
    this.#plan.reject(cancelled(reason));
    this.#refs.clear();
    this.#solved.clear();
  }

  hold(held: Held): string {
    const id = this.#id(this.#refs.size);
    this.#refs.set(id, held);
    return id;
  }

  /** Throws `REF_UNKNOWN`. */
  held(id: string): Held {
    const held = this.#refs.get(id);
    if (!held) throw gatewayError('REF_UNKNOWN', `no such ref: ${id}`);
    return held;
  }

  /** Solves a ref once. */
  async solved(id: string, w: Wait = {}): Promise<{ readonly ref: Ref; readonly host: FrontendHost }> {
    const { host, signal } = await this.engaged(w);
    let solving = this.#solved.get(id);
    if (!solving) {
      const held = this.held(id);
      solving = held.ref ? held.ref({}) : host.solve(held.state, { signal });
      solving.catch(() => undefined);
      this.#solved.set(id, solving);
    }
    return { ref: await unlessCancelled(solving, w), host };
  }

  know(definition: DecodedDefinition): void {
    this.#definitions.push(definition);
  }

  /** The digests that the client knows a vertex by. */
  wireOf(vertex: string): readonly string[] {
    if (!vertex.startsWith('sha256:')) return [];
    const found = new Set<string>();
    for (const definition of this.#definitions) for (const wire of definition.wireOf(vertex as Digest)) found.add(wire);
    return [...found];
  }
}
