import { CodedError, errorTable, type SourcePlace } from '../base/index.ts';

export const hclError = errorTable({
  HCL_SYNTAX: 'invalid',
  HCL_EVALUATION: 'invalid',
});

/** What an operation or function cannot do with its values; whoever evaluates gives it a place. `argument` counts from 0. */
export class ValueError extends Error {
  readonly argument: number | undefined;

  constructor(message: string, argument?: number) {
    super(message);
    this.argument = argument;
  }
}

/** A `ValueError` as an error of the language at a place; anything else comes back as it is. */
export function placed(error: unknown, place: SourcePlace, before = ''): unknown {
  if (!(error instanceof ValueError)) return error;
  return hclError('HCL_EVALUATION', before + error.message, { place, cause: error });
}

/** True for the errors of this language, which an expression may recover from (`try`, `can`). */
export function isHclError(error: unknown): error is CodedError {
  return error instanceof CodedError && Object.hasOwn(hclError.table, error.code);
}
