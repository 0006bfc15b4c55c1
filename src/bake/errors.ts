import { errorTable } from '../base/index.ts';

export const bakeError = errorTable({
  BAKE_NO_FILE: 'not_found',
  BAKE_INVALID: 'invalid',
  BAKE_VARIABLE: 'invalid',
  BAKE_TARGET_NOT_FOUND: 'not_found',
  BAKE_OVERRIDE: 'invalid',
  BAKE_COMPOSE: 'invalid',
  BAKE_DENIED: 'denied',
});
