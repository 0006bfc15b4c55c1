import { errorTable } from '../../base/index.ts';

export const downloadError = errorTable({
  DOWNLOAD_FAILED: 'unavailable',
  DOWNLOAD_NOT_FOUND: 'not_found',
  DOWNLOAD_DENIED: 'denied',
  DOWNLOAD_REDIRECT: 'invalid',
  DOWNLOAD_CHECKSUM: 'invalid',
});
