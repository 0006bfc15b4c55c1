import { canonicalJson, fileBytes, HttpClient, redactUrl, type Bytes, type Wait } from '../../base/index.ts';
import { algorithmOf, Digester, digestOf, type Digest, type DiskBlobStore } from '../../blob/index.ts';
import type { HttpSource } from '../../graph/index.ts';
import type { CacheKey, StepContext } from '../../solve/index.ts';
import { composeTree, type Entry, type FileTree } from '../../tree/index.ts';
import type { Ref } from '../ref.ts';
import type { Session } from '../session.ts';
import { ask } from './ask.ts';
import type { Download, Downloads } from './downloads.ts';
import { fetchFile } from './fetch-file.ts';
import { fileNameOf } from './file-name.ts';

const DEFAULT_MODE = 0o600;

interface Asking extends Wait {
  readonly session: Session;
  readonly onBytes?: ((bytes: number, total: number | undefined) => void) | undefined;
  readonly onNote?: ((text: string) => void) | undefined;
}

/** Files of the web, as BuildKit's http source has them: asked for once in a build, not sent again when the server says that they are as they were, kept in the blob store; the key goes by the content's digest. */
export class HttpRunner implements AsyncDisposable {
  readonly #store: DiskBlobStore;
  readonly #downloads: Downloads;
  readonly #http: HttpClient;
  readonly #asked = new WeakMap<Session, Map<string, Promise<Download>>>();

  constructor(o: { store: DiskBlobStore; downloads: Downloads; http?: HttpClient | undefined }) {
    this.#store = o.store;
    this.#downloads = o.downloads;
    this.#http = o.http ?? new HttpClient();
  }

  /** With a checksum nobody is asked. */
  async cacheKey(source: HttpSource, context: StepContext<Session>): Promise<CacheKey> {
    const { url, mode = DEFAULT_MODE, checksum, uid, gid } = source;
    const download = checksum === undefined ? await this.#download(source, askingOf(context)) : undefined;
    const content = download?.digest ?? checksum ?? '';
    const name = fileNameOf(url, { given: source.filename, disposition: download?.disposition });
    const key = { name, mode, uid, gid, content, ...(download ? { time: timeOf(download) } : {}) };
    return {
      digest: digestOf(canonicalJson({ http: key })),
      inputs: [],
      parts: [{ name: 'http', digest: content as Digest, value: redactUrl(url) }],
      unrecorded: true,
    };
  }

