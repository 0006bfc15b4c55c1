import { errorTable } from '../../base/index.ts';

export const executorError = errorTable({
  FLAG_INVALID: 'invalid',
  FLAGS_CONFLICT: 'invalid',
  CONTEXT_NOT_FOUND: 'not_found',
  CONTEXT_INVALID: 'invalid',
  CONTEXT_DENIED: 'denied',
  CONTEXT_FETCH_FAILED: 'unavailable',
  DOCKERFILE_MISSING: 'not_found',
  SECRET_MISSING: 'not_found',
  CERTIFICATE_UNREADABLE: 'invalid',
  PUSH_DENIED: 'denied',
  DIGEST_FILE_FAILED: 'failed',
  WARMING_FAILED: 'failed',
  OUTPUT_DENIED: 'denied',
  INTERRUPTED: 'cancelled',
});
