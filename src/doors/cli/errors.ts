import { errorTable } from '../../base/index.ts';

export const cliError = errorTable({
  USAGE: 'invalid',
  FILE_MISSING: 'not_found',
  CONTEXT_NOT_FOUND: 'not_found',
  CONTEXT_INVALID: 'invalid',
  CONTEXT_DENIED: 'denied',
  DOCKERFILE_MISSING: 'not_found',
  OUTPUT_TERMINAL: 'invalid',
  OUTPUT_INVALID: 'invalid',
  OUTPUT_DENIED: 'denied',
  OUTPUT_CLOSED: 'cancelled',
  SECRET_MISSING: 'not_found',
  SECRET_UNREADABLE: 'denied',
  SECRET_TOO_LARGE: 'invalid',
  AGENT_ABSENT: 'not_found',
  AGENT_UNREACHABLE: 'unavailable',
  BUILDPACK_UNSUPPORTED: 'unsupported',
  SSH_KEY_MISSING: 'not_found',
  SSH_KEY_UNREADABLE: 'denied',
  SSH_KEY_INVALID: 'invalid',
  CONFIG_INVALID: 'invalid',
  NODE_UNKNOWN: 'not_found',
  NODE_EXISTS: 'conflict',
  NODE_UNSUPPORTED: 'unsupported',
  NODE_UNREACHABLE: 'unavailable',
  LISTEN_FAILED: 'unavailable',
  REGISTER_REFUSED: 'denied',
  DOWNLOAD_FAILED: 'unavailable',
  STORE_DAMAGED: 'failed',
  BUILD_UNKNOWN: 'not_found',
  SBOM_NONE: 'not_found',
  INTERRUPTED: 'cancelled',
});

/** A command line that cannot be meant. */
export function usage(message: string, remedy?: string): Error {
  return cliError('USAGE', message, { remedy });
}
