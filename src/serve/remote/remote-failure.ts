import { CodedError, type SourcePlace } from '../../base/index.ts';
import { placeOf } from '../../gateway/index.ts';
import type { Vertex } from '../../graph/index.ts';
import { fromStatus, StatusError } from '../../wire/grpc/index.ts';

interface Details {
  readonly vertex?: string | undefined;
  readonly place?: SourcePlace | undefined;
}

const PROCESS = /process ".*" did not complete successfully: /s;

/** What a daemon says went wrong with a build, as an error of ours with its place in what a person wrote. */
export function remoteFailure(error: unknown, stepOf: (wire: string) => Vertex | undefined): unknown {
  const status = statusOf(error);
  if (!status) return error;
  const coded = error instanceof CodedError ? error : fromStatus(status);
  if (coded.place) return coded;
  const { vertex, place } = detailsOf(status);
  const message = coded.message.replace(/^(?:failed to solve: )+/, '');
  const at = message.search(PROCESS);
  const isStep = at >= 0 && coded.kind === 'failed';
  return new CodedError({
    code: isStep ? 'STEP_FAILED' : coded.code,
    kind: coded.kind,
    message: isStep ? message.slice(at) : message,
    remedy: coded.remedy,
    place: (vertex === undefined ? undefined : stepOf(vertex)?.label.place) ?? place,
    cause: status,
  });
}

function statusOf(error: unknown): StatusError | undefined {
  if (error instanceof StatusError) return error;
  return error instanceof CodedError && error.cause instanceof StatusError ? error.cause : undefined;
}

/** BuildKit's details are JSON under URLs of its own (util/grpcerrors, errdefs). */
function detailsOf(status: StatusError): Details {
  const said = status.details.find(({ typeUrl }) => typeUrl.endsWith('errdefs.Vertex+json'));
  return { vertex: said && digestIn(said.value), place: placeOf(status) };
}

function digestIn(value: Uint8Array): string | undefined {
  try {
    const { digest } = JSON.parse(Buffer.from(value).toString()) as { readonly digest?: string };
    return digest;
  } catch {
    return undefined;
  }
}
