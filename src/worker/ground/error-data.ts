import { CodedError, kindOf, messageOf, type ErrorKind, type SourcePlace } from '../../base/index.ts';

/** An error as JSON. */
export interface ErrorData {
  readonly code: string;
  readonly kind: ErrorKind;
  readonly message: string;
  readonly remedy?: string | undefined;
  readonly place?: SourcePlace | undefined;
}

export function errorData(error: unknown): ErrorData {
  if (error instanceof CodedError) {
    const { code, kind, message, remedy, place } = error;
    return { code, kind, message, remedy, place };
  }
  const { code } = error as { code?: unknown };
  return { code: typeof code === 'string' ? code : 'KEEPER_FAILED', kind: kindOf(error), message: messageOf(error) };
}

export function errorOf(data: ErrorData): CodedError {
  return new CodedError(data);
}
