import { createHash } from 'node:crypto';
import { bytesOf, collect, hasCode, mapBounded, sleep, type Bytes, type Wait } from '../base/index.ts';
import { AzureBlob } from './azure-objects.ts';
import type { Cloud } from './cloud.ts';
import { cloudError } from './errors.ts';
import { exchange, textOfAnswer } from './exchange.ts';
import { partsOf, type ObjectContent, type Objects } from './objects.ts';
import { rangeOf } from './s3-objects.ts';

/** The service keeps entries apart by this; it is what BuildKit's client says, so that one finds what the other wrote. */
const VERSION = createHash('sha256').update('|go-actionscache-1.0').digest('hex');
const PARALLEL = 4;
const SERVICE = 'twirp/github.actions.results.api.v1.CacheService/';
/** Milliseconds that another job may take to write the entry that we replace; then it counts as given up. */
const LOCKED = 15_000;
const LOCKED_PAUSE = 2_000;

export interface GithubOptions {
  readonly cloud: Cloud;
  readonly url: string;
  /** Of a job, for the cache service. */
  readonly token: string;
  /** 1: `_apis/artifactcache`; 2: twirp, with contents in Azure's blobs. */
  readonly version: 1 | 2;
}

/** A branch or what it came from, as a job's token names it. */
export interface GithubScope {
  readonly scope: string;
  readonly writable: boolean;
}

interface Entry {
  readonly key: string;
  readonly url: string;
}

/** The cache of GitHub Actions, from within a job. An entry never changes: what is replaced gets a further number (`KEY#2`), and the highest counts. */
export class GithubObjects implements Objects {
  readonly name = 'GitHub Actions cache';
  readonly scopes: readonly GithubScope[];
  readonly #o: GithubOptions;
  readonly #found = new Map<string, Entry>();

  constructor(o: GithubOptions) {
    this.#o = o;
    this.scopes = scopesOf(o.token);
  }

