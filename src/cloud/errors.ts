import { errorTable } from '../base/index.ts';

export const cloudError = errorTable({
  CLOUD_LOGIN_MISSING: 'denied',
  CLOUD_LOGIN_FAILED: 'denied',
  CLOUD_DENIED: 'denied',
  CLOUD_FAILED: 'unavailable',
  CLOUD_LIMITED: 'exhausted',
  CLOUD_SETTING: 'invalid',
});
