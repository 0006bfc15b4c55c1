import { CodedError, hasCode, kindOf, messageOf } from '../base/index.ts';
import { Code, StatusError, toStatus, type StatusDetail } from '../wire/grpc/index.ts';
import { rangesOf, sourceInfoOf } from './source-info.ts';

const ERRDEFS = 'github.com/moby/buildkit/errdefs.';

/** The text of the files that errors point into, by name. */
export type SourceTexts = ReadonlyMap<string, string>;

/** What went wrong with a build as its client is told: with the place in what a person wrote, as BuildKit's errdefs.Source, so that the client shows the lines. */
export function toFailure(error: unknown, o: { readonly texts?: SourceTexts | undefined } = {}): StatusError {
  if (error instanceof StatusError) return error;
  const details: StatusDetail[] = [];
  if (error instanceof CodedError && error.place) {
    const info = sourceInfoOf(error.place);
    const text = o.texts?.get(error.place.file);
    const [range] = rangesOf(error.place);
    details.push(
      detail('Source', {
        info: {
          filename: info.filename,
          data: (text === undefined ? Buffer.from(info.data) : Buffer.from(text)).toString('base64'),
          language: info.language,
        },
        ranges: [range && { start: { line: range.start?.line ?? 0 }, end: { line: range.end?.line ?? 0 } }],
      }),
    );
  }
  const code = kindOf(error) === 'failed' && hasCode(error, 'STEP_FAILED') ? Code.Unknown : toStatus(error).code;
  const remedy = error instanceof CodedError && error.remedy !== undefined ? `; ${error.remedy}` : '';
  return new StatusError(code, messageOf(error) + (hasCode(error, 'STEP_FAILED') ? '' : remedy), {
    details,
    cause: error,
  });
}

/** Details are JSON under a URL of BuildKit's own (util/grpcerrors). */
function detail(name: string, value: object): StatusDetail {
  return { typeUrl: `${ERRDEFS}${name}+json`, value: Buffer.from(JSON.stringify(value)) };
}
