import type { Wait } from '../base/index.ts';
import type { ExecutorReport, Process } from './executor.ts';
import type { SpecNetwork } from './spec.ts';

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

/** The machine's own network for all that does not ask for none. */
export const hostNetwork: Network = {
  kind: 'host',
  open: async (name) => (name === 'none' ? { kind: 'empty' } : { kind: 'host' }),
  [Symbol.asyncDispose]: async () => undefined,
};

/** What `default` comes to here. */
export async function openNetwork(_o: unknown): Promise<Network> {
  return hostNetwork;
}