  async run(source: HttpSource, context: StepContext<Session>): Promise<readonly Ref[]> {
    const download = await this.#download(source, askingOf(context));
    const disposition = source.checksum === undefined ? download.disposition : undefined;
    const entry: Entry = {
      path: fileNameOf(source.url, { given: source.filename, disposition }),
      type: 'file',
      mode: source.mode ?? DEFAULT_MODE,
      uid: source.uid ?? 0,
      gid: source.gid ?? 0,
      size: download.size,
      mtime: timeOf(download),
      mtimeNs: 0,
    };
    const from = { tree: blobTree(this.#store, download, entry), entry };
    return [{ kind: 'files', tree: composeTree([{ entry, from }]) }];
  }

  /** Pins the content. `time`: seconds, where the server says when it was last changed. */
  async resolve(
    source: HttpSource,
    o: Asking,
  ): Promise<{ source: HttpSource; digest: Digest; time?: number | undefined }> {
    const download = await this.#download(source, o);
    const { digest } = download;
    return { source: { ...source, checksum: digest }, digest, time: timeOf(download) || undefined };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#http[Symbol.asyncDispose]();
  }

  /** The content, in the store for as long as the session lasts; one answer for all of a build. */
  async #download(source: HttpSource, o: Asking): Promise<Download> {
    const key = `${source.checksum ?? ''} ${source.authSecret ?? ''} ${nameOf(source)}`;
    let asked = this.#asked.get(o.session);
    if (!asked) this.#asked.set(o.session, (asked = new Map<string, Promise<Download>>()));
    let asking = asked.get(key);
    if (!asking) {
      asking = this.#ask(source, o);
      asking.catch(() => asked.delete(key));
      asked.set(key, asking);
    }
    return asking;
  }

  async #ask(source: HttpSource, o: Asking): Promise<Download> {
    const { url, checksum } = source;
    const name = nameOf(source);
    const known = this.#downloads.find(name);
    if (known) o.session.spare(known.digest);
    const here = known && this.#store.sizeOf(known.digest) === known.size ? known : undefined;
    if (here && checksum === here.digest) return this.#again(name, here);
    const before = checksum === undefined ? here : undefined;
    const headers = {
      'accept-encoding': 'identity',
      ...Object.fromEntries((source.headers ?? []).map((header) => [header.name.toLowerCase(), header.value])),
      ...(await this.#login(source, o)),
      ...(before ? conditionsOf(before) : {}),
    };
    if (before?.etag !== undefined && (await this.#isSame(url, before.etag, { headers, signal: o.signal })))
      return this.#again(name, before);
    const fetched = await fetchFile(url, {
      http: this.#http,
      store: this.#store,
      headers,
      algorithm: checksum === undefined ? 'sha256' : algorithmOf(checksum),
      expect: checksum,
      spare: (digest) => o.session.spare(digest),
      onBytes: (bytes, total) => o.onBytes?.(bytes, total),
      onNote: o.onNote,
      signal: o.signal,
    });
    if (fetched.kind === 'same') {
      if (before) return this.#again(name, before);
      throw new TypeError('download: a server answers with 304 what it was not asked');
    }
    const download = downloadOf(fetched.headers, fetched);
    this.#downloads.put(name, download);
    return download;
  }

  #again(name: string, download: Download): Download {
    this.#downloads.touch(name);
    return download;
  }

  /** Some servers give entity tags and do not look at those they are asked with: so first the tag alone is compared. */
  async #isSame(url: string, etag: string, o: { headers: Readonly<Record<string, string>> } & Wait): Promise<boolean> {
    try {
      await using response = await ask(url, { ...o, http: this.#http, method: 'HEAD' });
      const said = response.headers['etag']?.replace(/^W\//, '');
      return response.status === 304 ? said === undefined || said === etag : response.status === 200 && said === etag;
    } catch (error) {
      if (o.signal?.aborted) throw error;
      return false;
    }
  }

  /** The source's own secret, else HTTP_AUTH_TOKEN_<host> (a bearer token) and HTTP_AUTH_HEADER_<host> (the whole value), else what is written into the address. */
  async #login({ url, authSecret }: HttpSource, { session, signal }: Asking): Promise<{ authorization?: string }> {
    const { hostname, username, password } = new URL(url);
    const ids: readonly (readonly [id: string, prefix: string])[] = [
      [`HTTP_AUTH_TOKEN_${hostname}`, 'Bearer '],
      [`HTTP_AUTH_HEADER_${hostname}`, ''],
    ];
    for (const [id, prefix] of authSecret === undefined ? ids : [[authSecret, ''] as const, ...ids]) {
      const secret = await session.host.secret(id, { signal });
      if (secret !== undefined) return { authorization: prefix + Buffer.from(secret).toString().trim() };
    }
    if (username === '' && password === '') return {};
    const login = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
    return { authorization: `Basic ${Buffer.from(login).toString('base64')}` };
  }
}

/** What a download is remembered by: its address, and what else may make the answer another one. */
function nameOf({ url, headers }: HttpSource): string {
  return headers === undefined ? url : `${url} ${canonicalJson(headers)}`;
}

function askingOf(context: StepContext<Session>): Asking {
  return {
    session: context.host,
    signal: context.signal,
    onBytes: (current, total) =>
      context.progress({ item: 'downloading', current, total, unit: 'bytes', done: current === total }),
    onNote: (text) => context.note(text),
  };
}

function downloadOf(headers: Readonly<Record<string, string>>, of: { digest: Digest; size: number }): Download {
  const lastModified = headers['last-modified'];
  return {
    digest: of.digest,
    size: of.size,
    etag: headers['etag']?.replace(/^W\//, ''),
    lastModified,
    settled: Date.parse(headers['date'] ?? '') - Date.parse(lastModified ?? '') > 1000,
    disposition: headers['content-disposition'],
  };
}

function conditionsOf({ etag, lastModified, settled }: Download): Record<string, string> {
  if (etag !== undefined) return { 'if-none-match': etag };
  return lastModified === undefined || !settled ? {} : { 'if-modified-since': lastModified };
}

/** Seconds; 0 where the server says nothing that can be read. */
function timeOf({ lastModified }: Pick<Download, 'lastModified'>): number {
  const time = Date.parse(lastModified ?? '');
  return Number.isNaN(time) ? 0 : Math.floor(time / 1000);
}

/** A blob as the content of the one file there is. */
function blobTree(store: DiskBlobStore, { digest, size }: Download, entry: Entry): FileTree {
  const path = store.pathOf(digest);
  return {
    entries: async () => [entry],
    async *read(files: readonly Entry[], w?: Wait): Bytes {
      for (const file of files) if (file.size > 0) yield* await store.open({ mediaType: '', digest, size }, w);
    },
    digests: async (files, w) => {
      if (algorithmOf(digest) === 'sha256') return files.map(() => digest);
      const digester = new Digester('sha256');
      for await (const chunk of fileBytes(path, w)) digester.update(chunk);
      const own = digester.digest();
      return files.map(() => own);
    },
    locate: (file) => ({ path, offset: 0, length: file.size }),
  };
}
