import { execError } from './errors.ts';
import type { Process } from './process.ts';

/** For an executor without control groups: a limit that nobody keeps is refused. Throws `STEP_UNSUPPORTED`. */
export function refuseLimits({ args, limits }: Process): void {
  if (limits === undefined) return;
  throw execError(
    'STEP_UNSUPPORTED',
    `run "${args[0] ?? ''}" with limits of its own: there are no control groups for it here`,
    {
      remedy: 'Leave the limits out, or run strake as root where control groups can be written to.',
    },
  );
}
