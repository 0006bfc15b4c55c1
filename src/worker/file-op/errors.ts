import { errorTable } from '../../base/index.ts';

export const fileOpError = errorTable({
  FILE_CONFLICT: 'invalid',
  FOLDER_MISSING: 'not_found',
  MODE_INVALID: 'invalid',
  USER_FILE_INVALID: 'invalid',
  ARCHIVE_INVALID: 'invalid',
});
