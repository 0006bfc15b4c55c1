import { getSystemErrorMessage } from 'node:util';

/** The closed set of meanings an error can have. Retry, exit code, gRPC and HTTP status each map this in one place. */
export type ErrorKind =
  | 'invalid'
  | 'not_found'
  | 'conflict'
  | 'denied'
  | 'unavailable'
  | 'cancelled'
  | 'exhausted'
  | 'unsupported'
  | 'failed'
  | 'internal';

/** A place in something a person wrote. Lines and columns count from 1; `endLine` is inclusive. */
export interface SourcePlace {
  readonly file: string;
  readonly line: number;
  readonly column?: number | undefined;
  readonly endLine?: number | undefined;
  /** The source lines `line`..`endLine`, to be quoted under the message. */
  readonly text?: string | undefined;
}

export interface CodedErrorInit {
  readonly code: string;
  readonly kind: ErrorKind;
  /** The action that failed, values quoted, colon, detail. No full stop, no remedy. */
  readonly message: string;
  /** What to do about it, as one sentence in the imperative. */
  readonly remedy?: string | undefined;
  readonly place?: SourcePlace | undefined;
  readonly cause?: unknown;
}

/** Every error that strake throws on purpose. */
export class CodedError extends Error {
  readonly code: string;
  readonly kind: ErrorKind;
  readonly remedy: string | undefined;
  readonly place: SourcePlace | undefined;

  constructor(init: CodedErrorInit) {
    super(init.message, init.cause === undefined ? undefined : { cause: init.cause });
    this.name = 'CodedError';
    this.code = init.code;
    this.kind = init.kind;
    this.remedy = init.remedy;
    this.place = init.place;
  }
}

export type ErrorDetails = Omit<CodedErrorInit, 'code' | 'kind' | 'message'>;

/**
 * A room's table of errors: `const fail = errorTable({ BLOB_NOT_FOUND: 'not_found' })`, then `throw fail('BLOB_NOT_FOUND', message)`.
 * `remedies` has what helps against a code wherever it comes up; `details.remedy` goes before it.
 * The table is kept on the function, so that `docs/errors.md` can be generated.
 */
export function errorTable<const T extends Readonly<Record<string, ErrorKind>>>(
  table: T,
  remedies: { readonly [Code in keyof T]?: string } = {},
): ((code: keyof T & string, message: string, details?: ErrorDetails) => CodedError) & { readonly table: T } {
  const fail = (code: keyof T & string, message: string, details: ErrorDetails = {}): CodedError =>
    new CodedError({
      ...details,
      code,
      kind: table[code] as ErrorKind,
      message,
      remedy: details.remedy ?? remedies[code],
    });
  return Object.assign(fail, { table });
}

/** What went wrong first, where giving things back went wrong after it (`using`). */
export function firstFailure(error: unknown): unknown {
  let first = error;
  while (first instanceof SuppressedError) first = first.suppressed;
  return first;
}

/** What an unknown thrown value means. */
export function kindOf(thrown: unknown): ErrorKind {
  const error = firstFailure(thrown);
  if (error instanceof CodedError) return error.kind;
  if (error instanceof Error && error.name === 'AbortError') return 'cancelled';
  const errno = (error as NodeJS.ErrnoException | undefined)?.code;
  return (typeof errno === 'string' ? ERRNO_KINDS[errno] : undefined) ?? 'internal';
}

/** True when `error` is a CodedError with one of these codes. */
export function hasCode(error: unknown, ...codes: string[]): error is CodedError {
  return error instanceof CodedError && codes.includes(error.code);
}

/** True when `error` is a system error with one of these names, as `ENOENT`. */
export function hasErrno(error: unknown, ...names: string[]): error is NodeJS.ErrnoException {
  const code = (error as NodeJS.ErrnoException | undefined)?.code;
  return typeof code === 'string' && names.includes(code);
}

/** One line for an unknown thrown value; for a system error words instead of its name: `permission denied (open "/x")`. */
export function messageOf(thrown: unknown): string {
  const error = firstFailure(thrown);
  if (!(error instanceof Error)) return String(error);
  const system = systemFailure(error);
  if (!system) return error.message;
  return system.action === undefined ? system.words : `${system.words} (${system.action})`;
}

/** `messageOf` without what was done, for a message that begins with that. */
export function reasonOf(thrown: unknown): string {
  return systemFailure(firstFailure(thrown))?.words ?? messageOf(thrown);
}

/** A system error in words: what was done (`open "/x"`) and what came of it (`permission denied`). Undefined for anything else. */
export function systemFailure(
  error: unknown,
): { readonly action?: string | undefined; readonly words: string } | undefined {
  if (error instanceof CodedError || !(error instanceof Error)) return undefined;
  const { code, errno, syscall, path } = error as NodeJS.ErrnoException;
  if (typeof code !== 'string' || typeof errno !== 'number' || syscall === undefined) return undefined;
  const words = ERRNO_WORDS[code] ?? getSystemErrorMessage(errno) ?? code;
  const { dest, address, port, hostname } = error as {
    dest?: string;
    address?: string;
    port?: number;
    hostname?: string;
  };
  if (syscall.startsWith('spawn ')) return { action: `start "${path ?? syscall.slice(6)}"`, words };
  if (hostname !== undefined) return { action: `look up "${hostname}"`, words };
  if (address !== undefined)
    return { action: `${syscall} ${port === undefined || port < 0 ? address : `${address}:${port}`}`, words };
  if (path === undefined) return { words };
  return { action: `${syscall} "${path}"${dest === undefined ? '' : ` to "${dest}"`}`, words };
}

const ERRNO_WORDS: Readonly<Record<string, string>> = {
  EAI_AGAIN: 'the name server does not answer',
  ECONNRESET: 'the connection was broken off',
  ENOENT: 'no such file or folder',
  ENOTDIR: 'not a folder',
  ENOTFOUND: 'there is no such host',
  EISDIR: 'it is a folder',
};

const ERRNO_KINDS: Readonly<Record<string, ErrorKind>> = {
  ENOENT: 'not_found',
  ENOTDIR: 'not_found',
  EEXIST: 'conflict',
  EBUSY: 'conflict',
  EACCES: 'denied',
  EPERM: 'denied',
  EROFS: 'denied',
  ENOSPC: 'exhausted',
  EDQUOT: 'exhausted',
  EMFILE: 'exhausted',
  ENFILE: 'exhausted',
  ENOMEM: 'exhausted',
  ECONNREFUSED: 'unavailable',
  ECONNRESET: 'unavailable',
  EPIPE: 'unavailable',
  ETIMEDOUT: 'unavailable',
  EHOSTUNREACH: 'unavailable',
  ENETUNREACH: 'unavailable',
  ENOTFOUND: 'unavailable',
  EAI_AGAIN: 'unavailable',
};
