import {
  CodedError,
  Flight,
  hasCode,
  isLoopback,
  messageOf,
  redactUrl,
  Semaphore,
  sleep,
  type Bytes,
  type Clock,
  type HttpRequest,
  type HttpResponse,
  type Random,
  type Wait,
} from '../base/index.ts';
import { Authenticator } from './auth.ts';
import type { CredentialLookup } from './credential.ts';
import { registryError } from './errors.ts';
import type { HttpClients } from './http-clients.ts';
import { apiHost, isNamed, type Scope } from './repository.ts';
import { backoff, isRetryStatus, RETRY, retryAfter, type RetryPolicy } from './retry.ts';
import { bareHost, checkTarget } from './target.ts';

/** Something worth telling that is no error. */
export interface RegistryNotice {
  readonly kind: 'warning' | 'retry' | 'mirror';
  readonly registry: string;
  readonly message: string;
}

export interface TransportOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly credentials?: CredentialLookup | undefined;
  /** Hosts (with or without port; `*` is every host) whose certificate is not checked and that may be spoken to without TLS. */
  readonly insecure?: readonly string[] | undefined;
  readonly retry?: Partial<RetryPolicy> | undefined;
  readonly sleep?: ((ms: number, w?: Wait) => Promise<void>) | undefined;
  readonly notice?: ((notice: RegistryNotice) => void) | undefined;
}

export interface RegistryRequest extends Wait {
  readonly method: HttpRequest['method'];
  /** Below the registry, as `/v2/…`, or what an answer gave as `Location`. */
  readonly url: string | URL;
  readonly scopes: readonly Scope[];
  /** The action, values quoted, for messages: `read manifest "host/repo:tag"`. */
  readonly what: string;
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /** Called for each attempt. */
  readonly body?: (() => Uint8Array | Bytes | Promise<Uint8Array | Bytes>) | undefined;
  /** False for what must not be done twice, or is tried again by the caller in another way. */
  readonly retry?: boolean | undefined;
  /** `read` and `write` hold their place until the body has passed; few of each run at once. */
  readonly lane?: 'call' | 'read' | 'write' | undefined;
}

/** An answer and the URL that it came from after redirects; a relative `Location` starts there. */
export interface RegistryResponse extends HttpResponse {
  readonly url: URL;
}

/** How many requests of each kind run at once at one registry. Together they fill the connections of one pool. */
const LANES = { call: 6, read: 6, write: 4 } as const;
const REDIRECTS: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);

/**
 * The way to one registry: scheme, login, redirects, retries, a bound on what runs at once. Any status that is left after these is the caller's to judge; what never was an answer is
 * `REGISTRY_UNREACHABLE` or `REGISTRY_TLS`.
 */
