import { Code, ConnectError } from '@connectrpc/connect';
import { CodedError, kindOf, messageOf, type ErrorKind } from '../../base/index.ts';

/** The status each kind of error travels as (google.rpc.Code). A failed build is `Unknown`, as BuildKit's are: its clients show the message alone. */
const CODES: Readonly<Record<ErrorKind, Code>> = {
  invalid: Code.InvalidArgument,
  not_found: Code.NotFound,
  conflict: Code.AlreadyExists,
  denied: Code.PermissionDenied,
  unavailable: Code.Unavailable,
  cancelled: Code.Canceled,
  exhausted: Code.ResourceExhausted,
  unsupported: Code.Unimplemented,
  failed: Code.Unknown,
  internal: Code.Internal,
};

const KINDS: Readonly<Record<Code, ErrorKind>> = {
  [Code.Canceled]: 'cancelled',
  [Code.Unknown]: 'failed',
  [Code.InvalidArgument]: 'invalid',
  [Code.DeadlineExceeded]: 'unavailable',
  [Code.NotFound]: 'not_found',
  [Code.AlreadyExists]: 'conflict',
  [Code.PermissionDenied]: 'denied',
  [Code.ResourceExhausted]: 'exhausted',
  [Code.FailedPrecondition]: 'invalid',
  [Code.Aborted]: 'conflict',
  [Code.OutOfRange]: 'invalid',
  [Code.Unimplemented]: 'unsupported',
  [Code.Internal]: 'internal',
  [Code.Unavailable]: 'unavailable',
  [Code.DataLoss]: 'internal',
  [Code.Unauthenticated]: 'denied',
};

export type StatusDetails = ConnectError['details'];

/** An error as a status. One that is a status already stays as it is. */
export function toStatus(error: unknown, o: { readonly details?: StatusDetails } = {}): ConnectError {
  if (error instanceof ConnectError && o.details === undefined) return error;
  const remedy = error instanceof CodedError && error.remedy !== undefined ? `; ${error.remedy}` : '';
  const status = new ConnectError(messageOf(error) + remedy, CODES[kindOf(error)], undefined, undefined, error);
  status.details = o.details ?? [];
  return status;
}

/** What a server answered, or that it could not be asked, as an error of ours; the status is its `cause`. `action` comes first in its message. */
export function fromStatus(error: unknown, action?: string): CodedError {
  if (error instanceof CodedError) return error;
  const status = ConnectError.from(error);
  const name = Code[status.code] ?? 'Unknown';
  return new CodedError({
    code:
      status.code === Code.Canceled ? 'CANCELLED' : `GRPC_${name.replaceAll(/(?<=[a-z])[A-Z]/g, '_$&').toUpperCase()}`,
    kind: KINDS[status.code] ?? 'failed',
    message: action === undefined ? status.rawMessage : `${action}: ${status.rawMessage}`,
    cause: status,
  });
}
