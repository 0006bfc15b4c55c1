import { errorTable } from '../../base/index.ts';

export const groundError = errorTable({
  GROUND_UNAVAILABLE: 'unsupported',
  KEEPER_FAILED: 'failed',
  KEEPER_LOST: 'unavailable',
  KEEPER_PROTOCOL: 'internal',
  CONNECTION_REFUSED: 'unavailable',
});
