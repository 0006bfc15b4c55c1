import type { Digest } from '../../blob/index.ts';
import type { KeyPart } from '../types.ts';
import type { Cause } from './cause.ts';

/** `source`: nothing is kept of it and nothing runs for it (a base that is read where it lies, the build context). `not needed`: another step's result was found, so nobody asked for it. */
export type StepOutcome = 'hit' | 'ran' | 'failed' | 'cancelled' | 'not reached' | 'not needed' | 'source';

/** A step of one build. */
export interface TracedStep {
  readonly vertex: Digest;
  /** Kind of its op. */
  readonly op: string;
  /** As people know it, variables not expanded: `[build 2/5] RUN make`. */
  readonly name: string;
  /** The instruction in it. */
  readonly text: string;
  readonly group?: string | undefined;
  readonly line?: number | undefined;
  readonly internal?: boolean | undefined;
  /** Positions of its inputs in the build; -1 for one that is not there. */
  readonly inputs: readonly number[];
  /** Of the op alone; absent where it says nothing beyond one build. */
  readonly key?: Digest | undefined;
  /** The keys that its result is looked up by. */
  readonly keys: readonly Digest[];
  readonly id?: Digest | undefined;
  /** For each input the list of what is read of it; null where that was not looked at. */
  readonly contents: readonly (Digest | null)[];
  readonly parts: readonly KeyPart[];
  readonly outcome: StepOutcome;
  /** The cache elsewhere that it was found in. */
  readonly from?: string | undefined;
  /** Milliseconds that it ran. */
  readonly took?: number | undefined;
  readonly causes: readonly Cause[];
}
