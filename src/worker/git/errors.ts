import { errorTable } from '../../base/index.ts';

export const gitError = errorTable({
  GIT_NOT_INSTALLED: 'unsupported',
  GIT_FAILED: 'unavailable',
  GIT_DENIED: 'denied',
  GIT_REF_NOT_FOUND: 'not_found',
  GIT_FOLDER_NOT_FOUND: 'not_found',
  GIT_CHECKSUM: 'invalid',
  GIT_SOURCE_INVALID: 'invalid',
});
