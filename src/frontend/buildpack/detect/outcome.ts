import { messageOf } from '../../../base/index.ts';
import { parseDetectPlan } from '../model/plan.ts';
import type { DetectPlan, DetectRun, ModuleId } from '../model/types.ts';

export const PASS = 0;
export const FAIL = 100;
/** Something was wrong before or after `bin/detect` itself. */
export const ERROR = -1;

/** What a `bin/detect` came to. */
export interface Outcome {
  /** 0 passed, 100 did not; anything else is an error. */
  readonly code: number;
  readonly output: string;
  readonly error?: string | undefined;
  readonly plan: DetectPlan;
}

const NOTHING: DetectPlan = [{ provides: [], requires: [] }];

/** Reads what a run left. A plan that may not be makes it an error. */
export function outcomeOf(module: ModuleId, run: DetectRun): Outcome {
  const output = new TextDecoder().decode(run.output);
  if (run.code !== PASS) return { code: run.code, output, plan: NOTHING };
  try {
    const file = `plan of ${module.id}@${module.version}`;
    return { code: PASS, output, plan: parseDetectPlan(run.plan ?? '', { module, file }) };
  } catch (error) {
    return { code: ERROR, output, error: messageOf(error), plan: NOTHING };
  }
}

export const failedOutcome = (error: string): Outcome => ({ code: ERROR, output: '', error, plan: NOTHING });
