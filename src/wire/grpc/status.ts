import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import type { Any } from '@bufbuild/protobuf/wkt';
import { CodedError, kindOf, messageOf, type ErrorKind } from '../../base/index.ts';
import { StatusSchema } from '../gen/grpc/status_pb.ts';
import { Metadata } from './metadata.ts';

/** google.rpc.Code */
export const Code = {
  OK: 0,
  Canceled: 1,
  Unknown: 2,
  InvalidArgument: 3,
  DeadlineExceeded: 4,
  NotFound: 5,
  AlreadyExists: 6,
  PermissionDenied: 7,
  ResourceExhausted: 8,
  FailedPrecondition: 9,
  Aborted: 10,
  OutOfRange: 11,
  Unimplemented: 12,
  Internal: 13,
  Unavailable: 14,
  DataLoss: 15,
  Unauthenticated: 16,
} as const;
export type Code = (typeof Code)[keyof typeof Code];

/** The status each kind of error travels as. A failed build is `Unknown`, as BuildKit's are: its clients show the message alone. */
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

const KINDS: Readonly<Record<number, ErrorKind>> = {
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

/** What a detail of a status is: `typeUrl` ends in the name of its message, or in that and `+json`. */
export type StatusDetail = Pick<Any, 'typeUrl' | 'value'>;

/** A status other than OK, as it travels. */
export class StatusError extends Error {
  readonly code: Code;
  readonly details: readonly StatusDetail[];

  constructor(code: Code, message: string, o: { details?: readonly StatusDetail[] | undefined; cause?: unknown } = {}) {
    super(message, o.cause === undefined ? undefined : { cause: o.cause });
    this.name = 'StatusError';
    this.code = code;
    this.details = o.details ?? [];
  }
}

/** An error as a status. One that is a status already stays as it is, but for details that are given here. */
export function toStatus(error: unknown, o: { details?: readonly StatusDetail[] | undefined } = {}): StatusError {
  if (error instanceof StatusError)
    return o.details === undefined ? error : new StatusError(error.code, error.message, { ...o, cause: error });
  const remedy = error instanceof CodedError && error.remedy !== undefined ? `; ${error.remedy}` : '';
  return new StatusError(CODES[kindOf(error)], messageOf(error) + remedy, { ...o, cause: error });
}

/** What a server answered, or that it could not be asked, as an error of ours; the status is its `cause`. `action` comes first in its message. */
export function fromStatus(error: unknown, action?: string): CodedError {
  if (error instanceof CodedError) return error;
  const status = toStatus(error);
  const name = Object.keys(Code).find((key) => Code[key as keyof typeof Code] === status.code) ?? 'Unknown';
  return new CodedError({
    code:
      status.code === Code.Canceled ? 'CANCELLED' : `GRPC_${name.replaceAll(/(?<=[a-z])[A-Z]/g, '_$&').toUpperCase()}`,
    kind: KINDS[status.code] ?? 'failed',
    message: action === undefined ? status.message : `${action}: ${status.message}`,
    cause: status,
  });
}

/** The trailers that tell a status. */
export function trailersOf(status: StatusError | undefined): Metadata {
  if (!status) return new Metadata({ 'grpc-status': '0' });
  const trailers = new Metadata({ 'grpc-status': String(status.code), 'grpc-message': escaped(status.message) });
  if (status.details.length > 0) {
    const details = status.details.map(({ typeUrl, value }) => ({ typeUrl, value }));
    const told = create(StatusSchema, { code: status.code, message: status.message, details });
    trailers.append(
      'grpc-status-details-bin',
      Buffer.from(toBinary(StatusSchema, told)).toString('base64').replaceAll('=', ''),
    );
  }
  return trailers;
}

/** The status that trailers tell; undefined for OK. */
export function statusOf(trailers: Metadata): StatusError | undefined {
  const text = trailers.get('grpc-status');
  if (text === undefined)
    return new StatusError(Code.Unavailable, 'the server ended the call without saying what came of it');
  const code = /^\d{1,3}$/.test(text) ? Number(text) : Code.Unknown;
  if (code === Code.OK) return undefined;
  const told = trailers.bytes('grpc-status-details-bin');
  let details: readonly StatusDetail[] = [];
  try {
    if (told) ({ details } = fromBinary(StatusSchema, told));
  } catch {
    // Details that cannot be read take nothing from the status itself.
  }
  const known = Object.values(Code).find((one) => one === code) ?? Code.Unknown;
  return new StatusError(known, unescaped(trailers.get('grpc-message') ?? ''), { details });
}

/** Percent-encoding of all but printable ASCII and "%" (PROTOCOL-HTTP2.md, Status-Message). */
function escaped(message: string): string {
  return [...Buffer.from(message)]
    .map((byte) =>
      byte >= 0x20 && byte < 0x7f && byte !== 0x25
        ? String.fromCharCode(byte)
        : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`,
    )
    .join('');
}

function unescaped(text: string): string {
  const bytes: number[] = [];
  const raw = Buffer.from(text);
  for (let at = 0; at < raw.length; at++) {
    const hex = raw.toString('latin1', at + 1, at + 3);
    if (raw[at] === 0x25 && /^[0-9a-fA-F]{2}$/.test(hex)) {
      bytes.push(Number.parseInt(hex, 16));
      at += 2;
    } else bytes.push(raw[at] as number);
  }
  return Buffer.from(bytes).toString();
}
