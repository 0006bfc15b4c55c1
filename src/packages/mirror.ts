import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import {
  fileBytes,
  hasCode,
  hasErrno,
  messageOf,
  redactUrl,
  sleep,
  type Bytes,
  type HttpClient,
  type HttpResponse,
  type Wait,
} from '../base/index.ts';
import { loginFor, type AptLogin } from './apt-config.ts';
import { packagesError } from './errors.ts';

/** What reaches mirrors. */
export interface MirrorAccess {
  readonly http: Pick<HttpClient, 'request'>;
  readonly logins?: readonly AptLogin[] | undefined;
  /** Milliseconds before the second try of a request that failed; each further one waits twice as long. */
  readonly retryDelay?: number | undefined;
}

const TRIES = 4;
const REDIRECTS = 10;

/**
 * The bytes at a URL (http, https, file, copy), or undefined when there is nothing there (404, 410, no such file). Redirects are followed; what breaks in the middle goes on from
 * there. Throws `MIRROR_UNREACHABLE`, or `MIRROR_FAILED` for an answer that is neither.
 */
export async function fetchFrom(url: string, o: MirrorAccess & Wait): Promise<Bytes | undefined> {
  if (/^(?:file|copy):/.test(url)) return localFile(url, o);
  const first = await tried(url, 0, o);
  return first === undefined ? undefined : resumed(url, first, o);
}

/** True when the mirror has something at this URL. */
export async function isThere(url: string, o: MirrorAccess & Wait): Promise<boolean> {
  if (/^(?:file|copy):/.test(url)) return existsSync(pathOf(url));
  await using answer = await follow(url, { method: 'HEAD', headers: {} }, o);
  return answer.status === 200;
}

function localFile(url: string, w: Wait): Bytes | undefined {
  const path = pathOf(url);
  return existsSync(path) ? fileBytes(path, w) : undefined;
}

function pathOf(url: string): string {
  return fileURLToPath(`file:${new URL(url).pathname}`);
}

async function* resumed(url: string, first: HttpResponse, o: MirrorAccess & Wait): Bytes {
  let answer = first;
  let received = 0;
  for (let failures = 0; ;) {
    try {
      for await (const chunk of answer.body) {
        received += chunk.length;
        failures = 0;
        yield chunk;
      }
      return;
    } catch (error) {
      if (o.signal?.aborted || !hasCode(error, 'HTTP_UNREACHABLE')) throw error;
      failures += 1;
      if (failures >= TRIES) throw unreachable(url, error);
      await sleep((o.retryDelay ?? 500) * 2 ** (failures - 1), o);
    } finally {
      await answer[Symbol.asyncDispose]();
    }
    const next = await tried(url, received, o);
    if (next === undefined)
      throw packagesError('MIRROR_FAILED', `fetch "${redactUrl(url)}": it vanished after ${received} bytes`);
    answer = next.status === 206 ? next : skipping(next, received);
  }
}

/** An answer from the start where the rest was asked for: the bytes that are here already are passed over. */
function skipping(answer: HttpResponse, count: number): HttpResponse {
  const rest = async function* (): Bytes {
    let left = count;
    for await (const chunk of answer.body) {
      if (chunk.length > left) yield chunk.subarray(left);
      left = Math.max(0, left - chunk.length);
    }
  };
  return {
    ...answer,
    all: (name) => answer.all(name),
    body: rest(),
    [Symbol.asyncDispose]: () => answer[Symbol.asyncDispose](),
  };
}

/** The answer 200 or 206 for the bytes from `offset` on; undefined for 404 and 410. Busy and broken servers are asked again. */
async function tried(url: string, offset: number, o: MirrorAccess & Wait): Promise<HttpResponse | undefined> {
  for (let attempt = 1; ; attempt += 1) {
    let failure: Error;
    try {
      const answer = await follow(url, { method: 'GET', headers: offset > 0 ? { range: `bytes=${offset}-` } : {} }, o);
      if (answer.status === 200 || (answer.status === 206 && startOf(answer) === offset)) return answer;
      await answer[Symbol.asyncDispose]();
      if (answer.status === 404 || answer.status === 410) return undefined;
      failure = packagesError('MIRROR_FAILED', `fetch "${redactUrl(url)}": the mirror answered ${answer.status}`, {
        remedy:
          answer.status === 401 || answer.status === 403
            ? 'Put the login for this mirror into /etc/apt/auth.conf.d.'
            : 'Try again, or name another mirror with --mirror URL.',
      });
      if (answer.status < 500 && answer.status !== 429 && answer.status !== 408) throw failure;
    } catch (error) {
      if (!hasCode(error, 'HTTP_UNREACHABLE')) throw error;
      failure = unreachable(url, error);
      if (hasErrno(rootCause(error), 'ENOTFOUND', 'ECONNREFUSED')) throw failure;
    }
    if (attempt >= TRIES) throw failure;
    await sleep((o.retryDelay ?? 500) * 2 ** (attempt - 1), o);
  }
}

async function follow(
  url: string,
  request: { method: 'GET' | 'HEAD'; headers: Readonly<Record<string, string>> },
  o: MirrorAccess & Wait,
): Promise<HttpResponse> {
  let target = new URL(url);
  for (let hops = 0; ; hops += 1) {
    const answer = await o.http.request({
      ...request,
      url: target,
      headers: { ...request.headers, ...authorization(target, o.logins ?? []) },
      signal: o.signal,
    });
    const location = answer.headers['location'];
    if (answer.status < 300 || answer.status >= 400 || location === undefined) return answer;
    await answer[Symbol.asyncDispose]();
    if (hops >= REDIRECTS)
      throw packagesError('MIRROR_FAILED', `fetch "${redactUrl(url)}": more than ${REDIRECTS} redirects`);
    target = new URL(location, target);
    if (target.protocol !== 'https:' && (target.protocol !== 'http:' || url.startsWith('https:')))
      throw packagesError(
        'MIRROR_FAILED',
        `fetch "${redactUrl(url)}": redirected to "${redactUrl(target)}", which is not safe`,
      );
  }
}

function authorization(url: URL, logins: readonly AptLogin[]): Record<string, string> {
  const found = url.username === '' ? loginFor(logins, url) : undefined;
  const user = found?.login ?? decodeURIComponent(url.username);
  if (user === '') return {};
  const password = found?.password ?? decodeURIComponent(url.password);
  return { authorization: `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}` };
}

function startOf(answer: HttpResponse): number | undefined {
  const start = /^bytes (\d+)-/.exec(answer.headers['content-range'] ?? '')?.[1];
  return start === undefined ? undefined : Number(start);
}

function rootCause(error: unknown): unknown {
  return error instanceof Error && error.cause !== undefined ? rootCause(error.cause) : error;
}

function unreachable(url: string, error: unknown): Error {
  return packagesError('MIRROR_UNREACHABLE', `fetch "${redactUrl(url)}": ${messageOf(error)}`, {
    cause: error,
    remedy: 'Check the network and the proxy settings, or name another mirror with --mirror URL.',
  });
}
