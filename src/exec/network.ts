import type { Wait } from '../base/index.ts';
import type { ExecutorReport } from './executor.ts';
import type { Process } from './process.ts';
import type { SpecNetwork } from './spec.ts';
import type { Workspace } from './workspace.ts';

/** A network for one step. */
export type StepNetwork = SpecNetwork & {
  /** Resolvers to use when none of the machine's can be reached from it. */
  readonly nameservers?: readonly string[] | undefined;
};

/** The networks steps can have. */
export interface Network extends AsyncDisposable {
  readonly kind: ExecutorReport['network'];
  open(name: Process['network'], w?: Wait): Promise<StepNetwork>;
}

/** One network namespace for all steps of an executor, made when the first one asks, or ahead of it. */
export interface SharedNetwork extends AsyncDisposable {
  /** Throws `NETWORK_FAILED`. */
  start(w?: Wait): Promise<{ readonly path: string; readonly nameservers?: readonly string[] | undefined }>;
}

export interface NetworkContext extends Wait {
  readonly rootless?: 'range' | 'single' | undefined;
  readonly workspace: Workspace;
}
