import { errorTable } from '../base/index.ts';

export const supplyError = errorTable({
  ATTESTATION_INVALID: 'invalid',
  ATTESTATION_UNSUPPORTED: 'unsupported',
});
