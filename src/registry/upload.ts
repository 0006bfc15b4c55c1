import { CodedError, hasCode, kindOf, tap, throwIfCancelled, type Bytes, type Wait } from '../base/index.ts';
import { algorithmOf, type Descriptor } from '../blob/index.ts';
import type { Endpoint } from './endpoints.ts';
import { registryError } from './errors.ts';
import { failureOf } from './failure.ts';
import { scopeOf } from './repository.ts';
import { locationOf, type RegistryResponse } from './transport.ts';
import type { Transfer } from './transfer.ts';

export interface BlobContent {
  readonly descriptor: Descriptor;
  /** Called for each attempt. */
  open(w?: Wait): Promise<Bytes>;
}

export interface UploadOptions extends Wait {
  /** Repositories of the same registry that may have the blob. */
  readonly mountFrom?: readonly string[] | undefined;
  readonly progress?: ((transfer: Transfer) => void) | undefined;
}

/** Bytes of a chunk: above the 5 MiB that ECR wants, below what proxies take, and small enough to be held and sent again. */
const CHUNK = 8 << 20;
const WHOLE_ATTEMPTS = 2;
const CHUNKED_ATTEMPTS = 3;
const OCTETS = { 'content-type': 'application/octet-stream' };

/**
 * Brings a blob into a repository in the way that works everywhere: ask whether it is there, mount it from a neighbour, send it in one piece, and where that fails twice in chunks that are resumed. Returns once it is there.
 */
export async function uploadBlob(
  endpoint: Endpoint,
  content: BlobContent,
  options: UploadOptions = {},
): Promise<Transfer['state']> {
  return new Upload(endpoint, content, options).run();
}

class Upload {
  readonly #endpoint: Endpoint;
  readonly #content: BlobContent;
  readonly #o: UploadOptions;
  readonly #scopes: readonly string[];
  readonly #what: string;

  constructor(endpoint: Endpoint, content: BlobContent, options: UploadOptions) {
    this.#endpoint = endpoint;
    this.#content = content;
    this.#o = options;
    this.#scopes = [scopeOf(endpoint.repository, 'pull', 'push')];
    this.#what = `push blob ${content.descriptor.digest} to "${endpoint.transport.registry}/${endpoint.repository}"`;
  }

  async run(): Promise<Transfer['state']> {
    const { size } = this.#content.descriptor;
    if (await this.#exists()) return this.#report('exists', size);
    let session: URL | undefined;
    for (const from of this.#o.mountFrom ?? []) {
      if (from === this.#endpoint.repository) continue;
      const mounted = await this.#mount(from);
      if (mounted === 'mounted') return this.#report('mounted', size);
      // A registry that does not mount opens an upload instead, which will do.
      if (mounted && session) await this.#cancel(session);
      session = mounted ?? session;
    }
    await this.#whole(session);
    return this.#report('done', size);
  }

  #report(state: Transfer['state'], bytes: number): Transfer['state'] {
    this.#o.progress?.({ kind: 'push', state, descriptor: this.#content.descriptor, bytes });
    return state;
  }

  async #exists(): Promise<boolean> {
    await using response = await this.#request('HEAD', this.#endpoint.url(`blobs/${this.#content.descriptor.digest}`));
    if (response.status === 401 || response.status === 403) throw await this.#failure(response);
    return response.status === 200;
  }

