import type { Clock, Random, Wait } from '../base/index.ts';
import type { Op, Vertex } from '../graph/index.ts';
import type { KeyStore } from './key-store.ts';
import { SharedWork } from './shared-work.ts';
import { Solve, type SolveOptions } from './solve.ts';
import type { OpRunner, Results } from './types.ts';

/** Room to run a step in; the ground's to give. Only steps that run ask for one. */
export interface Slots {
  take(vertex: Vertex, w?: Wait): Promise<Disposable>;
}

export interface SolverOptions<R, H> {
  /** The runner of an op's kind. Throws for a kind that nothing here can run. */
  readonly runnerOf: (op: Op) => OpRunner<Op, R, H>;
  readonly results: Results<R, H>;
  readonly keys: KeyStore;
  readonly slots: Slots;
  readonly clock: Clock;
  readonly random: Random;
}

/** Finds each vertex of a graph in the cache or runs it. Knows no image, file or container. */
export class Solver<R, H> {
  readonly options: SolverOptions<R, H>;
  /** Runs in flight, by result id, across all solves of this process. */
  readonly runs = new SharedWork<readonly R[]>();

  constructor(options: SolverOptions<R, H>) {
    this.options = options;
  }

  /** One build's dealings with the solver: vertices are known by digest, so asking twice costs nothing. Close it when the build ends. */
  open(build: SolveOptions<H>): Solve<R, H> {
    return new Solve(this, build);
  }
}
