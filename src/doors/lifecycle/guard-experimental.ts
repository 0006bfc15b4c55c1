import { lifecycleError } from './errors.ts';
import type { Inputs } from './inputs.ts';
import type { PhaseLog } from './phase-log.ts';

/** What is experimental in the specification: a platform must have said that it knows (CNB_EXPERIMENTAL_MODE). Throws `LIFECYCLE_FLAG_INVALID`. */
export function guardExperimental(feature: string, { inputs, log }: { inputs: Inputs; log: PhaseLog }): void {
  const mode = inputs.env['CNB_EXPERIMENTAL_MODE'] || 'error';
  if (mode === 'warn') log.warn(`Platform requested experimental feature '${feature}'`);
  else if (mode !== 'quiet' && mode !== 'silent')
    throw lifecycleError('LIFECYCLE_FLAG_INVALID', `use '${feature}': it is an experimental feature`, {
      remedy: 'Set CNB_EXPERIMENTAL_MODE to "warn" or "quiet".',
    });
}
