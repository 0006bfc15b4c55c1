import { hasCode, throwIfCancelled, type Bytes } from '../../base/index.ts';
import { algorithmOf, Digester, isDigest, type BlobStore, type Descriptor, type Digest } from '../../blob/index.ts';
import { Refusal, sendBytes, type Exchange } from './exchange.ts';
import type { ManifestStore } from './manifest-store.ts';
import type { Upload, Uploads } from './uploads.ts';

const OCTETS = 'application/octet-stream';

export interface BlobRoutesOptions {
  readonly blobs: BlobStore;
  readonly manifests: ManifestStore;
  readonly uploads: Uploads;
  /** Bytes that a chunk must have unless it is the last. */
  readonly chunkMinLength?: number | undefined;
}

/** Blobs and uploads (distribution-spec end-2, 4 to 6, 10, 11, 13, 14). */
export class BlobRoutes {
  readonly #o: BlobRoutesOptions;

  constructor(options: BlobRoutesOptions) {
    this.#o = options;
  }

  async blob(exchange: Exchange, repository: string, text: string): Promise<void> {
    const digest = readDigest(text);
    const { blobs, manifests } = this.#o;
    if (exchange.method === 'DELETE') {
      if (!(await manifests.unlink(repository, digest))) throw new Refusal('BLOB_UNKNOWN', 'blob unknown to registry');
      exchange.answer(202);
      return;
    }
    if (exchange.method !== 'GET' && exchange.method !== 'HEAD')
      throw new Refusal('UNSUPPORTED', 'no such operation on a blob');
    const size = await this.#sizeOf(repository, digest);
    if (size === undefined) throw new Refusal('BLOB_UNKNOWN', 'blob unknown to registry');
    const headers = {
      'content-type': OCTETS,
      'docker-content-digest': digest,
      'accept-ranges': 'bytes',
      etag: `"${digest}"`,
    };
    const descriptor: Descriptor = { mediaType: OCTETS, digest, size };
    const range = exchange.method === 'GET' ? readRange(exchange.header('range'), size) : undefined;
    if (range === 'unsatisfiable')
      throw new Refusal('RANGE_INVALID', 'the range begins behind the end', {
        headers: { 'content-range': `bytes */${size}` },
      });
    const { response } = exchange;
    if (exchange.method === 'HEAD') {
      response.writeHead(200, { ...headers, 'content-length': size });
      response.end();
    } else if (range) {
      const content = await blobs.open(descriptor, { offset: range.start, length: range.end - range.start + 1 });
      response.writeHead(206, {
        ...headers,
        'content-length': range.end - range.start + 1,
        'content-range': `bytes ${range.start}-${range.end}/${size}`,
      });
      await sendBytes(response, content);
    } else {
      const content = await blobs.open(descriptor);
      response.writeHead(200, { ...headers, 'content-length': size });
      await sendBytes(response, content);
    }
  }

  /** POST to `uploads/`: a mount, a whole blob with `?digest=`, or the start of a session. */
  async start(
    exchange: Exchange,
    repository: string,
    mayRead: (repository: string) => Promise<boolean>,
  ): Promise<void> {
    const { manifests, uploads } = this.#o;
    const { searchParams } = exchange.url;
    const mount = searchParams.get('mount');
    const from = searchParams.get('from');
    if (
      mount !== null &&
      isDigest(mount) &&
      from !== null &&
      (await manifests.isLinked(from, mount)) &&
      (await mayRead(from))
    ) {
      await manifests.link(repository, mount);
      exchange.answer(201, { location: blobPath(repository, mount), 'docker-content-digest': mount });
      return;
    }
    const whole = searchParams.get('digest');
    const upload = uploads.start(repository);
    if (whole === null) {
      this.#accept(exchange, upload);
      return;
    }
    await this.#finish(exchange, upload, readDigest(whole));
  }

  async session(exchange: Exchange, repository: string, id: string): Promise<void> {
    const upload = this.#o.uploads.get(repository, id);
    if (!upload) throw new Refusal('BLOB_UPLOAD_UNKNOWN', 'blob upload unknown to registry');
    if (exchange.method === 'GET') exchange.answer(204, this.#stateOf(upload));
    else if (exchange.method === 'DELETE') {
      upload[Symbol.dispose]();
      exchange.answer(204);
    } else if (exchange.method === 'PATCH') {
      this.#checkOffset(exchange, upload);
      for await (const chunk of exchange.request as Bytes) upload.append(chunk);
      this.#accept(exchange, upload);
    } else if (exchange.method === 'PUT') {
      this.#checkOffset(exchange, upload);
      await this.#finish(exchange, upload, readDigest(exchange.url.searchParams.get('digest') ?? ''));
    } else throw new Refusal('UNSUPPORTED', 'no such operation on an upload');
  }

  #accept(exchange: Exchange, upload: Upload): void {
    const { chunkMinLength } = this.#o;
    exchange.answer(202, {
      ...this.#stateOf(upload),
      ...(chunkMinLength !== undefined && { 'oci-chunk-min-length': String(chunkMinLength) }),
    });
  }

