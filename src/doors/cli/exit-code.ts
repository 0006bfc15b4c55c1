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

/** 128 + SIGPIPE, as if the signal had ended it: the reader of standard output went away. */
export const PIPE_CODE = 141;

/** What each code means, for `strake help exit-codes`. */
export const EXIT_MEANINGS: readonly (readonly [code: number, meaning: string])[] = [
  [0, 'it worked'],
  [EXIT_CODES.failed, 'a step of the build failed, or a check found something'],
  [EXIT_CODES.invalid, 'the command line, the Dockerfile or another input cannot be meant'],
  [EXIT_CODES.not_found, 'a file, image, stage or base that was named is not there'],
  [EXIT_CODES.unavailable, 'a registry, mirror or daemon could not be reached, or has trouble of its own'],
  [EXIT_CODES.internal, 'a defect of strake; please report it'],
  [EXIT_CODES.exhausted, 'the disk is full, or another limit of the machine was met'],
  [EXIT_CODES.conflict, 'something is in use or was changed by somebody else at the same time'],
  [EXIT_CODES.denied, 'not enough rights: a login, a file or a part of the machine'],
  [EXIT_CODES.unsupported, 'this machine cannot do it, or strake cannot yet'],
  [EXIT_CODES.cancelled, 'interrupted by Ctrl-C (143 when ended by SIGTERM)'],
  [PIPE_CODE, 'the reader of standard output went away'],
];
