import type { ErrorKind } from '../../base/index.ts';

/** Exit codes by kind of error (sysexits.h where it has a name for the thing). A failed step is 1, as everywhere. */
export const EXIT_CODES: Readonly<Record<ErrorKind, number>> = {
  failed: 1,
  invalid: 64,
  not_found: 66,
  unavailable: 69,
  internal: 70,
  exhausted: 74,
  conflict: 75,
  denied: 77,
  unsupported: 78,
  cancelled: 130,
};
