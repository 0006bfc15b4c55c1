import { bytesOf, hasCode, type Bytes, type Wait } from '../base/index.ts';
import { blobError, verified, type BlobReader, type Descriptor } from '../blob/index.ts';
import { isIndexType, isManifestType, isSchema1Type, repositoryName } from '../image/index.ts';
import type { Endpoint, Endpoints } from './endpoints.ts';
import { registryError } from './errors.ts';
import { failureOf } from './failure.ts';
import { getManifest } from './remote-manifest.ts';
import { scopeOf, type RepositoryName } from './repository.ts';
import type { RegistryResponse } from './transport.ts';
import type { Transfer } from './transfer.ts';

/** Bytes after which an attempt counts as having got on, so that earlier breaks are forgotten. */
const PROGRESS = 1 << 20;
/** Milliseconds after which an answer that nobody reads gives its connection back; it is asked for again when somebody does. */
const PARKED = 1_000;

interface Piece {
  readonly descriptor: Descriptor;
  readonly start: number;
  /** Exclusive. */
  readonly end: number;
}

interface Answer {
  readonly response: RegistryResponse;
  /** The first byte of the blob that its body holds. */
  readonly at: number;
  /** The mirror that gave it, if one did. */
  readonly mirror?: string | undefined;
}

/** The blobs and manifests of one repository, read over the network: broken downloads go on where they stopped, and whole reads are verified. */
export class RemoteBlobs implements BlobReader {
  readonly #endpoints: Endpoints;
  readonly #name: RepositoryName;
  readonly #progress: ((transfer: Transfer) => void) | undefined;

  constructor(
    endpoints: Endpoints,
    o: { name: RepositoryName; progress?: ((transfer: Transfer) => void) | undefined },
  ) {
    this.#endpoints = endpoints;
    this.#name = o.name;
    this.#progress = o.progress;
  }

