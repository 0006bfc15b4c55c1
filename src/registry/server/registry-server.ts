import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { collect, messageOf, type Bytes, type Clock, type Random } from '../../base/index.ts';
import type { BlobStore } from '../../blob/index.ts';
import { Access, type AccessRules, type Action, type Need } from './access.ts';
import { BlobRoutes } from './blob-routes.ts';
import { exchangeOf, Refusal, type Exchange } from './exchange.ts';
import { ManifestRoutes } from './manifest-routes.ts';
import type { ManifestStore } from './manifest-store.ts';
import { Uploads } from './uploads.ts';

export interface RegistryServerOptions {
  readonly blobs: BlobStore;
  readonly manifests: ManifestStore;
  /** A folder for uploads in progress; without it they are kept in memory. */
  readonly scratch?: string | undefined;
  readonly access?: AccessRules | undefined;
  /** The referrers API; on by default. */
  readonly referrers?: boolean | undefined;
  readonly chunkMinLength?: number | undefined;
  readonly host?: string | undefined;
  /** 0 or none for any free port. */
  readonly port?: number | undefined;
  readonly tls?:
    | { readonly cert: string; readonly key: string; readonly ca?: string; readonly requestCert?: boolean }
    | undefined;
  readonly clock: Clock;
  readonly random: Random;
  /** Told of what went wrong inside; the client is told only that something did. */
  readonly failed?: ((error: unknown, request: string) => void) | undefined;
}

const NAME = '[a-z0-9]+(?:(?:\\.|_|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:\\.|_|__|-+)[a-z0-9]+)*)*';
const ROUTES = {
  tags: new RegExp(`^/v2/(${NAME})/tags/list$`),
  uploads: new RegExp(`^/v2/(${NAME})/blobs/uploads/?$`),
  upload: new RegExp(`^/v2/(${NAME})/blobs/uploads/([a-f0-9]+)$`),
  blob: new RegExp(`^/v2/(${NAME})/blobs/([^/]+)$`),
  manifest: new RegExp(`^/v2/(${NAME})/manifests/([^/]+)$`),
  referrers: new RegExp(`^/v2/(${NAME})/referrers/([^/]+)$`),
};

/** A registry (distribution-spec v1.1) over a blob store and a manifest store. It listens until it is disposed of. */
export class RegistryServer implements AsyncDisposable {
  readonly #server: Server;
  readonly #uploads: Uploads;
  readonly #blobs: BlobRoutes;
  readonly #manifests: ManifestRoutes;
  readonly #access: Access;
  readonly #failed: RegistryServerOptions['failed'];
  readonly #scheme: 'http' | 'https';

