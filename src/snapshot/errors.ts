import { errorTable } from '../base/index.ts';

export const snapshotError = errorTable({
  SNAPSHOT_NOT_FOUND: 'not_found',
  SNAPSHOT_IN_USE: 'conflict',
  SNAPSHOT_CLOSED: 'internal',
  SNAPSHOT_LIMIT: 'unsupported',
  LAYER_UNSAFE: 'denied',
  LAYER_INVALID: 'invalid',
  LAYER_OWNER: 'unsupported',
  UNPACK_FULL: 'exhausted',
  UNPACK_FAILED: 'failed',
});
