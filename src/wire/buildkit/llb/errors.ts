import { errorTable } from '../../../base/index.ts';

/** Errors of definitions (LLB). What is refused is named by op and field. */
export const llbError = errorTable({
  LLB_INVALID: 'invalid',
  LLB_UNSUPPORTED: 'unsupported',
  LLB_TOO_LARGE: 'exhausted',
});