  private constructor(options: RegistryServerOptions, server: Server) {
    const { clock, random, blobs, manifests } = options;
    this.#server = server;
    this.#uploads = new Uploads({ folder: options.scratch, clock, random });
    this.#blobs = new BlobRoutes({ blobs, manifests, uploads: this.#uploads, chunkMinLength: options.chunkMinLength });
    this.#manifests = new ManifestRoutes({ blobs, manifests, referrers: options.referrers ?? true });
    this.#access = new Access(options.access, { clock, random });
    this.#failed = options.failed;
    this.#scheme = options.tls ? 'https' : 'http';
    server.on('request', (request, response) => void this.#serve(request, response));
  }

  static async listen(options: RegistryServerOptions): Promise<RegistryServer> {
    // Loaded when there is a server: clients, which load this module with the room, have no use for it.
    const server = options.tls
      ? (await import('node:https')).createServer(options.tls)
      : (await import('node:http')).createServer();
    // A blob may take longer than Node's five minutes for a request; idle clients are cut off by the keep-alive limit.
    server.requestTimeout = 0;
    const registry = new RegistryServer(options, server);
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    server.once('error', reject);
    server.listen(options.port ?? 0, options.host ?? '127.0.0.1', resolve);
    await promise;
    server.off('error', reject);
    return registry;
  }

  /** `host:port` it listens on: the registry's name in references. */
  get host(): string {
    const { address, port, family } = this.#server.address() as AddressInfo;
    return family === 'IPv6' ? `[${address}]:${port}` : `${address}:${port}`;
  }

  get url(): URL {
    return new URL(`${this.#scheme}://${this.host}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve));
    this.#server.closeAllConnections();
    await closed;
    this.#uploads[Symbol.dispose]();
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    response.setHeader('docker-distribution-api-version', 'registry/2.0');
    response.on('error', () => undefined);
    const url = URL.parse(request.url ?? '/', 'http://registry');
    if (!url) {
      response.writeHead(400).end();
      return;
    }
    const exchange = exchangeOf(request, response, url);
    try {
      await this.#route(exchange);
    } catch (error) {
      this.#refuse(exchange, error);
    }
  }

  #refuse(exchange: Exchange, error: unknown): void {
    const { request, response } = exchange;
    const isGone = request.destroyed && !request.complete;
    if (!(error instanceof Refusal) && !isGone && !response.destroyed)
      this.#failed?.(error, `${exchange.method} ${exchange.url.pathname}`);
    if (response.headersSent || response.destroyed) {
      response.destroy();
      return;
    }
    const refusal = error instanceof Refusal ? error : new Refusal('UNKNOWN', 'unknown error');
    const body = { errors: [{ code: refusal.code, message: refusal.message }] };
    // What is left of a body that is not wanted is not read: a refused upload must not have to be sent whole.
    if (!request.complete) response.setHeader('connection', 'close');
    exchange.answer(refusal.status, refusal.headers, body);
    if (!request.complete) request.resume();
  }

  async #route(exchange: Exchange): Promise<void> {
    const path = decode(exchange.url.pathname);
    const { method } = exchange;
    const reads = method === 'GET' || method === 'HEAD';
    if (path === '/token' && this.#access.givesTokens) return this.#token(exchange);
    if (path === '/v2' || path === '/v2/') {
      await this.#allow(exchange, []);
      exchange.answer(200, {}, {});
      return undefined;
    }
    if (path === '/v2/_catalog' && reads) {
      await this.#allow(exchange, []);
      return this.#manifests.catalog(exchange);
    }
    for (const [kind, pattern] of Object.entries(ROUTES)) {
      const match = pattern.exec(path);
      if (!match) continue;
      const [, repository = '', rest = ''] = match;
      const action: readonly Action[] =
        reads && kind !== 'upload'
          ? ['pull']
          : method === 'DELETE' && kind !== 'upload'
            ? ['delete']
            : ['pull', 'push'];
      await this.#allow(exchange, [{ repository, actions: action }]);
      if (kind === 'blob') return this.#blobs.blob(exchange, repository, rest);
      if (kind === 'manifest') return this.#manifests.manifest(exchange, repository, rest);
      if (kind === 'upload') return this.#blobs.session(exchange, repository, rest);
      if (kind === 'uploads' && method === 'POST')
        return this.#blobs.start(exchange, repository, async (from) => {
          const verdict = await this.#check(exchange, [{ repository: from, actions: ['pull'] }]);
          return verdict.kind === 'ok';
        });
      if (kind === 'tags' && reads) return this.#manifests.tags(exchange, repository);
      if (kind === 'referrers' && reads) return this.#manifests.referrers(exchange, repository, rest);
      throw new Refusal('UNSUPPORTED', 'the operation is unsupported');
    }
    throw /^\/v2\/.*\/(blobs|manifests|tags|referrers)\//.test(path)
      ? new Refusal('NAME_INVALID', 'invalid repository name')
      : new Refusal('NAME_UNKNOWN', 'no such page');
  }

  #check(exchange: Exchange, need: readonly Need[]): ReturnType<Access['check']> {
    const base = `${this.#scheme}://${exchange.header('host') ?? this.host}`;
    return this.#access.check(exchange.header('authorization'), need, base);
  }

  async #allow(exchange: Exchange, need: readonly Need[]): Promise<void> {
    const verdict = await this.#check(exchange, need);
    if (verdict.kind === 'ok') return;
    throw new Refusal(verdict.known ? 'DENIED' : 'UNAUTHORIZED', 'authentication required', {
      status: 401,
      headers: { 'www-authenticate': verdict.challenge },
    });
  }

  async #token(exchange: Exchange): Promise<void> {
    const answer =
      exchange.method === 'POST'
        ? await this.#access.tokenByForm(
            new URLSearchParams(Buffer.from(await collect(exchange.request as Bytes, { limit: 64 * 1024 })).toString()),
          )
        : await this.#access.tokenByLogin(exchange.header('authorization'), exchange.url.searchParams);
    if (!answer) throw new Refusal('UNAUTHORIZED', 'wrong user or password');
    exchange.answer(200, { 'cache-control': 'no-store' }, answer);
  }
}

function decode(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch (error) {
    throw new Refusal('NAME_INVALID', messageOf(error));
  }
}
