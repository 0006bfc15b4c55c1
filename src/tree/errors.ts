import { errorTable } from '../base/index.ts';

export const treeError = errorTable(
  {
    FILE_CHANGED: 'conflict',
    FILE_UNREADABLE: 'denied',
    TAR_CORRUPT: 'invalid',
    TAR_LIMIT: 'exhausted',
    TAR_UNSUPPORTED: 'unsupported',
    PATH_TRAVERSAL: 'denied',
    ENTRY_UNENCODABLE: 'invalid',
    COMPRESSED_CORRUPT: 'invalid',
    LAYER_CORRUPT: 'invalid',
    LAYER_MISMATCH: 'failed',
    CODEC_FAILED: 'internal',
    PATTERN_INVALID: 'invalid',
    PATH_NOT_FOUND: 'not_found',
    NOT_A_FOLDER: 'invalid',
    NOT_A_FILE: 'invalid',
    LINK_LOOP: 'invalid',
    ZIP_INVALID: 'invalid',
    ZIP_UNSUPPORTED: 'unsupported',
    EXTRACT_FAILED: 'failed',
    EXTRACT_DENIED: 'denied',
    EXTRACT_FULL: 'exhausted',
  },
  {
    LAYER_CORRUPT: 'Make or fetch the image again.',
    ENTRY_UNENCODABLE: 'Leave it out, or give it another name.',
  },
);
