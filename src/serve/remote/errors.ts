import { errorTable } from '../../base/index.ts';

export const remoteError = errorTable({
  REMOTE_LOST: 'unavailable',
  REMOTE_UNSUPPORTED: 'unsupported',
  REMOTE_INVALID: 'failed',
  REMOTE_REQUEST: 'invalid',
  REMOTE_NO_NODE: 'not_found',
  REMOTE_ENDED: 'cancelled',
});