export class Transport {
  readonly registry: string;
  readonly #o: TransportOptions;
  readonly #clients: HttpClients;
  readonly #policy: RetryPolicy;
  readonly #auth = new Map<string, Authenticator>();
  readonly #lanes = {
    call: new Semaphore(LANES.call),
    read: new Semaphore(LANES.read),
    write: new Semaphore(LANES.write),
  };
  readonly #flight = new Flight<URL>();
  readonly #warned = new Set<string>();
  #base: URL | undefined;
  #answered = false;
  #pausedUntil = 0;

  constructor(registry: string, clients: HttpClients, options: TransportOptions) {
    this.registry = registry;
    this.#clients = clients;
    this.#o = options;
    this.#policy = { ...RETRY, ...options.retry };
  }

  async request(request: RegistryRequest): Promise<RegistryResponse> {
    const base = await this.base(request);
    const url = new URL(request.url, base);
    const own = url.origin === base.origin;
    if (!own) checkTarget(url, base, request.what);
    const auth = this.#authFor(url, base);
    let header = await auth.header(request.scopes, request);
    for (let answers = 0; ; answers++) {
      const response = await this.#retried(request, url, header);
      if (response.status !== 401 || answers === 2) return response;
      // Elsewhere, where an answer sent us, we log in as nobody, or not at all.
      const asker = this.#authFor(response.url, base);
      const used = asker === auth ? header : undefined;
      const next = await asker.answer(response, {
        scopes: request.scopes,
        used,
        from: response.url,
        signal: request.signal,
      });
      if (next === undefined) return response;
      await response[Symbol.asyncDispose]();
      if (asker !== auth) return this.#retried(request, response.url, next);
      header = next;
    }
  }

  /** Who requests are made as, for messages. */
  async user(scopes: readonly Scope[]): Promise<string | undefined> {
    return this.#base && this.#authFor(this.#base, this.#base).user(scopes);
  }

  /** Waits before the attempt that follows `failures` failed ones. */
  async pause(failures: number, w?: Wait): Promise<void> {
    await (this.#o.sleep ?? sleep)(backoff(failures, this.#policy, this.#o.random), w);
  }

  /** Attempts in all that a caller should make of what it repeats itself. */
  get attempts(): number {
    return this.#policy.attempts;
  }

  notice(kind: RegistryNotice['kind'], message: string): void {
    this.#o.notice?.({ kind, registry: this.registry, message });
  }

  /** True when the host answers `/v2/` as a registry does. */
  async isRegistry(w: Wait & { what: string }): Promise<boolean> {
    const base = await this.base(w);
    await using response = await this.#retried(
      { ...w, method: 'GET', url: '/v2/', scopes: [], retry: false },
      new URL('/v2/', base),
      undefined,
    );
    return (
      response.headers['docker-distribution-api-version'] !== undefined ||
      (response.status === 401 && response.all('www-authenticate').length > 0) ||
      (response.status === 200 && !(response.headers['content-type'] ?? '').startsWith('text/html'))
    );
  }

  #authFor(url: URL, base: URL): Authenticator {
    let auth = this.#auth.get(url.origin);
    if (!auth) {
      const own = url.origin === base.origin;
      auth = new Authenticator({
        registry: own ? this.registry : url.host,
        clock: this.#o.clock,
        credential: async (repository, w) =>
          own ? this.#o.credentials?.({ registry: this.registry, repository }, w) : undefined,
        send: (request) => {
          const body = request.body;
          return this.#retried(
            { ...request, headers: {}, scopes: [], body: body && (() => body) },
            new URL(request.url),
            request.headers?.['authorization'],
            request.headers,
          );
        },
      });
      this.#auth.set(url.origin, auth);
    }
    return auth;
  }

  /** The URL of its root: https, except for hosts that may be spoken to without TLS and do not speak it. Found out once. */
  async base(w: Wait & { what: string }): Promise<URL> {
    if (this.#base) return this.#base;
    const host = apiHost(this.registry);
    const secure = new URL(`https://${host}`);
    const mayBePlain = isLoopback(bareHost(host)) || isNamed(this.registry, this.#o.insecure ?? []);
    this.#base = mayBePlain ? await this.#flight.run('scheme', () => this.#probe(secure, w)) : secure;
    return this.#base;
  }

  async #probe(secure: URL, w: Wait & { what: string }): Promise<URL> {
    const plain = new URL(`http://${secure.host}`);
    const ask = async (base: URL): Promise<URL> => {
      await using response = await this.#clients.probe.request({
        method: 'GET',
        url: new URL('/v2/', base),
        idleTimeout: 20_000,
      });
      this.#answered = response.status > 0;
      return base;
    };
    try {
      return await ask(secure);
    } catch (error) {
      if (!hasCode(error, 'HTTP_NOT_TLS', 'HTTP_UNREACHABLE')) throw this.#translate(error, w.what);
      try {
        return await ask(plain);
      } catch (second) {
        if (hasCode(error, 'HTTP_NOT_TLS') || isNobodyThere(error)) throw this.#translate(second, w.what);
        // Neither worked, but somebody is there: it may want the client certificate, which the probe does not show.
        return secure;
      }
    }
  }

  /** One request until it has an answer that is worth no retry, or all attempts are used up: then the last answer or error. */
  async #retried(
    request: RegistryRequest,
    url: URL,
    authorization: string | undefined,
    headers: Readonly<Record<string, string>> | undefined = request.headers,
  ): Promise<RegistryResponse> {
    const rest = this.#o.sleep ?? sleep;
    for (let attempt = 1; ; attempt++) {
      const last = request.retry === false || attempt >= this.#policy.attempts;
      const pause = this.#pausedUntil - this.#o.clock.now();
      if (pause > 0) await rest(pause, request);
      let delay = backoff(attempt, this.#policy, this.#o.random);
      let why: string;
      try {
        const response = await this.#followed(request, url, {
          ...headers,
          ...(authorization !== undefined && { authorization }),
        });
        this.#answered = true;
        if (!isRetryStatus(response.status)) return response;
        const asked = retryAfter(response.headers['retry-after'], this.#o.clock);
        if (last || (asked !== undefined && asked > this.#policy.maxRetryAfter)) return response;
        if (asked !== undefined) {
          delay = Math.max(delay, asked);
          this.#pausedUntil = Math.max(this.#pausedUntil, this.#o.clock.now() + asked);
        }
        why = `status ${response.status}`;
        await response[Symbol.asyncDispose]();
      } catch (error) {
        const final = last || !hasCode(error, 'HTTP_UNREACHABLE') || (!this.#answered && isNobodyThere(error));
        if (final) throw this.#translate(error, request.what);
        why = messageOf(error);
      }
      this.#o.notice?.({
        kind: 'retry',
        registry: this.registry,
        message: `${request.what}: ${why}; attempt ${attempt + 1} of ${this.#policy.attempts} in ${(delay / 1000).toFixed(1)} s`,
      });
      await rest(delay, request);
    }
  }

  /** Follows redirects; the login does not travel to another host. */
  async #followed(request: RegistryRequest, start: URL, headers: Record<string, string>): Promise<RegistryResponse> {
    let url = start;
    let { method } = request;
    for (let hops = 0; ; hops++) {
      const response = await this.#send(
        { ...request, method },
        url,
        url.origin === start.origin ? headers : without(headers, 'authorization'),
      );
      this.#showWarnings(response);
      const location = response.headers['location'];
      if (!REDIRECTS.has(response.status) || location === undefined || hops === 10) return { ...response, url };
      // 307 and 308 keep the method; the others are only followed where that makes no difference.
      if (response.status < 307 && method !== 'GET' && method !== 'HEAD') return { ...response, url };
      await response[Symbol.asyncDispose]();
      const next = URL.parse(location, url);
      if (!next)
        throw registryError('REGISTRY_PROTOCOL', `${request.what}: registry "${this.registry}" redirects to no URL`);
      checkTarget(next, url, request.what);
      if (response.status === 303) method = method === 'HEAD' ? 'HEAD' : 'GET';
      url = next;
    }
  }

  async #send(request: RegistryRequest, url: URL, headers: Record<string, string>): Promise<HttpResponse> {
    const lane = request.lane ?? 'call';
    // What is to be written is opened before a place is taken: a copy within one registry must not wait for a reader's place while it holds a writer's.
    const body = await request.body?.();
    const permit = await this.#lanes[lane].take(request);
    try {
      const response = await this.#clients
        .for(url.host)
        .request({ method: request.method, url, headers, body, signal: request.signal });
      if (lane !== 'read') {
        permit[Symbol.dispose]();
        return response;
      }
      return {
        ...response,
        body: releasing(response.body, permit),
        [Symbol.asyncDispose]: async () => {
          permit[Symbol.dispose]();
          await response[Symbol.asyncDispose]();
        },
      };
    } catch (error) {
      permit[Symbol.dispose]();
      throw error;
    }
  }

  /** `Warning: 299 - "text"` is for people (distribution-spec, Warnings): shown once. */
  #showWarnings(response: HttpResponse): void {
    for (const header of response.all('warning'))
      for (const match of header.matchAll(/299 \S+ "((?:[^"\\]|\\.)*)"/g)) {
        const message = (match[1] ?? '').replace(/\\(.)/g, '$1').replace(/[\x00-\x1f\x7f]+/g, ' ');
        if (this.#warned.has(message) || this.#warned.size >= 100) continue;
        this.#warned.add(message);
        this.#o.notice?.({ kind: 'warning', registry: this.registry, message });
      }
  }

  #translate(error: unknown, what: string): unknown {
    if (!(error instanceof CodedError)) return error;
    const detail = error.message.replace(/^connect to "[^"]*": /, '');
    const host = apiHost(this.registry);
    if (error.code === 'HTTP_TLS')
      return registryError(
        'REGISTRY_TLS',
        `${what}: the TLS certificate of registry "${this.registry}" is not trusted: ${detail}`,
        {
          cause: error,
          remedy: `Put the certificate of its authority into "/etc/containers/certs.d/${host}/ca.crt", or name "${host}" as an insecure registry.`,
        },
      );
    if (error.code === 'HTTP_NOT_TLS')
      return registryError('REGISTRY_UNREACHABLE', `${what}: registry "${this.registry}" does not speak TLS`, {
        cause: error,
        remedy: `If it is meant to be plain HTTP, name "${host}" as an insecure registry.`,
      });
    if (error.code === 'HTTP_UNREACHABLE')
      return registryError(
        'REGISTRY_UNREACHABLE',
        `${what}: registry "${this.registry}" cannot be reached: ${detail}`,
        {
          cause: error,
          remedy: 'Check the name, the network, and the proxy in HTTPS_PROXY and NO_PROXY.',
        },
      );
    return error;
  }
}

