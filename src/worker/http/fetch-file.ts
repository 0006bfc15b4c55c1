import { ftruncateSync, writeSync } from 'node:fs';
import { Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import {
  hasCode,
  hasErrno,
  kindOf,
  messageOf,
  redactUrl,
  sleep,
  throwIfCancelled,
  type Bytes,
  type HttpClient,
  type HttpResponse,
  type Wait,
} from '../../base/index.ts';
import { Digester, type Digest, type DiskBlobStore } from '../../blob/index.ts';
import { ask } from './ask.ts';
import { downloadError } from './errors.ts';

type Headers = Readonly<Record<string, string>>;

export interface FetchOptions extends Wait {
  readonly http: HttpClient;
  readonly store: DiskBlobStore;
  readonly headers: Headers;
  /** Of the digest that the content is kept under. */
  readonly algorithm: string;
  /** Must be its digest: nothing else is kept. */
  readonly expect?: Digest | undefined;
  readonly onBytes: (bytes: number, total: number | undefined) => void;
  /** Called with the digest before the content is stored. */
  readonly spare: (digest: Digest) => void;
  readonly onNote?: ((text: string) => void) | undefined;
}

export type Fetched =
  | { readonly kind: 'same' }
  | { readonly kind: 'content'; readonly digest: Digest; readonly size: number; readonly headers: Headers };

const TRIES = 5;
const FIRST_WAIT = 200;
const LONGEST_WAIT = 30_000;

/**
 * Downloads into the blob store, a few buffers in memory; `same` where the server says that what the headers ask about has not changed. Where the connection breaks, or the server is busy, it is asked again, for the rest
 * alone if it can say that the content is still the same. Throws `DOWNLOAD_NOT_FOUND`, `DOWNLOAD_DENIED`, `DOWNLOAD_FAILED`, `DOWNLOAD_CHECKSUM`, and what reaching a server can bring.
 */
export async function fetchFile(url: string, o: FetchOptions): Promise<Fetched> {
  using ingest = o.store.ingest();
  let part = new Part(o.algorithm);
  const what = `download "${redactUrl(url)}"`;
  for (let tries = 1; ; tries += 1) {
    let wait = FIRST_WAIT * 2 ** (tries - 1);
    let passing = true;
    try {
      await using response = await ask(url, { ...o, method: 'GET', headers: { ...o.headers, ...part.range() } });
      const { status, headers } = response;
      if (status === 304) return { kind: 'same' };
      if (status === 206 ? !part.fits(headers) : status < 200 || status >= 300) {
        passing = status >= 500 || status === 429 || status === 408;
        wait = retryAfter(headers) ?? wait;
        throw refused(what, status);
      }
      if (status !== 206) {
        ftruncateSync(ingest.fd, 0);
        part = new Part(o.algorithm, headers);
      }
      const length = Number(headers['content-length'] ?? Number.NaN);
      const total = Number.isSafeInteger(length) && !isGzip(headers) ? part.size + length : undefined;
      for await (const chunk of contentOf(response)) {
        throwIfCancelled(o);
        writeAll(ingest.fd, chunk, part.size);
        part.add(chunk);
        o.onBytes(part.size, total);
      }
      const digest = part.digest();
      if (o.expect !== undefined && digest !== o.expect) {
        passing = false;
        throw downloadError('DOWNLOAD_CHECKSUM', `${what}: digest mismatch ${digest} (expected: ${o.expect})`, {
          remedy: 'The file is another one: see whether it may be, then write the new checksum.',
        });
      }
      o.spare(digest);
      ingest.commit(digest);
      return { kind: 'content', digest, size: part.size, headers: part.headers };
    } catch (error) {
      throwIfCancelled(o);
      if (tries >= TRIES || !passing || wait > LONGEST_WAIT || kindOf(error) !== 'unavailable' || isFinal(error))
        throw error;
      o.onNote?.(`${messageOf(error)}; trying again`);
      await sleep(wait, o);
    }
  }
}

/** No better next time: nobody listens there, the name is not known, it is no web server. */
function isFinal(error: unknown): boolean {
  if (hasCode(error, 'HTTP_NOT_TLS')) return true;
  for (let cause = error; cause instanceof Error; cause = cause.cause)
    if (hasErrno(cause, 'ECONNREFUSED', 'ENOTFOUND')) return true;
  return false;
}

/** What came so far. */
class Part {
  readonly headers: Headers;
  size = 0;
  readonly #digester: Digester;

  constructor(algorithm: string, headers: Headers = {}) {
    this.headers = headers;
    this.#digester = new Digester(algorithm);
  }

  add(chunk: Uint8Array): void {
    this.#digester.update(chunk);
    this.size += chunk.length;
  }

  digest(): Digest {
    return this.#digester.digest();
  }

  /** Asks for the rest, if the server has a strong name for the whole (RFC 9110 13.1.5). */
  range(): Record<string, string> {
    const { etag } = this.headers;
    if (this.size === 0 || etag === undefined || etag.startsWith('W/') || isGzip(this.headers)) return {};
    return { range: `bytes=${this.size}-`, 'if-range': etag };
  }

  fits(headers: Headers): boolean {
    return this.size > 0 && headers['content-range']?.startsWith(`bytes ${this.size}-`) === true;
  }
}

function refused(what: string, status: number): Error {
  const message = `${what}: invalid response status ${status}`;
  if (status === 404 || status === 410)
    return downloadError('DOWNLOAD_NOT_FOUND', message, {
      remedy: 'Check the address; a git repository ends in ".git".',
    });
  if (status === 401 || status === 403)
    return downloadError('DOWNLOAD_DENIED', message, {
      remedy: 'Give a token for the host: --secret id=HTTP_AUTH_TOKEN_<host>,env=TOKEN.',
    });
  return downloadError('DOWNLOAD_FAILED', message);
}

/** Milliseconds (RFC 9110 10.2.3, in seconds). */
function retryAfter(headers: Headers): number | undefined {
  const seconds = headers['retry-after'];
  return seconds !== undefined && /^\d+$/.test(seconds) ? Number(seconds) * 1000 : undefined;
}

function isGzip(headers: Headers): boolean {
  return /^(?:x-)?gzip$/i.test(headers['content-encoding'] ?? '');
}

/** Without the coding that some servers put on what they send whatever they are asked for. */
function contentOf(response: HttpResponse): Bytes {
  if (!isGzip(response.headers)) return response.body;
  const source = Readable.from(response.body);
  const plain = createGunzip();
  source.on('error', (error) => plain.destroy(error));
  return source.pipe(plain);
}

function writeAll(fd: number, chunk: Uint8Array, position: number): void {
  for (let at = 0; at < chunk.length;) at += writeSync(fd, chunk, at, chunk.length - at, position + at);
}
