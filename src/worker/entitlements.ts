import type { ExecOp } from '../graph/index.ts';
import { workerError } from './errors.ts';

/** Throws `STEP_NOT_ENTITLED` for what the build was not granted. `action`: what is about to be done. */
export function checkAllowed(
  action: string,
  wants: Pick<ExecOp, 'network' | 'security'>,
  allow: ReadonlySet<string>,
): void {
  const needs = [
    ...(wants.network === 'host' ? ['network.host'] : []),
    ...(wants.security === 'insecure' ? ['security.insecure'] : []),
  ];
  for (const entitlement of needs)
    if (!allow.has(entitlement))
      throw workerError('STEP_NOT_ENTITLED', `${action}: ${entitlement} is not allowed`, {
        remedy: `Allow it with --allow ${entitlement}.`,
      });
}