  async #mount(from: string): Promise<'mounted' | URL | undefined> {
    const { digest } = this.#content.descriptor;
    const url = this.#endpoint.url(
      `blobs/uploads/?mount=${encodeURIComponent(digest)}&from=${encodeURIComponent(from)}`,
    );
    try {
      await using response = await this.#request('POST', url, {
        scopes: [...this.#scopes, scopeOf(from, 'pull')],
        headers: { 'content-length': '0' },
        retry: false,
      });
      if (response.status === 201) return 'mounted';
      return response.status === 202 ? locationOf(response, this.#what) : undefined;
    } catch (error) {
      // Not being allowed to read the neighbour, or a registry that fails on mounts, is no reason to give up.
      if (this.#o.signal?.aborted || !(error instanceof CodedError)) throw error;
      return undefined;
    }
  }

  async #start(): Promise<{ location: URL; chunk: number }> {
    const algorithm = algorithmOf(this.#content.descriptor.digest);
    const query = algorithm === 'sha256' ? '' : `?digest-algorithm=${algorithm}`;
    await using response = await this.#request('POST', this.#endpoint.url(`blobs/uploads/${query}`), {
      headers: { 'content-length': '0' },
    });
    if (response.status !== 202) throw await this.#failure(response);
    const least = Number(response.headers['oci-chunk-min-length'] ?? 0);
    return {
      location: locationOf(response, this.#what),
      chunk: Math.max(CHUNK, Number.isSafeInteger(least) ? least : 0),
    };
  }

  async #whole(first: URL | undefined): Promise<void> {
    const { descriptor } = this.#content;
    let session = first;
    for (let attempt = 1; ; attempt++) {
      const location = session ?? (await this.#start()).location;
      session = undefined;
      try {
        await using response = await this.#request('PUT', withDigest(location, descriptor), {
          headers: { ...OCTETS, 'content-length': String(descriptor.size) },
          body: () => this.#open(),
          retry: false,
        });
        if (response.status < 200 || response.status > 299) throw await this.#failure(response);
        this.#check(response);
        return;
      } catch (error) {
        await this.#cancel(location);
        if (!this.#mayGoOn(error)) throw error;
        if (attempt < WHOLE_ATTEMPTS && kindOf(error) === 'unavailable') {
          this.#endpoint.transport.notice('retry', `${this.#what}: ${(error as Error).message}; trying again`);
          await this.#endpoint.transport.pause(attempt, this.#o);
          continue;
        }
        this.#endpoint.transport.notice('retry', `${this.#what}: ${(error as Error).message}; trying in chunks`);
        await this.#inChunks(error);
        return;
      }
    }
  }

  /** False for what another way of sending cannot mend. */
  #mayGoOn(error: unknown): boolean {
    if (this.#o.signal?.aborted) return false;
    return hasCode(
      error,
      'REGISTRY_UNREACHABLE',
      'REGISTRY_FAILED',
      'REGISTRY_LIMITED',
      'REGISTRY_REFUSED',
      'REGISTRY_UNSUPPORTED',
      'UPLOAD_LOST',
      'REPOSITORY_NOT_FOUND',
    );
  }

  async #inChunks(reason: unknown): Promise<void> {
    const { transport } = this.#endpoint;
    for (let attempt = 1; ; attempt++) {
      try {
        await this.#chunks();
        return;
      } catch (error) {
        if (!this.#mayGoOn(error)) throw error;
        // Registries that know no chunks say so here; what they said of the whole is the better message.
        if (hasCode(error, 'REGISTRY_UNSUPPORTED', 'REGISTRY_REFUSED', 'REPOSITORY_NOT_FOUND')) throw reason;
        if (attempt >= CHUNKED_ATTEMPTS) throw error;
        await transport.pause(attempt, this.#o);
      }
    }
  }

  async #chunks(): Promise<void> {
    const { descriptor } = this.#content;
    const { location, chunk: length } = await this.#start();
    const session = { location };
    let offset = 0;
    try {
      for await (const chunk of inChunksOf(await this.#open(), length, descriptor.size)) {
        const end = offset + chunk.length;
        if (await this.#chunk(session, { chunk, offset, isLast: end === descriptor.size })) return;
        offset = end;
      }
      throw registryError('REGISTRY_PROTOCOL', `${this.#what}: its source gave ${offset} of ${descriptor.size} bytes`);
    } catch (error) {
      await this.#cancel(session.location);
      throw error;
    }
  }

  /** Sends one chunk, resuming where the registry says it stands. The last goes with the closing PUT (ECR fails on an empty one). True when the blob is complete. */
  async #chunk(
    session: { location: URL },
    o: { chunk: Uint8Array; offset: number; isLast: boolean },
  ): Promise<boolean> {
    const { descriptor } = this.#content;
    const { transport } = this.#endpoint;
    let { chunk, offset } = o;
    for (let attempt = 1; ; attempt++) {
      let failure: unknown;
      try {
        const sent = chunk;
        await using response = await this.#request(
          o.isLast ? 'PUT' : 'PATCH',
          o.isLast ? withDigest(session.location, descriptor) : session.location,
          {
            headers: {
              ...OCTETS,
              'content-length': String(sent.length),
              ...(sent.length > 0 && { 'content-range': `${offset}-${offset + sent.length - 1}` }),
            },
            body: () => sent,
            retry: false,
          },
        );
        if (o.isLast ? response.status >= 200 && response.status < 300 : [201, 202, 204].includes(response.status)) {
          if (o.isLast) this.#check(response);
          else if (response.headers['location'] !== undefined) session.location = locationOf(response, this.#what);
          return o.isLast;
        }
        failure =
          response.status === 416
            ? registryError('UPLOAD_LOST', `${this.#what}: the registry stands at another place`)
            : await this.#failure(response);
      } catch (error) {
        failure = error;
      }
      throwIfCancelled(this.#o);
      const kind = kindOf(failure);
      if ((kind !== 'unavailable' && kind !== 'exhausted') || attempt >= transport.attempts) throw failure;
      await transport.pause(attempt, this.#o);
      if (o.isLast && (await this.#exists())) return true;
      const stands = await this.#standsAt(session);
      if (stands === undefined || stands < offset || stands > offset + chunk.length) throw failure;
      chunk = chunk.subarray(stands - offset);
      offset = stands;
      if (chunk.length === 0 && !o.isLast) return false;
    }
  }

  /** How many bytes the registry has; undefined when it does not know the upload any more. */
  async #standsAt(session: { location: URL }): Promise<number | undefined> {
    await using response = await this.#request('GET', session.location);
    if (response.status !== 204 && response.status !== 202) return undefined;
    if (response.headers['location'] !== undefined) session.location = locationOf(response, this.#what);
    const end = /^(?:bytes=)?0-(\d+)$/.exec(response.headers['range'] ?? '')?.[1];
    // "0-0" is what registries say of nothing.
    return end === undefined || end === '0' ? 0 : Number(end) + 1;
  }

  async #open(): Promise<Bytes> {
    let bytes = 0;
    return tap(await this.#content.open({ signal: this.#o.signal }), (chunk) => {
      bytes += chunk.length;
      this.#report('running', bytes);
    });
  }

  /** A registry that keeps something else than was sent must be noticed here, not by who pulls. */
  #check(response: RegistryResponse): void {
    const said = response.headers['docker-content-digest'];
    const { digest } = this.#content.descriptor;
    if (said !== undefined && said !== digest && said.startsWith(`${algorithmOf(digest)}:`))
      throw registryError('REGISTRY_PROTOCOL', `${this.#what}: the registry stored ${said} instead`);
  }

  /** Tells the registry that nothing more will come (distribution-spec end-14); whether it understands does not matter. */
  async #cancel(location: URL): Promise<void> {
    try {
      await using _response = await this.#endpoint.transport.request({
        method: 'DELETE',
        url: location,
        scopes: this.#scopes,
        what: this.#what,
        retry: false,
        signal: AbortSignal.timeout(1_000),
      });
    } catch {
      // The registry forgets it by itself.
    }
  }

  #request(
    method: 'HEAD' | 'GET' | 'POST' | 'PUT' | 'PATCH',
    url: string | URL,
    o: {
      scopes?: readonly string[];
      headers?: Record<string, string>;
      body?: () => Uint8Array | Promise<Bytes>;
      retry?: boolean;
    } = {},
  ): Promise<RegistryResponse> {
    return this.#endpoint.transport.request({
      method,
      url,
      scopes: o.scopes ?? this.#scopes,
      headers: o.headers,
      body: o.body,
      retry: o.retry,
      lane: o.body ? 'write' : 'call',
      what: this.#what,
      signal: this.#o.signal,
    });
  }

  async #failure(response: RegistryResponse): Promise<CodedError> {
    const { transport } = this.#endpoint;
    return failureOf(response, {
      what: this.#what,
      registry: transport.registry,
      user: await transport.user(this.#scopes),
      access: 'push',
      missing:
        response.url.pathname.includes('/uploads/') && !/\/uploads\/?$/.test(response.url.pathname)
          ? 'upload'
          : 'repository',
    });
  }
}

