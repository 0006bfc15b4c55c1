import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createTlsServer, type Server as TlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { SiteRefusal, type Answer, type SiteRequest } from './answer.ts';
import { answerRequest } from './answer-request.ts';
import type { Site } from './site.ts';

export interface SiteServerOptions {
  readonly site: Site;
  readonly host: string;
  /** 0 for any free port. */
  readonly port: number;
  readonly tls?: { readonly cert: string; readonly key: string } | undefined;
  /** Where this is from outside, where something stands before it. */
  readonly publicUrl?: string | undefined;
  /** Told of what went wrong inside; who asked is told only that something did. */
  readonly failed: (error: unknown, request: string) => void;
}

const LONGEST_URL = 2048;
const LARGEST_BODY = 64 << 10;
/** Bytes from which an answer is compressed. */
const WORTH_COMPRESSING = 1024;
const CONNECTIONS = 256;
/** Milliseconds that answers in the making are waited for when it ends. */
const PATIENCE = 1200;

const SAFE_HEADERS = {
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cross-origin-resource-policy': 'same-origin',
  // Asked again each time, which an ETag makes cheap: a version may be yanked at any moment.
  'cache-control': 'no-cache',
};

/** The pages, the API and the index over HTTP. It listens until it is disposed of, and then ends what it has begun. */
export class SiteServer implements AsyncDisposable {
  readonly #server: Server | TlsServer;
  readonly #o: SiteServerOptions;
  readonly #stop = new AbortController();
  #running = 0;
  #idle: (() => void) | undefined;

