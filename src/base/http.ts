import { accessSync, constants, readFileSync, statSync } from 'node:fs';
import type { Socket } from 'node:net';
import type { SecureContext } from 'node:tls';
import type * as undici from 'undici';
import type { Dispatcher } from 'undici';
import type { Bytes } from './bytes.ts';
import { errorTable, messageOf } from './error.ts';
import { proxyFor, type ProxyEnvironment } from './proxy.ts';
import { cancelled, throwIfCancelled, type Wait } from './wait.ts';

export const httpError = errorTable({
  HTTP_UNREACHABLE: 'unavailable',
  HTTP_TLS: 'denied',
  HTTP_NOT_TLS: 'unavailable',
});

export interface HttpRequest extends Wait {
  readonly method: 'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  readonly url: string | URL;
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /** What a stream throws comes out of `request` unchanged. Give `content-length` when the length of a stream is known. */
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
  /** Connections that were opened beforehand, by somebody who might open them: used before others are opened, and kept. */
  readonly connections?: Socket[] | undefined;
  /** Where proxies and SSL_CERT_FILE are read from; the process's own by default. */
  readonly env?: ProxyEnvironment | undefined;
}

/** An hour, for connections that cannot be opened again. */
const KEPT_MS = 3_600_000;

/**
 * One pool of connections, at most 16 to an origin. Proxies come from HTTP_PROXY, HTTPS_PROXY and NO_PROXY (`proxyFor`); trust from SSL_CERT_FILE or the system's bundle, else Node's own.
 * Nothing is loaded or opened before the first request.
 */
export class HttpClient implements AsyncDisposable {
  readonly #options: HttpOptions;
  readonly #dispatchers = new Map<string, Promise<Dispatcher>>();
  #secureContext: SecureContext | undefined;

  constructor(options: HttpOptions = {}) {
    this.#options = options;
  }

