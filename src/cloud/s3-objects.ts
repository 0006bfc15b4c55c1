import { createHash } from 'node:crypto';
import { bytesOf, collect, mapBounded, type Bytes, type HttpResponse, type Wait } from '../base/index.ts';
import { awsDomain, awsKeys } from './aws-keys.ts';
import type { Cloud } from './cloud.ts';
import { cloudError } from './errors.ts';
import { exchange, textOfAnswer } from './exchange.ts';
import { PART, partsOf, type ObjectContent, type Objects } from './objects.ts';
import { signed, strict, type AwsKeys } from './sigv4.ts';

/** S3 takes no more parts of one object. */
const MOST_PARTS = 10_000;
/** Bytes of the largest object that S3 copies in one request. */
const MOST_COPIED = 5 * 2 ** 30;

export interface S3Options {
  readonly cloud: Cloud;
  readonly bucket: string;
  readonly region: string;
  /** Absent: where AWS' SDKs look. */
  readonly keys?: AwsKeys | undefined;
  /** Of another store with this protocol. */
  readonly endpoint?: string | undefined;
  /** The bucket in the path rather than in the name of the endpoint's host. */
  readonly pathStyle?: boolean | undefined;
  /** Milliseconds after which an object that is there is given a new time, so that a rule that deletes old ones spares it. */
  readonly touchAfter: number;
  /** Parts that are sent side by side. */
  readonly parallel: number;
}

/** A bucket of S3 (Amazon S3 API, REST). */
export class S3Objects implements Objects {
  readonly name: string;
  readonly #o: S3Options;
  readonly #base: URL;
  #keys: Promise<AwsKeys> | undefined;

  constructor(o: S3Options) {
    this.#o = o;
    this.name = `s3://${o.bucket}`;
    this.#base = baseOf(o);
  }

  async find(key: string, w: Wait = {}): Promise<{ readonly size?: number | undefined } | undefined> {
    const head = await this.#head(key, w);
    return head && { size: head.size };
  }