  private constructor(server: Server | TlsServer, options: SiteServerOptions) {
    this.#server = server;
    this.#o = options;
    server.on('request', (request: IncomingMessage, response: ServerResponse) => void this.#serve(request, response));
  }

  /** Throws what listening brings: EADDRINUSE, EACCES, what is wrong with a certificate. */
  static async listen(options: SiteServerOptions): Promise<SiteServer> {
    const limits = {
      headersTimeout: 10_000,
      requestTimeout: 30_000,
      keepAliveTimeout: 5000,
      connectionsCheckingInterval: 5000,
      maxHeaderSize: 16 << 10,
    };
    const server = options.tls ? createTlsServer({ ...limits, ...options.tls }) : createServer(limits);
    server.maxConnections = CONNECTIONS;
    const site = new SiteServer(server, options);
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    server.once('error', reject);
    server.listen(options.port, options.host, resolve);
    await promise;
    server.off('error', reject);
    return site;
  }

  /** Where it listens, with a slash at its end. */
  get url(): string {
    const { address, port, family } = this.#server.address() as AddressInfo;
    return `${this.#o.tls ? 'https' : 'http'}://${family === 'IPv6' ? `[${address}]` : address}:${port}/`;
  }

  /** Another certificate for connections from now on. */
  certify(tls: { readonly cert: string; readonly key: string }): void {
    if ('setSecureContext' in this.#server) this.#server.setSecureContext(tls);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve));
    this.#server.closeIdleConnections();
    if (this.#running > 0) {
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#idle = resolve;
      const timer = setTimeout(resolve, PATIENCE);
      await promise;
      clearTimeout(timer);
    }
    this.#stop.abort();
    this.#server.closeAllConnections();
    await closed;
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    this.#running += 1;
    response.on('error', () => undefined);
    try {
      await this.#answer(request, response);
    } catch (error) {
      if (!response.destroyed && !request.destroyed) this.#o.failed(error, `${request.method} ${request.url}`);
      await this.#send({ request, response }, plain(500, 'Something went wrong inside'));
    } finally {
      this.#running -= 1;
      if (this.#running === 0) this.#idle?.();
    }
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { url: target = '/' } = request;
    const url = target.length > LONGEST_URL ? undefined : URL.parse(target.replace(/^\/+/, '/'), 'http://site');
    const path = url && decoded(url.pathname);
    if (!url || !path) {
      await this.#send({ request, response }, plain(target.length > LONGEST_URL ? 414 : 400, 'That is no address'));
      return;
    }
    const method = request.method === 'HEAD' ? 'GET' : (request.method ?? 'GET');
    const asked: SiteRequest = {
      method,
      path,
      query: url.searchParams,
      bearer: /^Bearer +([^\s]+)$/i.exec(request.headers.authorization ?? '')?.[1],
      address: this.#address(request),
      body: () => bodyOf(request),
      signal: this.#stop.signal,
    };
    await this.#send({ request, response }, await answerRequest(asked, this.#o.site));
  }

  /** What a browser is shown as the address of this: only what can be one is taken from it. */
  #address({ headers: { host } }: IncomingMessage): string {
    const { publicUrl, tls } = this.#o;
    if (publicUrl !== undefined) return publicUrl.endsWith('/') ? publicUrl : `${publicUrl}/`;
    if (host === undefined || !/^(?:[A-Za-z0-9.-]+|\[[0-9a-fA-F:.]+\])(?::\d{1,5})?$/.test(host)) return this.url;
    return URL.parse(`${tls ? 'https' : 'http'}://${host}/`)?.href ?? this.url;
  }

  async #send(
    { request, response }: { request: IncomingMessage; response: ServerResponse },
    { status, type, body, headers }: Answer,
  ): Promise<void> {
    if (response.destroyed || response.headersSent) return;
    // What is left of a body that is not wanted is not read.
    if (!request.complete) response.setHeader('connection', 'close');
    let bytes = Buffer.from(body);
    const isZipped = bytes.length >= WORTH_COMPRESSING && acceptsGzip(request.headers['accept-encoding']);
    const etag = `"${createHash('sha256').update(bytes).digest('base64url').slice(0, 27)}${isZipped ? '-gz' : ''}"`;
    const common = {
      ...SAFE_HEADERS,
      ...headers,
      vary: 'accept-encoding, host',
      ...(status === 200 && request.method !== 'POST' && { etag }),
    };
    if (status === 200 && request.method !== 'POST' && matches(request.headers['if-none-match'], etag)) {
      response.writeHead(304, common).end();
      return;
    }
    if (isZipped) bytes = await promisify(gzip)(bytes, { level: 6 });
    if (response.destroyed) return;
    response.writeHead(status, {
      ...common,
      'content-type': type,
      'content-length': bytes.length,
      ...(isZipped && { 'content-encoding': 'gzip' }),
    });
    await new Promise<void>((resolve) => {
      response.once('close', resolve);
      response.end(request.method === 'HEAD' ? undefined : bytes, resolve);
    });
    if (!request.complete) request.resume();
  }
}

function plain(status: number, message: string): Answer {
  return { status, type: 'text/plain; charset=utf-8', body: `${message}\n` };
}

/** The parts of a path; undefined for what is none. */
function decoded(path: string): readonly string[] | undefined {
  try {
    const parts = path
      .slice(1)
      .split('/')
      .map((part) => decodeURIComponent(part));
    return parts.some((part) => part.includes('/') || part.includes('\0')) ? undefined : parts;
  } catch {
    return undefined;
  }
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > LARGEST_BODY) throw new SiteRefusal(413, `More than ${LARGEST_BODY} bytes are not taken`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}

function acceptsGzip(header: string | string[] | undefined): boolean {
  const [quality] = [header ?? '']
    .flat()
    .join(',')
    .split(',')
    .flatMap((part) => {
      const [, name, value = '1'] = /^\s*(gzip|\*)\s*(?:;\s*q=([\d.]+))?\s*$/i.exec(part) ?? [];
      return name === undefined ? [] : [Number(value)];
    });
  return quality !== undefined && quality > 0;
}

/** RFC 9110, 13.1.2: weak comparison. */
function matches(header: string | undefined, etag: string): boolean {
  if (header === undefined) return false;
  return header.split(',').some((one) => one.trim() === '*' || one.trim().replace(/^W\//, '') === etag);
}