/** Adds the digest and leaves the query as the registry wrote it: it may be signed. */
function withDigest(location: URL, descriptor: Descriptor): URL {
  const url = new URL(location);
  url.search = `${url.search === '' ? '?' : `${url.search}&`}digest=${encodeURIComponent(descriptor.digest)}`;
  return url;
}

/** The stream in pieces of `length` bytes; the last one, which ends at `size`, may be shorter, and is there even when it is empty. */
async function* inChunksOf(content: Bytes, length: number, size: number): Bytes {
  let buffer = Buffer.allocUnsafeSlow(Math.min(length, size));
  let filled = 0;
  let total = 0;
  if (size === 0) yield buffer;
  for await (const piece of content)
    for (let at = 0; at < piece.length;) {
      if (total === size) throw registryError('REGISTRY_PROTOCOL', `push blob: its source has more than ${size} bytes`);
      const n = Math.min(piece.length - at, buffer.length - filled);
      buffer.set(piece.subarray(at, at + n), filled);
      filled += n;
      at += n;
      if (filled < buffer.length) continue;
      total += filled;
      yield buffer;
      filled = 0;
      buffer = Buffer.allocUnsafeSlow(Math.min(length, size - total));
      if (buffer.length === 0 && at < piece.length)
        throw registryError('REGISTRY_PROTOCOL', `push blob: its source has more than ${size} bytes`);
    }
}
