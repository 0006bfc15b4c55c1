import { SharedWork } from './shared-work.ts';
import { Solve, type SolveOptions } from './solve.ts';
import type { SolverOptions, SolverParts } from './solver-options.ts';

/** Finds each vertex of a graph in the cache or runs it. Knows no image, file or container. */
export class Solver<R, H> implements SolverParts<R, H> {
  readonly options: SolverOptions<R, H>;
  readonly runs = new SharedWork<readonly R[]>();

  constructor(options: SolverOptions<R, H>) {
    this.options = options;
  }

  /** One build's dealings with the solver: vertices are known by digest, so asking twice costs nothing. Close it when the build ends. */
  open(build: SolveOptions<H>): Solve<R, H> {
    return new Solve(this, build);
  }
}