  #stateOf(upload: Upload): Record<string, string> {
    return {
      location: `/v2/${upload.repository}/blobs/uploads/${upload.id}`,
      range: `0-${Math.max(0, upload.size - 1)}`,
      'docker-upload-uuid': upload.id,
    };
  }

  #checkOffset(exchange: Exchange, upload: Upload): void {
    const header = exchange.header('content-range');
    if (header === undefined) return;
    const match = /^(?:bytes[ =])?(\d+)-(\d+)$/.exec(header);
    if (!match || Number(match[1]) !== upload.size)
      throw new Refusal('RANGE_INVALID', 'the chunk does not begin where the upload stands', {
        headers: this.#stateOf(upload),
      });
  }

  /** A body that is the whole blob goes straight to the store; else it is joined to what came before. */
  async #finish(exchange: Exchange, upload: Upload, digest: Digest): Promise<void> {
    const { blobs, manifests } = this.#o;
    using _session = upload;
    const body = exchange.request as Bytes;
    const length = Number(exchange.header('content-length') ?? Number.NaN);
    try {
      if (upload.size === 0 && Number.isSafeInteger(length)) {
        await blobs.put(body, { mediaType: OCTETS, expect: { mediaType: OCTETS, digest, size: length } });
        // A store that has the blob already need not read it: the rest of the request must still be taken.
        for await (const _ of body) throwIfCancelled();
      } else {
        for await (const chunk of body) upload.append(chunk);
        const digester = new Digester(algorithmOf(digest));
        for await (const chunk of upload.read()) digester.update(chunk);
        if (digester.digest() !== digest) throw new Refusal('DIGEST_INVALID', 'the content has another digest');
        await blobs.put(upload.read(), { mediaType: OCTETS, expect: { mediaType: OCTETS, digest, size: upload.size } });
      }
    } catch (error) {
      if (hasCode(error, 'BLOB_MISMATCH'))
        throw new Refusal('DIGEST_INVALID', 'the content has another digest or size');
      throw error;
    }
    await manifests.link(upload.repository, digest);
    exchange.answer(201, { location: blobPath(upload.repository, digest), 'docker-content-digest': digest });
  }

  async #sizeOf(repository: string, digest: Digest): Promise<number | undefined> {
    if (!(await this.#o.manifests.isLinked(repository, digest))) return undefined;
    return sizeIn(this.#o.blobs, digest);
  }
}

/** The size of a stored blob; stores that cannot tell are read through. */
async function sizeIn(blobs: BlobStore, digest: Digest): Promise<number | undefined> {
  const known = (blobs as { sizeOf?: (digest: Digest) => number | undefined }).sizeOf;
  if (typeof known === 'function') return known.call(blobs, digest);
  for await (const info of blobs.list()) if (info.digest === digest) return info.size;
  return undefined;
}

function blobPath(repository: string, digest: Digest): string {
  return `/v2/${repository}/blobs/${digest}`;
}

export function readDigest(text: string): Digest {
  if (!isDigest(text))
    throw new Refusal('DIGEST_INVALID', 'this is not a digest, or of an algorithm that is not supported');
  return text;
}

/** One range of bytes, inclusive; undefined for the whole, also where several are asked for (RFC 9110, 14.2 allows that). */
function readRange(
  header: string | undefined,
  size: number,
): { start: number; end: number } | 'unsatisfiable' | undefined {
  const match = /^bytes=(\d*)-(\d*)$/.exec(header ?? '');
  if (!match || (match[1] === '' && match[2] === '')) return undefined;
  if (match[1] === '') {
    const last = Math.min(Number(match[2]), size);
    return last === 0 ? 'unsatisfiable' : { start: size - last, end: size - 1 };
  }
  const start = Number(match[1]);
  if (start >= size) return 'unsatisfiable';
  const end = match[2] === '' ? size - 1 : Math.min(Number(match[2]), size - 1);
  return end < start ? undefined : { start, end };
}
