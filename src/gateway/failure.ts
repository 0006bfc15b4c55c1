import { CodedError, hasCode, kindOf, messageOf, type ErrorKind } from '../base/index.ts';
import { Code, StatusError, toStatus, type StatusDetail } from '../wire/grpc/index.ts';
import { rangesOf, sourceInfoOf } from './source-info.ts';

const OF_THE_BUILD: ReadonlySet<ErrorKind> = new Set(['invalid', 'not_found', 'conflict', 'unsupported', 'failed']);
const BUILDKIT = 'github.com/moby/buildkit/';

/** The text of the files that errors point into, by name. */
export type SourceTexts = ReadonlyMap<string, string>;

/** What went wrong with a build as its client is told: with the place in what a person wrote, as BuildKit's errdefs.Source, so that the client shows the lines. */
export function toFailure(
  thrown: unknown,
  o: { readonly texts?: SourceTexts | undefined; readonly details?: readonly StatusDetail[] | undefined } = {},
): StatusError {
  // What was stopped because of a failure elsewhere tells of that.
  const error = hasCode(thrown, 'SOLVE_STOPPED') && thrown.cause !== undefined ? thrown.cause : thrown;
  if (error instanceof StatusError) return error;
  // What a frontend that is an image said went wrong.
  if (hasCode(error, 'FRONTEND_FAILED', 'FRONTEND_UNSUPPORTED') && error.cause instanceof StatusError)
    return new StatusError(error.cause.code, error.message, { details: error.cause.details, cause: error });
  const details: StatusDetail[] = [...(o.details ?? [])];
  if (error instanceof CodedError && error.place) {
    const info = sourceInfoOf(error.place);
    const text = o.texts?.get(error.place.file);
    const [range] = rangesOf(error.place);
    details.push(
      detailOf('errdefs.Source', {
        info: {
          filename: info.filename,
          data: (text === undefined ? Buffer.from(info.data) : Buffer.from(text)).toString('base64'),
          language: info.language,
        },
        ranges: [range && { start: { line: range.start?.line ?? 0 }, end: { line: range.end?.line ?? 0 } }],
      }),
    );
  }
  // What is wrong with what was to be built is told as BuildKit does, by its words alone.
  const code = OF_THE_BUILD.has(kindOf(error)) ? Code.Unknown : toStatus(error).code;
  return new StatusError(code, messageOf(error), {
    details,
    cause: error,
  });
}

/** Details are JSON under a URL of BuildKit's own (util/grpcerrors). */
export function detailOf(name: string, value: unknown): StatusDetail {
  return { typeUrl: `${BUILDKIT}${name}+json`, value: Buffer.from(JSON.stringify(value)) };
}
