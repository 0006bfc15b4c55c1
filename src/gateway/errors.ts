import { errorTable } from '../base/index.ts';

export const gatewayError = errorTable({
  BUILD_ENDED: 'conflict',
  BUILD_UNKNOWN: 'not_found',
  REF_UNKNOWN: 'not_found',
  CONTAINER_EXISTS: 'conflict',
  CONTAINER_UNKNOWN: 'not_found',
  SOLVE_INVALID: 'invalid',
  SOLVE_UNSUPPORTED: 'unsupported',
  FRONTEND_UNSUPPORTED: 'unsupported',
  FRONTEND_FAILED: 'failed',
  FRONTEND_NO_RESULT: 'failed',
  FRONTEND_NESTED: 'invalid',
});
