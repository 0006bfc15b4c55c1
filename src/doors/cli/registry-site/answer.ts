/** What a request is answered with, before it is compressed. */
export interface Answer {
  readonly status: number;
  readonly type: string;
  readonly body: string;
  readonly headers?: Readonly<Record<string, string>> | undefined;
}

/** A request as the pages and the API see it. */
export interface SiteRequest {
  readonly method: string;
  /** Decoded, without the slash at its beginning. */
  readonly path: readonly string[];
  readonly query: URLSearchParams;
  /** The one registry that is asked, where the address names it (`/r/NAME/…`). */
  readonly registry?: string | undefined;
  /** Of the Authorization header; undefined without one. */
  readonly bearer: string | undefined;
  /** Where this server is, as the one who asks calls it, with a slash at its end. */
  readonly address: string;
  /** What was sent. Throws `SiteRefusal` for more than is taken. */
  body(): Promise<string>;
  readonly signal: AbortSignal;
}

/** An answer that says no. */
export class SiteRefusal extends Error {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;

  constructor(status: number, message: string, headers: Readonly<Record<string, string>> = {}) {
    super(message);
    this.status = status;
    this.headers = headers;
  }
}

export function jsonAnswer(value: unknown, status = 200): Answer {
  return { status, type: 'application/json', body: `${JSON.stringify(value, undefined, 1)}\n` };
}
