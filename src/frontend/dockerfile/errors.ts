import { CodedError, errorTable, type SourcePlace } from '../../base/index.ts';

export const dockerfileError = errorTable({
  DOCKERFILE_NOT_FOUND: 'not_found',
  DOCKERFILE_EMPTY: 'invalid',
  DOCKERFILE_NOT_TEXT: 'invalid',
  DOCKERFILE_SYNTAX: 'invalid',
  DOCKERFILE_LINE_TOO_LONG: 'invalid',
  DOCKERFILE_DIRECTIVE: 'invalid',
  DOCKERFILE_HEREDOC: 'invalid',
  DOCKERFILE_UNKNOWN_INSTRUCTION: 'invalid',
  DOCKERFILE_FLAG: 'invalid',
  DOCKERFILE_INSTRUCTION: 'invalid',
  DOCKERFILE_EXPANSION: 'invalid',
  DOCKERFILE_NO_STAGE: 'invalid',
  DOCKERFILE_STAGE_NOT_FOUND: 'not_found',
  DOCKERFILE_STAGE_ORDER: 'invalid',
  DOCKERFILE_CIRCULAR: 'invalid',
  DOCKERFILE_BASE_NAME: 'invalid',
  DOCKERFILE_PLATFORM: 'invalid',
  DOCKERFILE_OPTION: 'invalid',
  DOCKERFILE_CONTEXT: 'invalid',
  DOCKERFILE_IGNORE_FILE: 'invalid',
  DOCKERFILE_LINT: 'invalid',
  DOCKERFILE_NOT_SUPPORTED_YET: 'unsupported',
});

/** `error` with a place and, where given, words before its message, unless it has a place; what is no CodedError comes back as it is. */
export function located(error: unknown, place: SourcePlace, before = ''): unknown {
  if (!(error instanceof CodedError) || error.place !== undefined) return error;
  return new CodedError({
    code: error.code,
    kind: error.kind,
    message: before + error.message,
    remedy: error.remedy,
    place,
    cause: error.cause ?? error,
  });
}

/** The refusal of something that is Dockerfile language but not built yet. */
export function notSupportedYet(what: string, place: SourcePlace | undefined, remedy: string): CodedError {
  return dockerfileError('DOCKERFILE_NOT_SUPPORTED_YET', `${what}: not supported yet`, { place, remedy });
}
