import { CodedError, kindOf, messageOf, type Clock, type Wait } from '../base/index.ts';
import { registryError } from './errors.ts';
import type { HttpClients } from './http-clients.ts';
import { HUB_ALIASES, type RepositoryName } from './repository.ts';
import { Transport, type TransportOptions } from './transport.ts';

/** Another host that serves what a registry has. It is only read from. */
export interface Mirror {
  /** `host[:port]`. */
  readonly host: string;
  /** A path that stands before the repository there, as `proxy/hub`. */
  readonly path?: string | undefined;
  /** What it may be asked for: content by digest (`pull`), and what a tag means (`resolve`). */
  readonly capabilities: readonly ('pull' | 'resolve')[];
}

/** A repository at the host where it is asked for. */
export interface Endpoint {
  readonly transport: Transport;
  readonly repository: string;
  readonly isMirror: boolean;
  /** The path and query of something in the repository, as `manifests/latest`. */
  url(rest: string): string;
}

export interface EndpointsOptions extends TransportOptions {
  readonly clock: Clock;
  /** The mirrors of a registry, the first to be asked first. */
  readonly mirrors?: ((registry: string) => readonly Mirror[]) | undefined;
  /** Registries that are not asked themselves for what none of their mirrors has. */
  readonly mirrorsOnly?: ((registry: string) => boolean) | undefined;
}

/** Milliseconds for which a mirror that could not be reached is left alone. */
const SHUNNED = 60_000;

/** The hosts to ask for a repository: its mirrors in order, then the registry itself. */
export class Endpoints {
  readonly #o: EndpointsOptions;
  readonly #clients: HttpClients;
  readonly #transports = new Map<string, Transport>();
  readonly #shunned = new Map<string, number>();

  constructor(clients: HttpClients, options: EndpointsOptions) {
    this.#clients = clients;
    this.#o = options;
  }

  transport(registry: string): Transport {
    const name = HUB_ALIASES.includes(registry) ? 'docker.io' : registry;
    let transport = this.#transports.get(name);
    if (!transport) {
      transport = new Transport(name, this.#clients, this.#o);
      this.#transports.set(name, transport);
    }
    return transport;
  }

  /** The registry itself: where is written. */
  origin(name: RepositoryName): Endpoint {
    const { repository } = name;
    return {
      transport: this.transport(name.registry),
      repository,
      isMirror: false,
      url: (rest) => `/v2/${repository}/${rest}`,
    };
  }

  /** Asks the mirrors that may be asked, then the registry. A mirror's failure is a notice; only what the registry says is thrown, or the last mirror where the registry is not asked. */
  async ask<T>(
    name: RepositoryName,
    o: { need: 'pull' | 'resolve' } & Wait,
    ask: (endpoint: Endpoint) => Promise<T>,
  ): Promise<T> {
    const mirrors = this.#o.mirrors?.(name.registry) ?? [];
    let failure: unknown;
    for (const mirror of mirrors) {
      if (!mirror.capabilities.includes(o.need)) continue;
      if ((this.#shunned.get(mirror.host) ?? 0) > this.#o.clock.now()) continue;
      try {
        return await ask(this.#mirrored(mirror, name));
      } catch (error) {
        if (o.signal?.aborted || !(error instanceof CodedError)) throw error;
        failure = error;
        if (kindOf(error) === 'unavailable' || kindOf(error) === 'exhausted') this.shun(mirror.host);
        this.transport(name.registry).notice('mirror', `mirror "${mirror.host}" did not help: ${messageOf(error)}`);
      }
    }
    if (mirrors.length > 0 && this.#o.mirrorsOnly?.(name.registry)) {
      const what = `read "${name.registry}/${name.repository}" from its mirrors`;
      const detail = failure === undefined ? 'none of them can be asked now' : messageOf(failure);
      throw registryError('MIRRORS_FAILED', `${what}: ${detail}`, {
        cause: failure,
        remedy: 'Check the mirrors; the registry itself was not asked, as was wished.',
      });
    }
    return ask(this.origin(name));
  }

  /** Leaves a mirror alone for a while. */
  shun(host: string): void {
    this.#shunned.set(host, this.#o.clock.now() + SHUNNED);
  }

  #mirrored(mirror: Mirror, name: RepositoryName): Endpoint {
    const repository = mirror.path === undefined ? name.repository : `${mirror.path}/${name.repository}`;
    // Proxies of several registries tell them apart by this (distribution-spec, Registry Proxying).
    const query = `?ns=${encodeURIComponent(name.registry)}`;
    return {
      transport: this.transport(mirror.host),
      repository,
      isMirror: true,
      url: (rest) => `/v2/${repository}/${rest}${query}`,
    };
  }
}
