import { CodedError, type SourcePlace } from '../../base/index.ts';
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
  let vertex: string | undefined;
  let place: SourcePlace | undefined;
  for (const detail of status.details) {
    const said = parsed(detail.value);
    if (detail.typeUrl.endsWith('errdefs.Vertex+json')) vertex ??= said?.digest;
    if (detail.typeUrl.endsWith('errdefs.Source+json')) place ??= placeOf(said);
  }
  return { vertex, place };
}

interface Said {
  readonly digest?: string;
  readonly info?: { readonly filename?: string; readonly data?: string };
  readonly ranges?: readonly {
    readonly start?: { readonly line?: number };
    readonly end?: { readonly line?: number };
  }[];
}

function parsed(value: Uint8Array): Said | undefined {
  try {
    return JSON.parse(Buffer.from(value).toString()) as Said;
  } catch {
    return undefined;
  }
}

function placeOf(said: Said | undefined): SourcePlace | undefined {
  const range = said?.ranges?.[0];
  const line = range?.start?.line;
  const file = said?.info?.filename;
  if (file === undefined || line === undefined) return undefined;
  const endLine = range?.end?.line ?? line;
  const lines = Buffer.from(said?.info?.data ?? '', 'base64')
    .toString()
    .split('\n');
  return { file, line, endLine, text: lines.slice(line - 1, endLine).join('\n') };
}
