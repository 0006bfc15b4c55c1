import { errorTable } from '../base/index.ts';

export const engineError = errorTable(
  {
    FRONTEND_UNKNOWN: 'unsupported',
    EXPORT_INVALID: 'invalid',
    EXPORT_FAILED: 'failed',
    EXPORT_FULL: 'exhausted',
    EXPORT_DENIED: 'denied',
    EXPORT_NO_FOLDER: 'not_found',
    DAEMON_UNREACHABLE: 'unavailable',
    DAEMON_REFUSED: 'failed',
    LOCATION_INVALID: 'invalid',
    REF_UNKNOWN: 'internal',
    PATH_NOT_FOUND: 'not_found',
    STORE_UNUSABLE: 'denied',
    HOST_ABSENT: 'internal',
    BUILD_LEFT: 'cancelled',
    STORE_CORRUPT: 'failed',
    CACHE_FOREIGN: 'unsupported',
    CACHE_INVALID: 'invalid',
    CACHE_NONE: 'not_found',
    REBASE_NO_RUN_IMAGE: 'not_found',
    REBASE_NO_TAG: 'invalid',
    REBASE_NESTED: 'unsupported',
  },
  {
    EXPORT_FAILED: 'See what the message says, and write to another place.',
    HOST_ABSENT: 'Report it: whoever asked for this build did not offer what it needs.',
  },
);