  async open(key: string, o: { offset?: number; length?: number } & Wait = {}): Promise<Bytes | undefined> {
    const range = rangeOf(o);
    const response = await this.#ask('GET', key, {
      headers: range === undefined ? {} : { range },
      accept: [404],
      signal: o.signal,
    });
    if (response.status !== 404) return response.body;
    await response[Symbol.asyncDispose]();
    return undefined;
  }

  async put(key: string, content: ObjectContent, w: Wait = {}): Promise<boolean> {
    const { touchAfter, cloud, parallel } = this.#o;
    const there = await this.#head(key, w);
    if (there) {
      if (cloud.clock.now() - there.modifiedAt > touchAfter && there.size <= MOST_COPIED) await this.#touch(key, w);
      return false;
    }
    if (content.size <= PART) {
      await this.#send(key, Buffer.from(await collect(await content.open())), w);
      return true;
    }
    const id = idOf(await textOfAnswer(await this.#ask('POST', key, { query: { uploads: '' }, ...w })));
    try {
      const tags = await mapBounded(partsOf(content.size, MOST_PARTS), parallel, async ({ at, offset, length }) => {
        const part = await collect(await content.open({ offset, length }), { limit: length });
        const query = { partNumber: String(at + 1), uploadId: id };
        await using answer = await this.#ask('PUT', key, { query, body: part, ...w });
        return answer.headers['etag'] ?? '';
      });
      const list = tags.map((tag, at) => `<Part><PartNumber>${at + 1}</PartNumber><ETag>${escaped(tag)}</ETag></Part>`);
      const body = Buffer.from(`<CompleteMultipartUpload>${list.join('')}</CompleteMultipartUpload>`);
      const said = await textOfAnswer(await this.#ask('POST', key, { query: { uploadId: id }, body, ...w }));
      // S3 says 200 first and what came of it afterwards.
      if (said.includes('<Error>'))
        throw cloudError('CLOUD_FAILED', `${this.#what('put', key)}: S3 could not put the parts together`);
    } catch (error) {
      await this.#ask('DELETE', key, { query: { uploadId: id } }).then(
        (answer) => answer[Symbol.asyncDispose](),
        () => undefined,
      );
      throw error;
    }
    return true;
  }

  async replace(key: string, content: Uint8Array, w: Wait = {}): Promise<void> {
    await this.#send(key, content, w);
  }

  async #send(key: string, body: Uint8Array, w: Wait): Promise<void> {
    await using answer = await this.#ask('PUT', key, { body, ...w });
    void answer;
  }

  async #head(key: string, w: Wait): Promise<{ readonly size: number; readonly modifiedAt: number } | undefined> {
    await using answer = await this.#ask('HEAD', key, { accept: [404], ...w });
    if (answer.status === 404) return undefined;
    const modified = Date.parse(answer.headers['last-modified'] ?? '');
    return {
      size: Number(answer.headers['content-length'] ?? 0),
      modifiedAt: Number.isNaN(modified) ? this.#o.cloud.clock.now() : modified,
    };
  }

  /** An object copied onto itself is new. */
  async #touch(key: string, w: Wait): Promise<void> {
    const headers = {
      'x-amz-copy-source': `/${this.#o.bucket}/${key.split('/').map(strict).join('/')}`,
      'x-amz-metadata-directive': 'REPLACE',
    };
    await using answer = await this.#ask('PUT', key, { headers, body: new Uint8Array(), ...w });
    void answer;
  }

  async #ask(
    method: 'GET' | 'HEAD' | 'PUT' | 'POST' | 'DELETE',
    key: string,
    o: {
      readonly query?: Readonly<Record<string, string>>;
      readonly headers?: Readonly<Record<string, string>>;
      readonly body?: Uint8Array;
      readonly accept?: readonly number[];
    } & Wait,
  ): Promise<HttpResponse> {
    const { cloud, region } = this.#o;
    const keys = this.#o.keys ?? (await (this.#keys ??= awsKeys(cloud, o)));
    const url = new URL(this.#base);
    url.pathname += key.split('/').map(strict).join('/');
    for (const [name, value] of Object.entries(o.query ?? {})) url.searchParams.set(name, value);
    const { body } = o;
    const digest = createHash('sha256')
      .update(body ?? '')
      .digest('hex');
    return exchange(cloud, {
      method,
      url,
      what: this.#what(method.toLowerCase(), key),
      accept: o.accept,
      signal: o.signal,
      headers: () =>
        signed(method, url, {
          keys,
          region,
          service: 's3',
          now: cloud.clock.now(),
          headers: o.headers,
          sha256: digest,
        }),
      body: body && { size: body.length, open: () => bytesOf(body) },
    });
  }

  #what(action: string, key: string): string {
    return `${action} "${this.name}/${key}"`;
  }
}

function baseOf({ endpoint, bucket, region, pathStyle }: S3Options): URL {
  if (endpoint === undefined) {
    const host = `s3.${region}.${awsDomain(region)}`;
    // No certificate stands for a name with further dots.
    return new URL(bucket.includes('.') ? `https://${host}/${bucket}/` : `https://${bucket}.${host}/`);
  }
  if (!URL.canParse(endpoint)) throw cloudError('CLOUD_SETTING', `use S3 at "${endpoint}": it is no URL`);
  const url = new URL(endpoint.endsWith('/') ? endpoint : `${endpoint}/`);
  if (pathStyle) url.pathname += `${bucket}/`;
  else url.hostname = `${bucket}.${url.hostname}`;
  return url;
}

export function rangeOf({ offset = 0, length }: { offset?: number; length?: number }): string | undefined {
  if (length !== undefined) return `bytes=${offset}-${offset + length - 1}`;
  return offset > 0 ? `bytes=${offset}-` : undefined;
}

function idOf(xml: string): string {
  const id = /<UploadId>([^<]+)<\/UploadId>/.exec(xml)?.[1];
  if (id === undefined) throw cloudError('CLOUD_FAILED', 'begin an upload to S3: there is no id in the answer');
  return id.replaceAll('&amp;', '&');
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;');
}
