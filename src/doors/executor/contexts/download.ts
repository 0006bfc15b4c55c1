import { closeSync, ftruncateSync, openSync, writeSync } from 'node:fs';
import { collect, kindOf, messageOf, redactUrl, sleep, type HttpClient, type Wait } from '../../../base/index.ts';
import { saidIn } from '../../../cloud/index.ts';
import { executorError } from '../errors.ts';

const MOST_REDIRECTS = 10;
const ATTEMPTS = 5;
const FIRST_DELAY = 500;

export interface DownloadOptions extends Wait {
  /** The file to write; it must not exist. */
  readonly path: string;
  /** The action, for messages. */
  readonly what: string;
  /** Headers for a request to this URL, from this byte on: signed anew for each. Redirects to another host get none. */
  readonly headers?: ((url: URL, range: string | undefined) => Promise<Record<string, string>>) | undefined;
  /** Milliseconds before the second attempt; doubled after each. */
  readonly firstDelay?: number | undefined;
  /** Another address to ask, where an answer says that it is elsewhere. */
  readonly elsewhere?: ((headers: Readonly<Record<string, string>>) => URL | undefined) | undefined;
}

/**
 * A file by http(s): redirects followed, out of TLS never; tried again where the server has trouble, and resumed where it broke off. Throws `CONTEXT_NOT_FOUND`, `CONTEXT_DENIED` and `CONTEXT_FETCH_FAILED`.
 */
export async function download(http: HttpClient, from: URL, o: DownloadOptions): Promise<void> {
  const fd = openSync(o.path, 'wx', 0o600);
  const state = { at: 0, tag: undefined as string | undefined };
  try {
    for (let attempt = 1; ; attempt++) {
      const before = state.at;
      try {
        await once(http, from, { ...o, fd, state });
        return;
      } catch (error) {
        if (kindOf(error) !== 'unavailable' || o.signal?.aborted) throw error;
        if (state.at > before) attempt = 1;
        if (attempt >= ATTEMPTS) throw error;
        await sleep((o.firstDelay ?? FIRST_DELAY) * 2 ** (attempt - 1), o);
      }
    }
  } finally {
    closeSync(fd);
  }
}

async function once(
  http: HttpClient,
  from: URL,
  o: DownloadOptions & { readonly fd: number; readonly state: { at: number; tag: string | undefined } },
): Promise<void> {
  const { state, what } = o;
  let url = from;
  for (let turn = 0; ; turn += 1) {
    const range = state.at > 0 && state.tag !== undefined ? `bytes=${state.at}-` : undefined;
    if (range === undefined) state.at = 0;
    const own = url.host === from.host || turn === 0 ? await o.headers?.(url, range) : undefined;
    await using response = await http.request({
      method: 'GET',
      url,
      headers: { ...(range !== undefined && { range, 'if-match': state.tag ?? '' }), ...own },
      signal: o.signal,
    });
    const { status, headers } = response;
    const other = o.elsewhere?.(headers);
    const location = other?.href ?? headers['location'];
    if ((other !== undefined || (status >= 300 && status < 400)) && location !== undefined) {
      const next = URL.parse(location, url);
      const safe = next && (next.protocol === 'https:' || (next.protocol === 'http:' && url.protocol === 'http:'));
      if (turn >= MOST_REDIRECTS || !safe)
        throw executorError('CONTEXT_INVALID', `${what}: "${redactUrl(url)}" leads to no place that may be followed`);
      if (other) from = next;
      url = next;
      continue;
    }
    if (status === 412) {
      // It has changed since: from its beginning.
      state.tag = undefined;
      throw executorError('CONTEXT_FETCH_FAILED', `${what}: it was changed meanwhile`);
    }
    if (status !== 200 && status !== 206) throw await failure(response, what);
    const part = headers['content-range'];
    if (status === 206 && (range === undefined || part?.startsWith(`bytes ${state.at}-`) === false)) {
      state.tag = undefined;
      throw executorError('CONTEXT_FETCH_FAILED', `${what}: the server sent another part than was asked for`);
    }
    if (status === 200) {
      state.at = 0;
      ftruncateSync(o.fd);
    }
    state.tag = strong(headers['etag']);
    const length = Number(headers['content-length'] ?? Number.NaN);
    const end = Number.isSafeInteger(length) ? state.at + length : undefined;
    try {
      for await (const chunk of response.body)
        for (let done = 0; done < chunk.length;) {
          const n = writeSync(o.fd, chunk, done, chunk.length - done, state.at);
          done += n;
          state.at += n;
        }
    } catch (error) {
      throw executorError('CONTEXT_FETCH_FAILED', `${what}: ${messageOf(error)}`, { cause: error });
    }
    if (end !== undefined && state.at < end)
      throw executorError('CONTEXT_FETCH_FAILED', `${what}: it broke off after ${state.at} of ${end} bytes`);
    return;
  }
}

async function failure(response: Parameters<typeof statusOf>[0], what: string): Promise<Error> {
  const { status } = response;
  const said = await statusOf(response);
  const message = `${what}: HTTP status ${status}${said}`;
  if (status === 401 || status === 403)
    return executorError('CONTEXT_DENIED', message, { remedy: 'Check the login, and its right to read this.' });
  if (status === 404) return executorError('CONTEXT_NOT_FOUND', message, { remedy: 'Check the address.' });
  const fails = status >= 500 || status === 408 || status === 429;
  return executorError(fails ? 'CONTEXT_FETCH_FAILED' : 'CONTEXT_INVALID', message);
}

async function statusOf(response: {
  readonly status: number;
  readonly body: AsyncIterable<Uint8Array>;
}): Promise<string> {
  try {
    return saidIn(Buffer.from(await collect(response.body, { limit: 1 << 16, what: 'answer' })).toString());
  } catch {
    return '';
  }
}

function strong(tag: string | undefined): string | undefined {
  return tag?.startsWith('"') ? tag : undefined;
}
