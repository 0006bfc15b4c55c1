import { errorTable } from '../base/index.ts';

export const machineError = errorTable({
  RUN_INVALID: 'invalid',
  RUN_UNSUPPORTED: 'unsupported',
  COMMAND_MISSING: 'invalid',
  PORT_TAKEN: 'conflict',
  PORT_DENIED: 'denied',
  VOLUME_UNUSABLE: 'failed',
});
