import { errorTable } from '../base/index.ts';

export const graphError = errorTable({
  GIT_ADDRESS_INVALID: 'invalid',
  SOURCE_DENIED: 'denied',
  SOURCE_POLICY_INVALID: 'invalid',
});
