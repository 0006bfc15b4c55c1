import { errorTable } from '../base/index.ts';

export const solveError = errorTable({
  SOLVE_CYCLE: 'internal',
  SOLVE_NO_OUTPUT: 'internal',
  SOLVE_STOPPED: 'cancelled',
});