  async has(descriptor: Descriptor, w?: Wait): Promise<boolean> {
    const kind = isManifest(descriptor) ? 'manifests' : 'blobs';
    return this.#endpoints.ask(this.#name, { need: 'pull', ...w }, async (endpoint) => {
      const { transport } = endpoint;
      const scopes = [scopeOf(endpoint.repository, 'pull')];
      const what = this.#what(descriptor);
      await using response = await transport.request({
        method: 'HEAD',
        url: endpoint.url(`${kind}/${descriptor.digest}`),
        scopes,
        headers: kind === 'manifests' ? { accept: `${descriptor.mediaType}, */*` } : {},
        what,
        signal: w?.signal,
      });
      if (response.status === 200) return true;
      if (response.status !== 404)
        throw await failureOf(response, { what, registry: transport.registry, user: await transport.user(scopes) });
      if (endpoint.isMirror) throw blobError('BLOB_NOT_FOUND', `${what}: not at mirror "${transport.registry}"`);
      return false;
    });
  }

  async open(descriptor: Descriptor, options: { offset?: number; length?: number } & Wait = {}): Promise<Bytes> {
    const start = Math.min(options.offset ?? 0, descriptor.size);
    const end = options.length === undefined ? descriptor.size : Math.min(start + options.length, descriptor.size);
    if (descriptor.data !== undefined) {
      const content = Buffer.from(descriptor.data, 'base64');
      return start === 0 && end === descriptor.size
        ? verified(bytesOf(content), descriptor)
        : bytesOf(content.subarray(start, end));
    }
    if (isManifest(descriptor)) return bytesOf((await this.#manifest(descriptor, options)).subarray(start, end));
    const piece = { descriptor, start, end };
    const isWhole = start === 0 && end === descriptor.size;
    if (!isWhole && start === end) return bytesOf();
    let first: Answer;
    try {
      first = await this.#start(piece, start, options);
    } catch (error) {
      // A member of an index whose type we do not know may be a manifest.
      if (isWhole && hasCode(error, 'BLOB_NOT_FOUND') && descriptor.mediaType.endsWith('+json')) {
        const content = await this.#manifest(descriptor, options).catch(() => undefined);
        if (content) return bytesOf(content);
      }
      throw error;
    }
    const content = this.#content(piece, parked(first), options);
    return isWhole ? this.#verified(content, { descriptor, mirror: first.mirror }) : content;
  }

  /** A mirror that gave wrong bytes is not asked again for a while, so that a second try gets the right ones. */
  async *#verified(content: Bytes, o: { descriptor: Descriptor; mirror: string | undefined }): Bytes {
    try {
      yield* verified(content, o.descriptor, `"${repositoryName(this.#name)}" blob`);
    } catch (error) {
      if (hasCode(error, 'BLOB_CORRUPT') && o.mirror !== undefined) this.#endpoints.shun(o.mirror);
      throw error;
    }
  }

  async #manifest(descriptor: Descriptor, w: Wait): Promise<Uint8Array> {
    const { content } = await this.#endpoints.ask(this.#name, { need: 'pull', signal: w.signal }, (endpoint) =>
      getManifest(endpoint, {
        reference: descriptor.digest,
        what: `${repositoryName(this.#name)}@${descriptor.digest}`,
        signal: w.signal,
      }),
    );
    return content;
  }

  /** The bytes of a piece, asked for again from where they stopped whenever the connection breaks or the answer ends early. */
  async *#content(piece: Piece, first: Parked, w: Wait): Bytes {
    const { descriptor, end } = piece;
    const origin = this.#endpoints.origin(this.#name).transport;
    const report = (bytes: number): void => this.#progress?.({ kind: 'pull', state: 'running', descriptor, bytes });
    let position = piece.start;
    let checkpoint = position;
    let breaks = 0;
    let answer: Answer | undefined;
    try {
      answer = first.take();
      for (;;) {
        answer ??= await this.#start(piece, position, w);
        let skip = position - answer.at;
        let failure: unknown;
        try {
          for await (const chunk of answer.response.body) {
            let part = skip > 0 ? chunk.subarray(Math.min(skip, chunk.length)) : chunk;
            skip -= chunk.length - part.length;
            // What comes behind the end of a whole blob is passed on, so that it is noticed.
            if (end < descriptor.size) part = part.subarray(0, end - position);
            if (part.length === 0 && position < end) continue;
            position += part.length;
            report(position - piece.start);
            if (part.length > 0) yield part;
            if (position >= end && end < descriptor.size) break;
          }
        } catch (error) {
          if (!hasCode(error, 'HTTP_UNREACHABLE')) throw error;
          failure = error;
        }
        await answer.response[Symbol.asyncDispose]();
        answer = undefined;
        if (position >= end) break;
        if (position - checkpoint >= PROGRESS) breaks = 0;
        checkpoint = position;
        breaks += 1;
        if (breaks >= origin.attempts)
          throw registryError(
            'REGISTRY_TRUNCATED',
            `${this.#what(descriptor)}: the connection broke ${breaks} times, the last time after ${position} of ${descriptor.size} bytes`,
            { cause: failure, remedy: 'Try again, or look for a proxy or firewall that cuts long transfers off.' },
          );
        origin.notice(
          'retry',
          `${this.#what(descriptor)}: broken off after ${position} of ${descriptor.size} bytes; going on from there`,
        );
        await origin.pause(breaks, w);
      }
      this.#progress?.({ kind: 'pull', state: 'done', descriptor, bytes: position - piece.start });
    } finally {
      await answer?.response[Symbol.asyncDispose]();
    }
  }

  /** An answer whose body holds the blob from `position` on, or from its beginning where ranges are not served. */
  async #start(piece: Piece, position: number, w: Wait): Promise<Answer> {
    try {
      return await this.#endpoints.ask(this.#name, { need: 'pull', signal: w.signal }, (endpoint) =>
        this.#request(endpoint, piece, position, w),
      );
    } catch (error) {
      const foreign = hasCode(error, 'BLOB_NOT_FOUND', 'REGISTRY_DENIED')
        ? await this.#foreign(piece.descriptor, w)
        : undefined;
      if (foreign) return foreign;
      throw error;
    }
  }

  async #request(endpoint: Endpoint, piece: Piece, position: number, w: Wait): Promise<Answer> {
    const { descriptor, end } = piece;
    const { transport } = endpoint;
    const mirror = endpoint.isMirror ? transport.registry : undefined;
    const what = this.#what(descriptor);
    const scopes = [scopeOf(endpoint.repository, 'pull')];
    for (let ranged = position > 0 || end < descriptor.size; ; ranged = false) {
      const response = await transport.request({
        method: 'GET',
        url: endpoint.url(`blobs/${descriptor.digest}`),
        scopes,
        headers: ranged ? { range: `bytes=${position}-${end - 1}` } : {},
        lane: 'read',
        what,
        signal: w.signal,
      });
      const { status, headers } = response;
      if (status === 200) {
        const length = headers['content-length'];
        if (length !== undefined && Number(length) > descriptor.size) {
          await response[Symbol.asyncDispose]();
          throw blobError(
            'BLOB_CORRUPT',
            `${what}: it has ${length} bytes at "${transport.registry}" instead of ${descriptor.size}`,
          );
        }
        return { response, at: 0, mirror };
      }
      const range = /^bytes (\d+)-\d+\/(\d+|\*)$/.exec(headers['content-range'] ?? '');
      if (
        status === 206 &&
        range &&
        Number(range[1]) === position &&
        (range[2] === '*' || Number(range[2]) === descriptor.size)
      )
        return { response, at: position, mirror };
      if (ranged && (status === 206 || status === 416)) {
        // Another range than asked for, or none: the whole is asked for, and what is known already is passed over.
        await response[Symbol.asyncDispose]();
        continue;
      }
      throw await failureOf(response, {
        what,
        registry: transport.registry,
        user: await transport.user(scopes),
        missing: 'blob',
      });
    }
  }

  /** Layers that may not be kept in registries say where else they are (image-spec descriptor.md, `urls`). Asked without a login. */
  async #foreign(descriptor: Descriptor, w: Wait): Promise<Answer | undefined> {
    const origin = this.#endpoints.origin(this.#name).transport;
    for (const text of descriptor.urls ?? []) {
      const url = URL.parse(text);
      if (url?.protocol !== 'https:' && url?.protocol !== 'http:') continue;
      const what = this.#what(descriptor);
      const response = await origin.request({ method: 'GET', url, scopes: [], lane: 'read', what, signal: w.signal });
      if (response.status === 200) return { response, at: 0 };
      await response[Symbol.asyncDispose]();
    }
    return undefined;
  }

  #what(descriptor: Descriptor): string {
    return `read blob ${descriptor.digest} of "${repositoryName(this.#name)}"`;
  }
}

function isManifest({ mediaType }: Descriptor): boolean {
  return isManifestType(mediaType) || isIndexType(mediaType) || isSchema1Type(mediaType);
}

interface Parked {
  /** The answer, unless it has been given back meanwhile. */
  take(): Answer | undefined;
}

/** Whoever opens a blob and then does not read it must not keep a connection. */
function parked(answer: Answer): Parked {
  let held: Answer | undefined = answer;
  const timer = setTimeout(() => {
    held = undefined;
    answer.response[Symbol.asyncDispose]().catch(() => undefined);
  }, PARKED);
  timer.unref();
  return {
    take: () => {
      clearTimeout(timer);
      const taken = held;
      held = undefined;
      return taken;
    },
  };
}
