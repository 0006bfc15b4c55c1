import { cancelled, collect, type Bytes, type Wait } from '../base/index.ts';
import { digestOf, isDigest, type Descriptor, type Platform } from '../blob/index.ts';
import {
  canonicalReference,
  chooseImage,
  imageError,
  openImageOrIndex,
  parseManifest,
  repositoryName,
  type Image,
  type Index,
  type Reference,
} from '../image/index.ts';
import type { Credential } from './credential.ts';
import { Endpoints, type EndpointsOptions } from './endpoints.ts';
import { registryError } from './errors.ts';
import { failureOf, notRegistry } from './failure.ts';
import { HttpClients, type HttpClientsOptions } from './http-clients.ts';
import { checkPush } from './check-push.ts';
import { pushContents, putManifest } from './push.ts';
import { RemoteBlobs } from './remote-blobs.ts';
import { getManifest, headManifest, type FetchedManifest } from './remote-manifest.ts';
import { scopeOf, type RepositoryName } from './repository.ts';
import type { Transfer } from './transfer.ts';
import { Transport } from './transport.ts';
import { uploadBlob, type BlobContent } from './upload.ts';

/** Credentials, clock and randomness are handed in; nothing is read from the environment but proxies and SSL_CERT_FILE (`env`). */
export interface RegistryClientOptions extends EndpointsOptions, HttpClientsOptions {}

/** How registries are reached, apart from who asks. */
export type RegistrySettings = Pick<
  RegistryClientOptions,
  'insecure' | 'skipVerify' | 'certificates' | 'ca' | 'mirrors' | 'mirrorsOnly' | 'retry'
>;

export interface PushOptions extends Wait {
  /** Repositories whose blobs may be mounted where they are of the same registry. The origin of pulled layers is known without. */
  readonly mountFrom?: readonly RepositoryName[] | undefined;
  /** More tags for the same manifest. */
  readonly tags?: readonly string[] | undefined;
  /** Also upload non-distributable layers. */
  readonly foreign?: boolean | undefined;
  readonly progress?: ((transfer: Transfer) => void) | undefined;
}

/** Speaks the distribution protocol to any registry (distribution-spec v1.1). One client is for all registries and shares connections and tokens; it may be used by many at once. */
export class RegistryClient implements AsyncDisposable {
  readonly #o: RegistryClientOptions;
  readonly #clients: HttpClients;
  readonly #endpoints: Endpoints;

  constructor(options: RegistryClientOptions) {
    this.#o = options;
    this.#clients = new HttpClients(options);
    this.#endpoints = new Endpoints(this.#clients, options);
  }

