import { CodedError, messageOf } from '../base/index.ts';
import type { Vertex } from '../graph/index.ts';

/** The error of a step, with the place in the source that the step stands for. */
export function placed(error: unknown, vertex: Vertex): unknown {
  const { place } = vertex.label;
  if (!(error instanceof CodedError) || error.place || !place || error.kind === 'cancelled') return error;
  return new CodedError({
    code: error.code,
    kind: error.kind,
    message: messageOf(error),
    remedy: error.remedy,
    place,
    cause: error.cause,
  });
}