/** True where another attempt would say the same: nobody listens there, or there is no such host. */
function isNobodyThere(error: unknown): boolean {
  for (let at = error; at instanceof Error; at = at.cause) {
    const { code } = at as NodeJS.ErrnoException;
    if (code !== undefined && /^(ECONNREFUSED|ENOTFOUND|EHOSTUNREACH|ENETUNREACH|UND_ERR_CONNECT_TIMEOUT)$/.test(code))
      return true;
  }
  return false;
}

function without(headers: Record<string, string>, name: string): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).filter(([key]) => key.toLowerCase() !== name));
}

async function* releasing(body: Bytes, permit: Disposable): Bytes {
  using _held = permit;
  yield* body;
}

/** A URL that an answer gave as `Location`, fit to be sent on: relative ones start at `from`; a registry behind a proxy that ends TLS may name itself with http. */
export function locationOf(response: RegistryResponse, what: string): URL {
  const location = response.headers['location'];
  const url = location === undefined ? null : URL.parse(location, response.url);
  if (!url)
    throw registryError(
      'REGISTRY_PROTOCOL',
      `${what}: "${response.url.host}" gave no location to go on with, at "${redactUrl(response.url)}"`,
    );
  if (url.protocol === 'http:' && response.url.protocol === 'https:' && url.hostname === response.url.hostname) {
    url.protocol = 'https:';
  }
  return url;
}
