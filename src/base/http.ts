import type { Readable } from 'node:stream';
import type { Dispatcher } from 'undici';
import { errorTable, messageOf } from './error.ts';
import { cancelled, type Wait } from './wait.ts';
import type { Bytes } from './bytes.ts';

export const httpError = errorTable({ HTTP_UNREACHABLE: 'unavailable', HTTP_TLS: 'denied' });

export interface HttpRequest extends Wait {
  readonly method: 'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  readonly url: string | URL;
  readonly headers?: Readonly<Record<string, string>> | undefined;
  readonly body?: Uint8Array | Bytes | undefined;
  /** Milliseconds without a byte of the answer after which the request fails. */
  readonly idleTimeout?: number | undefined;
}

/** Redirects are never followed here: whoever asks knows which headers may travel. */
export interface HttpResponse {
  readonly status: number;
  /** Names in lower case; several values of one name joined by ", ", except `www-authenticate` and `warning`, see `all`. */
  readonly headers: Readonly<Record<string, string>>;
  all(name: string): readonly string[];
  /** Must be read to its end or disposed of, so that the connection is given back. */
  readonly body: Bytes;
  [Symbol.asyncDispose](): Promise<void>;
}

export interface HttpOptions {
  /** PEM certificates trusted in addition to the system's. */
  readonly ca?: readonly string[] | undefined;
  readonly clientCertificate?: { readonly cert: string; readonly key: string } | undefined;
  readonly skipVerify?: boolean | undefined;
  /** Speak to this unix socket whatever the URL's host. */
  readonly socketPath?: string | undefined;
}

/** One pool of connections. Proxies come from HTTP_PROXY, HTTPS_PROXY and NO_PROXY in either case. */
export class HttpClient implements AsyncDisposable {
  readonly #options: HttpOptions;
  #dispatcher: Promise<Dispatcher> | undefined;

  constructor(options: HttpOptions = {}) {
    this.#options = options;
  }

  /** Throws `HTTP_UNREACHABLE` or `HTTP_TLS`; an HTTP status is never an error here. */
  async request(request: HttpRequest): Promise<HttpResponse> {
    this.#dispatcher ??= connectWith(this.#options);
    const dispatcher = await this.#dispatcher;
    const url = new URL(request.url);
    try {
      const answer = await dispatcher.request({
        origin: url.origin,
        path: url.pathname + url.search,
        method: request.method,
        headers: { 'user-agent': 'strake', ...request.headers },
        body:
          request.body === undefined
            ? null
            : request.body instanceof Uint8Array
              ? request.body
              : await readable(request.body),
        signal: request.signal ?? null,
        bodyTimeout: request.idleTimeout ?? 120_000,
        headersTimeout: request.idleTimeout ?? 120_000,
      });
      const headers: Record<string, string> = {};
      const lists = new Map<string, string[]>();
      for (const [name, value] of Object.entries(answer.headers)) {
        if (value === undefined) continue;
        lists.set(name, Array.isArray(value) ? value : [value]);
        headers[name] = Array.isArray(value) ? value.join(', ') : value;
      }
      return {
        status: answer.statusCode,
        headers,
        all: (name) => lists.get(name) ?? [],
        body: guarded(answer.body, url, request),
        [Symbol.asyncDispose]: async () => {
          answer.body.on('error', () => undefined);
          answer.body.destroy();
        },
      };
    } catch (error) {
      throw translate(error, url, request);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await (await this.#dispatcher)?.destroy();
  }
}

/** A URL fit to be printed: no user, password or query. */
export function redactUrl(url: string | URL): string {
  try {
    const parsed = new URL(url);
    return `${parsed.protocol}//${parsed.host}${parsed.pathname}`;
  } catch {
    return '(invalid URL)';
  }
}

async function connectWith(options: HttpOptions): Promise<Dispatcher> {
  const { Agent, EnvHttpProxyAgent } = await import('undici');
  const connect: Record<string, unknown> = {};
  if (options.ca && options.ca.length > 0) {
    const tls = await import('node:tls');
    connect['ca'] = [...tls.getCACertificates('default'), ...options.ca];
  }
  if (options.clientCertificate) Object.assign(connect, options.clientCertificate);
  if (options.skipVerify) connect['rejectUnauthorized'] = false;
  if (options.socketPath !== undefined) return new Agent({ connect: { ...connect, socketPath: options.socketPath } });
  const tls = { connect, requestTls: connect };
  return new EnvHttpProxyAgent({ ...tls, connections: 16, keepAliveTimeout: 10_000 });
}

async function readable(bytes: Bytes): Promise<Readable> {
  const stream = await import('node:stream');
  return stream.Readable.from(bytes, { objectMode: false, highWaterMark: 1 << 20 });
}

async function* guarded(body: AsyncIterable<Uint8Array>, url: URL, w: Wait): Bytes {
  try {
    yield* body;
  } catch (error) {
    throw translate(error, url, w);
  }
}

function translate(error: unknown, url: URL, w: Wait): Error {
  if (w.signal?.aborted) return cancelled(w.signal.reason);
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  const code = (cause as NodeJS.ErrnoException | undefined)?.code ?? '';
  const detail = messageOf(cause) || code;
  if (/CERT|SIGNED|TLS|SSL|UNABLE_TO/.test(code))
    return httpError('HTTP_TLS', `connect to "${url.host}": ${detail}`, {
      cause: error,
      remedy: 'Trust the certificate authority of this host, or name it as an insecure registry.',
    });
  return httpError('HTTP_UNREACHABLE', `connect to "${url.host}": ${detail}`, { cause: error });
}
