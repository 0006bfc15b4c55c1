import { HttpClient, type HttpOptions } from '../base/index.ts';
import { CERTIFICATE_FOLDERS, certificatesFor } from './certificates.ts';
import { isNamed } from './repository.ts';

export interface HttpClientsOptions {
  /** Folders as `/etc/docker/certs.d`. */
  readonly certificateFolders?: readonly string[] | undefined;
  /** Hosts whose certificate is not checked and that may be spoken to without TLS; `*` is every host. */
  readonly insecure?: readonly string[] | undefined;
  /** Hosts whose certificate is not checked; TLS is spoken all the same. `*` is every host. */
  readonly skipVerify?: readonly string[] | undefined;
  /** Further certificates for a host, beside those of the folders. */
  readonly certificates?: ((host: string) => Pick<HttpOptions, 'ca' | 'clientCertificate'>) | undefined;
  /** PEM authorities trusted for every host, beside the system's. */
  readonly ca?: readonly string[] | undefined;
  readonly env?: HttpOptions['env'];
}

/** Connections, kept by host: each host has its own certificates, and no client certificate goes to another one. */
export class HttpClients implements AsyncDisposable {
  readonly #o: HttpClientsOptions;
  readonly #clients = new Map<string, HttpClient>();
  #probe: HttpClient | undefined;

  constructor(options: HttpClientsOptions) {
    this.#o = options;
  }

  /** `host` with its port, unless that is the scheme's own. */
  for(host: string): HttpClient {
    let client = this.#clients.get(host);
    if (!client) {
      const { ca = [], clientCertificate } = certificatesFor(host, this.#o.certificateFolders ?? CERTIFICATE_FOLDERS);
      const own = this.#o.certificates?.(host);
      client = new HttpClient({
        ca: [...ca, ...(own?.ca ?? []), ...(this.#o.ca ?? [])],
        clientCertificate: own?.clientCertificate ?? clientCertificate,
        skipVerify: isNamed(host, this.#o.insecure ?? []) || isNamed(host, this.#o.skipVerify ?? []),
        env: this.#o.env,
      });
      this.#clients.set(host, client);
    }
    return client;
  }

  /** For the question whether TLS is spoken at all: verifies nothing, so it must carry nothing. */
  get probe(): HttpClient {
    this.#probe ??= new HttpClient({ skipVerify: true, env: this.#o.env });
    return this.#probe;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const clients = [...this.#clients.values(), ...(this.#probe ? [this.#probe] : [])];
    this.#clients.clear();
    this.#probe = undefined;
    await Promise.all(clients.map((client) => client[Symbol.asyncDispose]()));
  }
}
