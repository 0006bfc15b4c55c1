import { collect, type CodedError, type HttpResponse } from '../base/index.ts';
import { blobError } from '../blob/index.ts';
import { registryError } from './errors.ts';

/** One entry of an error answer (distribution-spec, Error Codes). */
export interface RegistryFault {
  readonly code: string;
  readonly message: string;
}

export interface FailureContext {
  /** The action, values quoted: `read manifest "host/repo:tag"`. */
  readonly what: string;
  readonly registry: string;
  /** Who asked, if anybody was logged in. */
  readonly user?: string | undefined;
  /** What a 404 with no code means here. */
  readonly missing?: 'manifest' | 'blob' | 'repository' | 'upload' | undefined;
  /** Asked when a 404 comes in no form that a registry uses. */
  readonly isRegistry?: (() => Promise<boolean>) | undefined;
  /** What the request needed, for the remedy of a 403. */
  readonly access?: 'pull' | 'push' | 'delete' | undefined;
}

/** The error that an answer stands for, whatever form its body has. Reads at most 64 KiB of it. */
export async function failureOf(response: HttpResponse, context: FailureContext): Promise<CodedError> {
  const { what, registry, user, access = 'pull' } = context;
  const { status } = response;
  const faults = await readFaults(response);
  const has = (...codes: string[]): boolean => faults.some(({ code }) => codes.includes(code));
  const said = faults
    .map(({ code, message }) => (message && code ? `${code}: ${message}` : message || code))
    .join('; ');
  const detail = said === '' ? '' : ` (${said})`;
  const login = `Log in with "strake login ${registry}".`;

  if (status === 401)
    return registryError(
      'REGISTRY_UNAUTHORIZED',
      user === undefined
        ? `${what}: registry "${registry}" wants a login, or there is no such repository${detail}`
        : `${what}: registry "${registry}" refused the login of "${user}"${detail}`,
      { remedy: login },
    );
  if (status === 403)
    return registryError(
      'REGISTRY_DENIED',
      user === undefined
        ? `${what}: registry "${registry}" denies this without a login${detail}`
        : `${what}: registry "${registry}" denies this to "${user}"${detail}`,
      {
        remedy:
          user === undefined
            ? login
            : `Ask for the right to ${access}, or log in as another user with "strake login ${registry}".`,
      },
    );
  if (status === 404) {
    if (faults.length === 0 && context.isRegistry && !(await context.isRegistry())) return notRegistry(what, registry);
    if (has('NAME_UNKNOWN')) return noRepository(what, registry, access);
    if (has('MANIFEST_UNKNOWN') || (faults.length === 0 && context.missing === 'manifest'))
      return registryError('MANIFEST_NOT_FOUND', `${what}: registry "${registry}" has no such tag or digest${detail}`, {
        remedy: 'Check the spelling of the repository and of the tag.',
      });
    if (has('BLOB_UNKNOWN') || context.missing === 'blob')
      return blobError('BLOB_NOT_FOUND', `${what}: registry "${registry}" does not have it${detail}`);
    if (has('BLOB_UPLOAD_UNKNOWN') || context.missing === 'upload')
      return registryError('UPLOAD_LOST', `${what}: registry "${registry}" has forgotten the upload${detail}`);
    if (context.missing === 'manifest')
      return registryError('MANIFEST_NOT_FOUND', `${what}: not found at registry "${registry}"${detail}`);
    return context.missing === 'repository' && faults.length === 0
      ? noRepository(what, registry, access)
      : registryError('REPOSITORY_NOT_FOUND', `${what}: not found at registry "${registry}"${detail}`);
  }
  if (status === 429) {
    const wait = response.headers['retry-after'];
    return registryError(
      'REGISTRY_LIMITED',
      `${what}: registry "${registry}" allows no more requests for now${detail}`,
      {
        remedy: `${wait === undefined ? 'Wait' : `Wait until ${/^\d+$/.test(wait) ? `${wait} s have passed` : wait}`}${user === undefined ? ', or log in, which often allows more' : ''}.`,
      },
    );
  }
  if (status >= 500 || status === 408 || status === 499)
    return registryError('REGISTRY_FAILED', `${what}: registry "${registry}" failed with status ${status}${detail}`, {
      remedy: 'Try again later, or tell whoever runs the registry.',
    });
  if (status === 405 || status === 415 || has('UNSUPPORTED'))
    return registryError(
      'REGISTRY_UNSUPPORTED',
      `${what}: registry "${registry}" does not support this, status ${status}${detail}`,
    );
  if (status === 413)
    return registryError(
      'REGISTRY_REFUSED',
      `${what}: registry "${registry}", or a proxy before it, says this is too large${detail}`,
    );
  if (status >= 300 && status < 400)
    return registryError(
      'REGISTRY_PROTOCOL',
      `${what}: registry "${registry}" answered with redirect ${status} that leads nowhere`,
    );
  if (status >= 200 && status < 300)
    return registryError(
      'REGISTRY_PROTOCOL',
      `${what}: registry "${registry}" answered ${status}, which is not what the protocol says`,
    );
  return registryError('REGISTRY_REFUSED', `${what}: registry "${registry}" refused it with status ${status}${detail}`);
}

/** The error for a host that answers, but not as a registry. */
export function notRegistry(what: string, registry: string): CodedError {
  return registryError('NOT_A_REGISTRY', `${what}: "${registry}" does not answer as a registry does`, {
    remedy: 'Check the host and port: this may be a web site, or the registry may be on another port.',
  });
}

function noRepository(what: string, registry: string, access: string): CodedError {
  return registryError('REPOSITORY_NOT_FOUND', `${what}: registry "${registry}" has no such repository`, {
    remedy:
      access === 'push'
        ? 'Create the repository first: this registry does not do so by itself.'
        : 'Check the spelling of the repository.',
  });
}

/** The codes and messages of an error answer; nothing where the body has another form. */
async function readFaults(response: HttpResponse): Promise<readonly RegistryFault[]> {
  try {
    const text = Buffer.from(await collect(response.body, { limit: 64 * 1024 })).toString();
    const { errors } = JSON.parse(text) as { errors?: unknown };
    if (!Array.isArray(errors)) return [];
    return errors.slice(0, 3).map((entry: { code?: unknown; message?: unknown } | null) => ({
      code: clean(entry?.code),
      message: clean(entry?.message),
    }));
  } catch {
    return [];
  } finally {
    await response[Symbol.asyncDispose]();
  }
}

function clean(value: unknown): string {
  return typeof value === 'string'
    ? value
        .replace(/[\x00-\x1f\x7f]+/g, ' ')
        .trim()
        .slice(0, 300)
    : '';
}
