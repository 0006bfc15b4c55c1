import { errorTable } from '../base/index.ts';

export const engineError = errorTable({
  FRONTEND_UNKNOWN: 'unsupported',
  EXPORT_INVALID: 'invalid',
  EXPORT_FAILED: 'failed',
  EXPORT_FULL: 'exhausted',
  DAEMON_UNREACHABLE: 'unavailable',
  DAEMON_REFUSED: 'failed',
  LOCATION_INVALID: 'invalid',
  REF_UNKNOWN: 'internal',
  STORE_UNUSABLE: 'denied',
  HOST_ABSENT: 'internal',
  BUILD_LEFT: 'cancelled',
  STORE_CORRUPT: 'failed',
});
