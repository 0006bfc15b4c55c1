import { errorTable } from '../base/index.ts';

export const execError = errorTable({
  EXECUTOR_UNAVAILABLE: 'unsupported',
  STEP_UNSUPPORTED: 'unsupported',
  STEP_INVALID: 'invalid',
  STEP_MOUNT_MISSING: 'not_found',
  RUNTIME_FAILED: 'failed',
  NETWORK_FAILED: 'unavailable',
  MOUNTS_SHARED: 'internal',
});
