import { errorTable } from '../base/index.ts';

export const imageError = errorTable({
  REFERENCE_INVALID: 'invalid',
  PLATFORM_INVALID: 'invalid',
  PLATFORM_NOT_FOUND: 'not_found',
  MANIFEST_INVALID: 'invalid',
  MANIFEST_TOO_LARGE: 'invalid',
  MANIFEST_UNSUPPORTED: 'unsupported',
  CONFIG_INVALID: 'invalid',
  ANNOTATIONS_UNSUPPORTED: 'unsupported',
  LAYER_CORRUPT: 'failed',
  LAYER_UNSUPPORTED: 'unsupported',
  LAYOUT_INVALID: 'invalid',
  LAYOUT_NO_SUCH_IMAGE: 'not_found',
  LAYOUT_SEVERAL_IMAGES: 'invalid',
  ARCHIVE_INVALID: 'invalid',
  ARCHIVE_NOT_FOUND: 'not_found',
  IMAGE_INVALID: 'invalid',
  IMAGE_NOT_FOUND: 'not_found',
  IMAGE_AMBIGUOUS: 'conflict',
});
