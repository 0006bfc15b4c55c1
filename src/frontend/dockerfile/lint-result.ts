import type { CodedError, SourcePlace } from '../../base/index.ts';
import type { Warning } from '../index.ts';
import { excerpt } from './excerpt.ts';
import type { Range, SourceText } from './text.ts';

/** What looking through a Dockerfile came to. */
export interface LintFindings {
  readonly source: SourceText;
  readonly warnings: readonly Warning[];
  /** What would make a build fail. */
  readonly error: CodedError | undefined;
}

/** `result.json` of the subrequest frontend.lint. */
export function lintJson({ source, warnings, error }: LintFindings): object {
  return {
    warnings: warnings.map(({ code, detail, url, message, place }) => ({
      ruleName: code,
      description: detail,
      url,
      detail: message,
      location: locationOf(place === undefined ? undefined : rangeOf(place)),
    })),
    sources: [{ filename: source.file, data: Buffer.from(source.text).toString('base64'), language: 'Dockerfile' }],
    ...(error === undefined
      ? {}
      : {
          buildError: {
            message: error.message,
            location: locationOf(error.place?.file === source.file ? rangeOf(error.place) : undefined),
            // Of our own: BuildKit's clients leave it unread.
            remedy: error.remedy,
          },
        }),
  };
}

/** `result.txt`: the warnings in the order of the file, each with its lines. */
export function lintText({ source, warnings }: LintFindings): string {
  return [...warnings]
    .sort((a, b) => (a.place?.line ?? 0) - (b.place?.line ?? 0))
    .map(({ code, url, message, place }) => {
      const head = `\nWARNING: ${code}${url === undefined ? '' : ` - ${url}`}\n${message}\n`;
      return head + (place === undefined ? '' : excerpt(source.file, source.text, rangeOf(place)));
    })
    .join('');
}

function rangeOf({ line, column = 1, endLine = line }: SourcePlace): Range {
  return { start: { line, column }, end: { line: endLine, column: column + 1 } };
}

/** BuildKit's Location: lines counted from 1, no columns. */
export function locationOf(range: Range | undefined): object {
  if (range === undefined) return {};
  const { start, end } = range;
  const endLine = end.column === 1 && end.line > start.line ? end.line - 1 : end.line;
  return { ranges: [{ start: { line: start.line }, end: { line: endLine } }] };
}
