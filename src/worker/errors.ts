import { errorTable } from '../base/index.ts';

export const workerError = errorTable({
  STEP_FAILED: 'failed',
  STEP_NOT_ENTITLED: 'denied',
  STEP_USER_UNKNOWN: 'invalid',
  STEP_NOT_SUPPORTED: 'unsupported',
  STEP_NOT_ISOLATED: 'denied',
  STEP_PLATFORM: 'unsupported',
  MOUNT_SOURCE_MISSING: 'not_found',
  STEP_MOUNT_INVALID: 'invalid',
  STEP_SIGNAL_UNKNOWN: 'invalid',
  CONTAINER_CLOSED: 'cancelled',
  SECRET_NOT_GIVEN: 'not_found',
  SSH_NOT_GIVEN: 'not_found',
  IMAGE_NOT_FOUND: 'not_found',
  IMAGE_NO_PLATFORM: 'not_found',
  LAYER_GONE: 'not_found',
  SOURCE_NOT_SUPPORTED: 'unsupported',
  STORE_FULL: 'exhausted',
});
