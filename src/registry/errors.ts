import { errorTable } from '../base/index.ts';

export const registryError = errorTable({
  REGISTRY_UNREACHABLE: 'unavailable',
  REGISTRY_TLS: 'denied',
  REGISTRY_UNAUTHORIZED: 'denied',
  REGISTRY_DENIED: 'denied',
  REGISTRY_UNSAFE: 'denied',
  REGISTRY_LIMITED: 'exhausted',
  REGISTRY_FAILED: 'unavailable',
  REGISTRY_REFUSED: 'invalid',
  REGISTRY_UNSUPPORTED: 'unsupported',
  REGISTRY_PROTOCOL: 'failed',
  REGISTRY_TRUNCATED: 'unavailable',
  NOT_A_REGISTRY: 'invalid',
  REPOSITORY_NOT_FOUND: 'not_found',
  MANIFEST_NOT_FOUND: 'not_found',
  MANIFEST_CORRUPT: 'failed',
  UPLOAD_LOST: 'unavailable',
  CREDENTIALS_INVALID: 'invalid',
  CREDENTIAL_HELPER_FAILED: 'failed',
  CERTIFICATES_INVALID: 'invalid',
});
