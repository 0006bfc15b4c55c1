import { errorTable } from '../base/index.ts';

export const execError = errorTable({
  EXECUTOR_UNAVAILABLE: 'unsupported',
  STEP_UNSUPPORTED: 'unsupported',
  STEP_INVALID: 'invalid',
  STEP_MOUNT_MISSING: 'not_found',
  RUNTIME_FAILED: 'failed',
  NETWORK_FAILED: 'unavailable',
  PORTS_UNSUPPORTED: 'unsupported',
  PROCESS_ABSENT: 'not_found',
  MOUNTS_SHARED: 'internal',
});
