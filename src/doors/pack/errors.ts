import { errorTable } from '../../base/index.ts';

export const packError = errorTable({
  PACK_FLAG_INVALID: 'invalid',
  /** What pack can do and strake cannot. */
  PACK_UNSUPPORTED: 'unsupported',
});