  /** Throws `HTTP_UNREACHABLE`, `HTTP_TLS` (not trusted) or `HTTP_NOT_TLS` (the port speaks something else); an HTTP status is never an error here. */
  async request(request: HttpRequest): Promise<HttpResponse> {
    throwIfCancelled(request);
    const url = new URL(request.url);
    const proxy = this.#options.socketPath === undefined ? proxyFor(url, this.#options.env ?? process.env) : undefined;
    const plainProxy = proxy?.protocol === 'http:' && url.protocol === 'http:' ? proxy : undefined;
    const source: { failure?: { readonly error: unknown } } = {};
    try {
      const dispatcher = await this.#dispatcher(url, plainProxy ? undefined : proxy);
      const answer = await dispatcher.request({
        origin: plainProxy?.origin ?? url.origin,
        // An absolute path is how a plain proxy is asked (RFC 9112 3.2.2); CONNECT to port 80 is refused by many.
        path: plainProxy ? url.origin + url.pathname + url.search : url.pathname + url.search,
        method: request.method,
        headers: {
          'user-agent': 'strake',
          ...(plainProxy && { host: url.host, ...proxyAuthorization(plainProxy) }),
          ...request.headers,
        },
        body: bodyOf(request.body, source) as Uint8Array | null,
        signal: request.signal ?? null,
        bodyTimeout: request.idleTimeout ?? 120_000,
        headersTimeout: request.idleTimeout ?? 120_000,
        highWaterMark: 1 << 20,
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
          // A short rest is read in the background, so that the connection can serve again; a long one is cut off.
          if (answer.body.readableEnded || answer.body.destroyed || answer.body.bodyUsed) answer.body.destroy();
          else if (Number(headers['content-length'] ?? (request.method === 'HEAD' ? 0 : Infinity)) <= 1 << 16)
            answer.body.dump().catch(() => undefined);
          else answer.body.destroy();
        },
      };
    } catch (error) {
      throw source.failure ? source.failure.error : translate(error, url, request);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const dispatchers = [...this.#dispatchers.values()];
    this.#dispatchers.clear();
    await Promise.all(dispatchers.map(async (dispatcher) => (await dispatcher).destroy()));
  }

  #dispatcher(url: URL, proxy: URL | undefined): Promise<Dispatcher> {
    const secure = url.protocol === 'https:' || proxy !== undefined;
    const key = `${secure ? 'tls' : 'plain'} ${proxy?.href ?? ''}`;
    let dispatcher = this.#dispatchers.get(key);
    if (!dispatcher) {
      dispatcher = this.#connect(secure, proxy);
      dispatcher.catch(() => this.#dispatchers.delete(key));
      this.#dispatchers.set(key, dispatcher);
    }
    return dispatcher;
  }

  async #connect(secure: boolean, proxy: URL | undefined): Promise<Dispatcher> {
    const { Agent, ProxyAgent } = await loadUndici();
    const connect: Record<string, unknown> = { autoSelectFamily: true };
    // A program that brings its own libraries takes none of the machine's to find names.
    if (process.getBuiltinModule('node:sea').isSea()) connect['lookup'] = (await import('./names.ts')).lookupPlainly;
    if (secure) {
      connect['secureContext'] = await this.#trust();
      if (this.#options.skipVerify) connect['rejectUnauthorized'] = false;
    }
    const pool = { connections: 16, keepAliveTimeout: 10_000 };
    const { connections, socketPath } = this.#options;
    if (connections !== undefined && socketPath !== undefined) {
      const net = await import('node:net');
      return new Agent({
        connections: Math.max(1, connections.filter(({ destroyed }) => !destroyed).length),
        keepAliveTimeout: KEPT_MS,
        keepAliveMaxTimeout: KEPT_MS,
        connect: (_options, done) => {
          let socket = connections.shift();
          while (socket?.destroyed === true) socket = connections.shift();
          // Not at once: who asked is not ready for an answer yet.
          if (socket) setImmediate(done, null, socket);
          else openSocket(net.connect(socketPath), done);
        },
      });
    }
    if (this.#options.socketPath !== undefined)
      return new Agent({ ...pool, connect: { ...connect, socketPath: this.#options.socketPath } });
    if (!proxy) return new Agent({ ...pool, connect });
    return new ProxyAgent({ ...pool, uri: proxy.href, requestTls: connect, proxyTls: connect });
  }

  /** One context for all connections: to parse a whole trust store for each costs more than the handshake. */
  async #trust(): Promise<SecureContext> {
    if (this.#secureContext) return this.#secureContext;
    const tls = await import('node:tls');
    // A trust store takes 20 ms to read; where nothing is verified it is not needed.
    if (this.#options.skipVerify)
      return (this.#secureContext = tls.createSecureContext(this.#options.clientCertificate));
    const system = systemBundle((this.#options.env ?? process.env)['SSL_CERT_FILE']);
    const ca = [
      ...(system === undefined ? tls.getCACertificates('bundled') : [system]),
      ...tls.getCACertificates('extra'),
      ...(this.#options.ca ?? []),
    ];
    try {
      this.#secureContext = tls.createSecureContext({ ca, ...this.#options.clientCertificate });
    } catch (error) {
      throw httpError('HTTP_TLS', `read the certificates for TLS: ${messageOf(error)}`, {
        cause: error,
        remedy: 'Check that the certificate and key files are PEM and belong together.',
      });
    }
    return this.#secureContext;
  }
}

function openSocket(
  socket: Socket,
  done: (...said: [error: null, socket: Socket] | [error: Error, socket: null]) => void,
): void {
  const failed = (error: Error): void => done(error, null);
  socket.once('error', failed);
  socket.once('connect', () => {
    socket.off('error', failed);
    done(null, socket);
  });
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

/** Where Debian, Fedora, SUSE and Alpine keep all trusted certificates in one file, in the order Go looks. */
const BUNDLES = [
  '/etc/ssl/certs/ca-certificates.crt',
  '/etc/pki/tls/certs/ca-bundle.crt',
  '/etc/ssl/ca-bundle.pem',
  '/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem',
  '/etc/ssl/cert.pem',
];

function systemBundle(named: string | undefined): string | undefined {
  const file = systemBundleFile(named);
  return file === undefined ? undefined : readFileSync(file, 'utf8');
}

/** The file of certificates that this machine trusts: the one that SSL_CERT_FILE names (`named`), else the system's. Undefined where it cannot be read. */
export function systemBundleFile(named: string | undefined): string | undefined {
  return (named ? [named] : BUNDLES).find((path) => {
    try {
      accessSync(path, constants.R_OK);
      return statSync(path).isFile();
    } catch {
      return false;
    }
  });
}

function proxyAuthorization(proxy: URL): Record<string, string> {
  if (proxy.username === '') return {};
  const userinfo = `${decodeURIComponent(proxy.username)}:${decodeURIComponent(proxy.password)}`;
  return { 'proxy-authorization': `Basic ${Buffer.from(userinfo).toString('base64')}` };
}

/** undici, loaded when a request is made. It is CommonJS: a bundler may give it as the default export only. */
async function loadUndici(): Promise<typeof undici> {
  const loaded = await import('undici');
  return 'Agent' in loaded ? loaded : (loaded as { default: typeof undici }).default;
}

/** undici takes any async iterable; what the iterable throws is kept, so that it is not taken for a failure of the connection. */
function bodyOf(body: HttpRequest['body'], source: { failure?: { readonly error: unknown } }): unknown {
  if (body === undefined) return null;
  if (body instanceof Uint8Array) return body;
  return (async function* () {
    try {
      yield* body;
    } catch (error) {
      source.failure = { error };
      throw error;
    }
  })();
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
  const all = cause instanceof AggregateError ? cause.errors.map((one) => messageOf(one)).join(', ') : '';
  const detail = messageOf(cause) || all || code;
  if (/WRONG_VERSION_NUMBER|PACKET_LENGTH_TOO_LONG|HTTP_REQUEST|UNSUPPORTED_PROTOCOL|UNEXPECTED_MESSAGE/.test(code))
    return httpError('HTTP_NOT_TLS', `connect to "${url.host}": it does not speak TLS`, { cause: error });
  if (/CERT|SIGNED|TLS|SSL|UNABLE_TO/.test(code) || code === 'EPROTO')
    return httpError('HTTP_TLS', `connect to "${url.host}": ${detail}`, {
      cause: error,
      remedy: 'Trust the certificate authority of this host, or name it as an insecure registry.',
    });
  return httpError('HTTP_UNREACHABLE', `connect to "${url.host}": ${detail}`, { cause: error });
}