  /** What a reference names at this moment: type, digest and size. Throws `MANIFEST_NOT_FOUND`, `REPOSITORY_NOT_FOUND` and what reaching a registry can bring. */
  async resolve(reference: Reference, w: Wait = {}): Promise<Descriptor> {
    const question = { ...this.#question(reference), signal: w.signal };
    return this.#endpoints.ask(reference, { need: needOf(reference), signal: w.signal }, async (endpoint) => {
      const found = await headManifest(endpoint, question);
      return found ?? (await getManifest(endpoint, question)).descriptor;
    });
  }

  /** The bytes of a manifest or index, verified; at most 4 MiB. */
  async manifest(reference: Reference, w: Wait = {}): Promise<FetchedManifest> {
    const question = { ...this.#question(reference), signal: w.signal };
    return this.#endpoints.ask(reference, { need: needOf(reference), signal: w.signal }, (endpoint) =>
      getManifest(endpoint, question),
    );
  }

  /** What is in a repository: blobs by their digest, and manifests where the descriptor's type says it is one. */
  blobs(name: RepositoryName, o: { progress?: ((transfer: Transfer) => void) | undefined } = {}): RemoteBlobs {
    return new RemoteBlobs(this.#endpoints, { name, progress: o.progress });
  }

  /**
   * An image or index; its manifest is read now, all else when it is asked for. With `platform` always an image: that of an index which fits best. Throws `PLATFORM_NOT_FOUND`, too.
   */
  async image(
    reference: Reference,
    o: { platform: Platform; progress?: (transfer: Transfer) => void } & Wait,
  ): Promise<Image>;
  async image(
    reference: Reference,
    o?: { platform?: Platform | undefined; progress?: (transfer: Transfer) => void } & Wait,
  ): Promise<Image | Index>;
  async image(
    reference: Reference,
    o: { platform?: Platform | undefined; progress?: (transfer: Transfer) => void } & Wait = {},
  ): Promise<Image | Index> {
    const what = canonicalReference(reference);
    const { content, descriptor } = await this.manifest(reference, o);
    parseManifest(content, { mediaType: descriptor.mediaType, what: `manifest of "${what}"` });
    const known: Descriptor = { ...descriptor, data: Buffer.from(content).toString('base64') };
    const core = {
      blobs: this.blobs(reference, { progress: o.progress }),
      source: { reference: repositoryName(reference) },
    };
    const found = await openImageOrIndex(known, core);
    return o.platform ? (await chooseImage(found, o.platform, { what, signal: o.signal })).image : found;
  }

  /** Pushes an image or index with all that it names: blobs first, members before their index, the tag last. Returns what it is in the registry. */
  async push(x: Image | Index, reference: Reference, options: PushOptions = {}): Promise<Descriptor> {
    const endpoint = this.#endpoints.origin(reference);
    const { signal } = options;
    const mountFrom = (options.mountFrom ?? [])
      .filter(({ registry }) => registry === reference.registry)
      .map(({ repository }) => repository);
    try {
      await pushContents(x, {
        endpoint,
        mountFrom,
        foreign: options.foreign ?? false,
        progress: options.progress,
        blobs: new Map(),
        signal,
      });
      const content = await x.manifest({ signal });
      const { mediaType } = parseManifest(content);
      const digest = digestOf(content);
      if (reference.digest !== undefined && reference.digest !== digest)
        throw imageError(
          'REFERENCE_INVALID',
          `push "${canonicalReference(reference)}": the manifest has digest ${digest}`,
          {
            remedy: 'Leave the digest out of the name.',
          },
        );
      for (const name of new Set([reference.tag ?? digest, ...(options.tags ?? [])]))
        await putManifest(content, { endpoint, reference: name, mediaType, signal });
      return { mediaType, digest, size: content.length };
    } catch (error) {
      throw signal?.aborted ? cancelled(signal.reason) : error;
    }
  }

  /** Brings one blob into a repository. */
  async pushBlob(
    name: RepositoryName,
    content: BlobContent,
    options: Omit<PushOptions, 'tags' | 'foreign'> = {},
  ): Promise<Transfer['state']> {
    const mountFrom = (options.mountFrom ?? [])
      .filter(({ registry }) => registry === name.registry)
      .map(({ repository }) => repository);
    return uploadBlob(this.#endpoints.origin(name), content, { ...options, mountFrom });
  }

  /** Throws unless this login may push to the repository: opens an upload and takes it back. */
  async checkPush(name: RepositoryName, w: Wait = {}): Promise<void> {
    return checkPush(this.#endpoints.origin(name), w);
  }

  /** The tags of a repository, page after page. */
  async *tags(name: RepositoryName, w: Wait = {}): AsyncIterable<string> {
    const endpoint = this.#endpoints.origin(name);
    const { transport } = endpoint;
    const what = `list tags of "${repositoryName(name)}"`;
    const scopes = [scopeOf(endpoint.repository, 'pull')];
    const visited = new Set<string>();
    // ECR refuses pages above 1000.
    let url: string | URL | undefined = endpoint.url('tags/list?n=1000');
    while (url !== undefined) {
      visited.add(String(url));
      await using response = await transport.request({ method: 'GET', url, scopes, what, signal: w.signal });
      if (response.status !== 200)
        throw await failureOf(response, {
          what,
          registry: transport.registry,
          user: await transport.user(scopes),
          missing: 'repository',
        });
      const { tags } = await readJson(response.body, what);
      for (const tag of Array.isArray(tags) ? tags : []) if (typeof tag === 'string') yield tag;
      const next = /<([^>]*)>\s*;[^,]*\brel="?next"?/.exec(response.headers['link'] ?? '')?.[1];
      const following: URL | null = next === undefined ? null : URL.parse(next, response.url);
      url =
        following && following.origin === response.url.origin && !visited.has(String(following))
          ? following
          : undefined;
    }
  }

  /** Takes a tag away, or a manifest by its digest. */
  async delete(reference: Reference, w: Wait = {}): Promise<void> {
    const endpoint = this.#endpoints.origin(reference);
    const { transport } = endpoint;
    const what = `delete "${canonicalReference(reference)}"`;
    const scopes = [scopeOf(endpoint.repository, 'pull', 'delete')];
    await using response = await transport.request({
      method: 'DELETE',
      url: endpoint.url(`manifests/${reference.digest ?? reference.tag ?? 'latest'}`),
      scopes,
      what,
      signal: w.signal,
    });
    if (response.status < 200 || response.status > 299)
      throw await failureOf(response, {
        what,
        registry: transport.registry,
        user: await transport.user(scopes),
        missing: 'manifest',
        access: 'delete',
      });
  }

  /** Throws `REGISTRY_UNAUTHORIZED` unless the registry takes this login; nothing is kept. */
  async checkLogin(registry: string, o: { credential: Credential } & Wait): Promise<void> {
    const transport = new Transport(registry, this.#clients, { ...this.#o, credentials: async () => o.credential });
    const what = `log in to "${registry}"`;
    await using response = await transport.request({ method: 'GET', url: '/v2/', scopes: [], what, signal: o.signal });
    if (response.status === 200) return;
    if (response.status === 401 || response.status === 403 || response.status >= 429)
      throw await failureOf(response, { what, registry, user: o.credential.username ?? 'the holder of the token' });
    throw notRegistry(what, registry);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#clients[Symbol.asyncDispose]();
  }

  #question(reference: Reference): { reference: string; what: string } {
    return { reference: reference.digest ?? reference.tag ?? 'latest', what: canonicalReference(reference) };
  }
}

function needOf(reference: Reference): 'pull' | 'resolve' {
  return reference.digest !== undefined && isDigest(reference.digest) ? 'pull' : 'resolve';
}

async function readJson(body: Bytes, what: string): Promise<Record<string, unknown>> {
  const text = Buffer.from(await collect(body, { limit: 64 << 20, what })).toString();
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null) return value as Record<string, unknown>;
  } catch {
    // Told below.
  }
  throw registryError('REGISTRY_PROTOCOL', `${what}: the answer is not a JSON object`);
}
