import { errorTable } from '../base/index.ts';

export const machineError = errorTable({
  RUN_INVALID: 'invalid',
  RUN_UNSUPPORTED: 'unsupported',
  COMMAND_MISSING: 'invalid',
  PORT_TAKEN: 'conflict',
  CONTAINER_EXISTS: 'conflict',
  CONTAINER_NOT_FOUND: 'not_found',
  CONTAINER_BUSY: 'conflict',
  CONTAINER_NOT_RUNNING: 'conflict',
  CONTAINER_RUNNING: 'conflict',
  CONTAINER_BROKEN: 'failed',
  CONTAINER_HAS_IMAGE: 'conflict',
  CONTAINER_FAILED: 'failed',
  PORT_NOT_FOUND: 'not_found',
  MONITOR_LOST: 'unavailable',
  VOLUME_NOT_FOUND: 'not_found',
  VOLUME_IN_USE: 'conflict',
  PORT_DENIED: 'denied',
  VOLUME_UNUSABLE: 'failed',
});
