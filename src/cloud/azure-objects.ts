import { bytesOf, collect, mapBounded, type Bytes, type HttpResponse, type Wait } from '../base/index.ts';
import { azureHeaders, type AzureLogin } from './azure-key.ts';
import type { Cloud } from './cloud.ts';
import { exchange } from './exchange.ts';
import { PART, partsOf, type ObjectContent, type Objects } from './objects.ts';
import { rangeOf } from './s3-objects.ts';

/** Azure takes no more blocks of one blob. */
const MOST_BLOCKS = 50_000;
const PARALLEL = 4;

/** One block blob (Azure Blob Storage REST API): sent whole, or as blocks that a list puts together. */
export class AzureBlob {
  readonly #cloud: Cloud;
  readonly #url: URL;
  readonly #login: AzureLogin | undefined;
  readonly #what: string;

  /** `login`: absent where the address is signed. */
  constructor(url: URL, o: { cloud: Cloud; login?: AzureLogin | undefined; what: string }) {
    this.#url = url;
    this.#cloud = o.cloud;
    this.#login = o.login;
    this.#what = o.what;
  }

  async find(w: Wait = {}): Promise<{ readonly size: number } | undefined> {
    await using answer = await this.#ask('HEAD', { accept: [404], ...w });
    return answer.status === 404 ? undefined : { size: Number(answer.headers['content-length'] ?? 0) };
  }

  async open(o: { offset?: number; length?: number } & Wait = {}): Promise<Bytes | undefined> {
    const range = rangeOf(o);
    const response = await this.#ask('GET', {
      headers: range === undefined ? {} : { 'x-ms-range': range },
      accept: [404],
      signal: o.signal,
    });
    if (response.status !== 404) return response.body;
    await response[Symbol.asyncDispose]();
    return undefined;
  }

  /** 404: there is no such container. */
  async put(content: ObjectContent, w: Wait = {}): Promise<201 | 404> {
    if (content.size <= PART) {
      const body = await collect(await content.open(), { limit: content.size });
      return this.#done('PUT', { headers: { 'x-ms-blob-type': 'BlockBlob' }, body, ...w });
    }
    const parts = partsOf(content.size, MOST_BLOCKS);
    const idOf = (at: number): string => Buffer.from(String(at).padStart(8, '0')).toString('base64');
    const statuses = await mapBounded(parts, PARALLEL, async ({ at, offset, length }) => {
      const body = await collect(await content.open({ offset, length }), { limit: length });
      return this.#done('PUT', { query: { comp: 'block', blockid: idOf(at) }, body, ...w });
    });
    if (statuses.includes(404)) return 404;
    const list = parts.map(({ at }) => `<Latest>${idOf(at)}</Latest>`).join('');
    const body = Buffer.from(`<?xml version="1.0" encoding="utf-8"?><BlockList>${list}</BlockList>`);
    return this.#done('PUT', { query: { comp: 'blocklist' }, body, ...w });
  }

  async #done(method: 'PUT', o: Asking & { readonly body: Uint8Array }): Promise<201 | 404> {
    await using answer = await this.#ask(method, { ...o, accept: [404] });
    return answer.status === 404 ? 404 : 201;
  }

  #ask(method: 'GET' | 'HEAD' | 'PUT', o: Asking): Promise<HttpResponse> {
    return askAzure(method, this.#url, { ...o, cloud: this.#cloud, login: this.#login, what: this.#what });
  }
}

interface Asking extends Wait {
  readonly query?: Readonly<Record<string, string>>;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Uint8Array;
  readonly accept?: readonly number[];
}

async function askAzure(
  method: 'GET' | 'HEAD' | 'PUT',
  base: URL,
  o: Asking & { readonly cloud: Cloud; readonly login: AzureLogin | undefined; readonly what: string },
): Promise<HttpResponse> {
  const url = new URL(base);
  for (const [name, value] of Object.entries(o.query ?? {})) url.searchParams.set(name, value);
  const { body } = o;
  const now = (): number => o.cloud.clock.now();
  return exchange(o.cloud, {
    method,
    url,
    what: o.what,
    accept: o.accept,
    signal: o.signal,
    headers: () => azureHeaders(method, url, { login: o.login, now: now(), headers: o.headers, length: body?.length }),
    body: body && { size: body.length, open: () => bytesOf(body) },
  });
}

/** A container of Azure Blob Storage; it is made where it is not there yet. */
export class AzureObjects implements Objects {
  readonly name: string;
  readonly #o: { readonly cloud: Cloud; readonly account: URL; readonly container: string; readonly login: AzureLogin };

  constructor(o: { cloud: Cloud; account: URL; container: string; login: AzureLogin }) {
    this.#o = o;
    this.name = `${o.account.origin}/${o.container}`;
  }

  async find(key: string, w: Wait = {}): Promise<{ readonly size?: number | undefined } | undefined> {
    return this.#blob('find', key).find(w);
  }

  async open(key: string, o: { offset?: number; length?: number } & Wait = {}): Promise<Bytes | undefined> {
    return this.#blob('get', key).open(o);
  }

  async put(key: string, content: ObjectContent, w: Wait = {}): Promise<boolean> {
    if (await this.find(key, w)) return false;
    await this.#put(key, content, w);
    return true;
  }

  async replace(key: string, content: Uint8Array, w: Wait = {}): Promise<void> {
    const cut = ({ offset, length }: { offset: number; length: number } = { offset: 0, length: content.length }) =>
      bytesOf(content.subarray(offset, offset + length));
    await this.#put(key, { size: content.length, open: cut }, w);
  }

  async #put(key: string, content: ObjectContent, w: Wait): Promise<void> {
    const blob = this.#blob('put', key);
    if ((await blob.put(content, w)) !== 404) return;
    const { account, container, cloud, login } = this.#o;
    const url = new URL(container, account);
    const what = `make the container "${this.name}"`;
    const query = { restype: 'container' };
    await using made = await askAzure('PUT', url, {
      query,
      body: new Uint8Array(),
      accept: [409],
      cloud,
      login,
      what,
      ...w,
    });
    void made;
    await blob.put(content, w);
  }

  #blob(action: string, key: string): AzureBlob {
    const { account, container, cloud, login } = this.#o;
    const url = new URL(account);
    const path = [container, ...key.split('/')].map(encodeURIComponent).join('/');
    url.pathname = `${url.pathname.replace(/\/$/, '')}/${path}`;
    return new AzureBlob(url, { cloud, login, what: `${action} "${this.name}/${key}"` });
  }
}
