import { errorTable } from '../base/index.ts';

export const serveError = errorTable({
  BUILD_UNKNOWN: 'not_found',
  BUILD_EXISTS: 'conflict',
  BUILD_ENDED: 'conflict',
  SESSION_UNKNOWN: 'not_found',
  SESSION_INVALID: 'invalid',
  SESSION_GONE: 'cancelled',
  CLIENT_GONE: 'cancelled',
  SOLVE_INVALID: 'invalid',
  SOLVE_UNSUPPORTED: 'unsupported',
  EXPORTER_INVALID: 'invalid',
  EXPORTER_UNSUPPORTED: 'unsupported',
  CACHE_INVALID: 'invalid',
  CACHE_UNSUPPORTED: 'unsupported',
  ENTITLEMENT_DENIED: 'denied',
  SERVER_DRAINING: 'unavailable',
  HISTORY_UNKNOWN: 'not_found',
  FILTER_INVALID: 'invalid',
});
