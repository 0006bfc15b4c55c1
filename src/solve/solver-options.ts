import type { SharedWork } from './shared-work.ts';
import type { Clock, Random, Wait } from '../base/index.ts';
import type { Op, Vertex } from '../graph/index.ts';
import type { KeyStore } from './key-store.ts';
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

/** What all builds of a solver have in common. */
export interface SolverParts<R, H> {
  readonly options: SolverOptions<R, H>;
  /** Runs in flight, by result id, across all solves of this process. */
  readonly runs: SharedWork<readonly R[]>;
}