  async find(key: string, w: Wait = {}): Promise<{ readonly size?: number | undefined } | undefined> {
    return (await this.#load(key, w)) && {};
  }

  async open(key: string, o: { offset?: number; length?: number } & Wait = {}): Promise<Bytes | undefined> {
    const entry = await this.#load(key, o);
    return entry && this.#download(entry, key, o);
  }

  async put(key: string, content: ObjectContent, w: Wait = {}): Promise<boolean> {
    if (await this.#load(key, w)) return false;
    return this.#save(key, content, w);
  }

  async replace(key: string, content: Uint8Array, w: Wait = {}): Promise<void> {
    const cut = ({ offset, length }: { offset: number; length: number } = { offset: 0, length: content.length }) =>
      bytesOf(content.subarray(offset, offset + length));
    const { clock } = this.#o.cloud;
    const patience = clock.now() + LOCKED;
    for (let skipped = 0; ;) {
      const last = await this.#load(`${key}#`, w);
      const number = last === undefined ? 0 : Number(last.key.slice(key.length + 1));
      if (!Number.isSafeInteger(number))
        throw cloudError('CLOUD_FAILED', `replace "${key}" in the ${this.name}: "${last?.key}" has no number`);
      if (await this.#save(`${key}#${number + 1 + skipped}`, { size: content.length, open: cut }, w)) return;
      // Somebody is writing that number now, or began to and never came to an end.
      if (clock.now() > patience) skipped += 1;
      else await sleep(LOCKED_PAUSE, w);
    }
  }

  /** The entry of this key, or else the newest one whose key begins so. */
  async #load(key: string, w: Wait): Promise<Entry | undefined> {
    const known = this.#found.get(key);
    if (known) return known;
    const entry = this.#o.version === 2 ? await this.#loadTwirp(key, w) : await this.#loadRest(key, w);
    // What is named by its digest stays what it is; of what gets numbers there may be a newer one.
    if (entry?.key === key) this.#found.set(key, entry);
    return entry;
  }

  async #loadTwirp(key: string, w: Wait): Promise<Entry | undefined> {
    const said = await this.#twirp('GetCacheEntryDownloadURL', { key, restore_keys: [key], version: VERSION }, w);
    const url = said['signed_download_url'];
    const found = said['matched_key'];
    return said['ok'] === true && typeof url === 'string' && typeof found === 'string'
      ? { key: found, url }
      : undefined;
  }

  async #loadRest(key: string, w: Wait): Promise<Entry | undefined> {
    const url = this.#rest('cache');
    url.searchParams.set('keys', key);
    url.searchParams.set('version', VERSION);
    const answer = await exchange(this.#o.cloud, {
      method: 'GET',
      url,
      headers: () => this.#headers(),
      what: `look for "${key}" in the ${this.name}`,
      accept: [404],
      ...w,
    });
    const text = await textOfAnswer(answer);
    if (answer.status === 404 || text === '') return undefined;
    const said = jsonOf(text);
    const place = said['archiveLocation'];
    const found = said['cacheKey'];
    return typeof place === 'string' && typeof found === 'string' && found !== ''
      ? { key: found, url: place }
      : undefined;
  }

  async #download(
    entry: Entry,
    key: string,
    o: { offset?: number; length?: number } & Wait,
  ): Promise<Bytes | undefined> {
    const { cloud, version } = this.#o;
    const what = `get "${key}" from the ${this.name}`;
    const url = new URL(entry.url);
    if (version === 2) {
      try {
        return await new AzureBlob(url, { cloud, what }).open(o);
      } catch (error) {
        if (!hasCode(error, 'CLOUD_DENIED')) throw error;
        // Addresses are signed for a short time.
        this.#found.delete(key);
        const again = await this.#load(key, o);
        return again && new AzureBlob(new URL(again.url), { cloud, what }).open(o);
      }
    }
    const range = rangeOf(o);
    const headers = (): Record<string, string> => (range === undefined ? {} : { range });
    const answer = await exchange(cloud, { method: 'GET', url, headers, what, signal: o.signal });
    return answer.body;
  }

  /** False where there is an entry of that key, or one in the making. */
  async #save(key: string, content: ObjectContent, w: Wait): Promise<boolean> {
    return this.#o.version === 2 ? this.#saveTwirp(key, content, w) : this.#saveRest(key, content, w);
  }

  async #saveTwirp(key: string, content: ObjectContent, w: Wait): Promise<boolean> {
    const begun = await this.#twirp('CreateCacheEntry', { key, version: VERSION }, w);
    const url = begun['signed_upload_url'];
    if (begun['ok'] !== true || typeof url !== 'string') return false;
    const what = `put "${key}" into the ${this.name}`;
    await new AzureBlob(new URL(url), { cloud: this.#o.cloud, what }).put(content, w);
    const ended = await this.#twirp('FinalizeCacheEntryUpload', { key, size_bytes: content.size, version: VERSION }, w);
    if (ended['ok'] !== true) throw cloudError('CLOUD_FAILED', `${what}: it was not taken at the end`);
    return true;
  }

  async #saveRest(key: string, content: ObjectContent, w: Wait): Promise<boolean> {
    const what = `put "${key}" into the ${this.name}`;
    const answer = await this.#send('POST', this.#rest('caches'), {
      json: { key, version: VERSION },
      what,
      accept: [400, 409],
      ...w,
    });
    const said = jsonOf(await textOfAnswer(answer));
    if (answer.status >= 400) {
      const reason = [said['typeKey'], said['message']].filter((one) => typeof one === 'string').join(': ');
      if (/already ?exists/i.test(reason)) return false;
      throw cloudError('CLOUD_FAILED', `${what}: HTTP status ${answer.status} (${reason})`);
    }
    const id = said['cacheId'] ?? said['cacheID'];
    if (typeof id !== 'number' || id === 0) throw cloudError('CLOUD_FAILED', `${what}: there is no id in the answer`);
    const place = this.#rest(`caches/${id}`);
    await mapBounded(partsOf(content.size, 10_000), PARALLEL, async ({ offset, length }) => {
      const body = await collect(await content.open({ offset, length }), { limit: length });
      await using taken = await exchange(this.#o.cloud, {
        method: 'PATCH',
        url: place,
        headers: () => ({
          ...this.#headers(),
          'content-type': 'application/octet-stream',
          'content-range': `bytes ${offset}-${offset + length - 1}/*`,
        }),
        body: { size: body.length, open: () => bytesOf(body) },
        what,
        ...w,
      });
      void taken;
    });
    await using ended = await this.#send('POST', place, { json: { size: content.size }, what, ...w });
    void ended;
    return true;
  }

  async #twirp(method: string, request: unknown, w: Wait): Promise<Readonly<Record<string, unknown>>> {
    const base = this.#o.url.endsWith('/') ? this.#o.url : `${this.#o.url}/`;
    const what = `ask the ${this.name} (${method})`;
    const answer = await this.#send('POST', new URL(SERVICE + method, base), {
      json: request,
      what,
      accept: [409],
      ...w,
    });
    if (answer.status !== 409) return jsonOf(await textOfAnswer(answer));
    await answer[Symbol.asyncDispose]();
    return { ok: false };
  }

  async #send(
    method: 'POST',
    url: URL,
    o: { readonly json: unknown; readonly what: string; readonly accept?: readonly number[] } & Wait,
  ): ReturnType<typeof exchange> {
    const body = Buffer.from(JSON.stringify(o.json));
    return exchange(this.#o.cloud, {
      ...o,
      method,
      url,
      headers: () => ({ ...this.#headers(), 'content-type': 'application/json' }),
      body: { size: body.length, open: () => bytesOf(body) },
    });
  }

  #rest(path: string): URL {
    const base = this.#o.url.endsWith('/') ? this.#o.url : `${this.#o.url}/`;
    return new URL(`_apis/artifactcache/${path}`, base);
  }

  #headers(): Record<string, string> {
    return {
      authorization: `Bearer ${this.#o.token}`,
      accept: 'application/json;api-version=6.0-preview.1',
    };
  }
}

/** What a job's token lets it read and write: the claim `ac` of the JWT. Who made it is the service's to check. Throws `CLOUD_SETTING`. */
function scopesOf(token: string): readonly GithubScope[] {
  const wrong = (why: string): Error =>
    cloudError('CLOUD_SETTING', `use the GitHub Actions cache: its token ${why}`, {
      remedy: 'Give the ACTIONS_RUNTIME_TOKEN of the job.',
    });
  try {
    const claims = jsonOf(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString());
    const scopes: unknown = JSON.parse(String(claims['ac']));
    if (!Array.isArray(scopes)) throw wrong('names no scopes');
    return scopes.map((one: unknown) => {
      const { Scope: scope, Permission: permission } = one as { Scope: unknown; Permission: unknown };
      return { scope: String(scope), writable: (Number(permission) & 2) !== 0 };
    });
  } catch (error) {
    if (hasCode(error, 'CLOUD_SETTING')) throw error;
    throw wrong('is not one of a job');
  }
}

function jsonOf(text: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null) return value as Record<string, unknown>;
  } catch {
    // Told below.
  }
  throw cloudError('CLOUD_FAILED', 'ask the GitHub Actions cache: the answer is no JSON object');
}
