import {
  type HttpClient,
  collect,
  kindOf,
  messageOf,
  sleep,
  type Bytes,
  type HttpResponse,
  type Wait,
} from '../base/index.ts';
import { saidIn, type Cloud } from './cloud.ts';
import { cloudError } from './errors.ts';

const ATTEMPTS = 4;
/** Milliseconds before the second attempt; twice as many before each further one. */
const FIRST_WAIT = 250;
/** The longest that a server may make us wait. */
const LONGEST_WAIT = 30_000;
const MOST_WORDS = 64 << 10;

export interface Exchange extends Wait {
  readonly method: 'GET' | 'HEAD' | 'PUT' | 'POST' | 'PATCH' | 'DELETE';
  readonly url: URL;
  /** Made anew for each attempt: signatures have a time in them. */
  readonly headers: () => Readonly<Record<string, string>> | Promise<Readonly<Record<string, string>>>;
  /** Opened anew for each attempt. */
  readonly body?: { readonly size: number; open(): Promise<Bytes> | Bytes } | undefined;
  /** What is done, for messages: no address with a signature in it. */
  readonly what: string;
  /** Statuses besides 2xx that are answers. */
  readonly accept?: readonly number[] | undefined;
}

/** Asks an object store, again where it has too much to do or cannot be reached. The answer must be read or disposed of. Throws `CLOUD_DENIED`, `CLOUD_LIMITED`, `CLOUD_FAILED`, and what the body throws. */
export async function exchange(cloud: Pick<Cloud, 'http'>, o: Exchange): Promise<HttpResponse> {
  for (let attempt = 1; ; attempt++) {
    let pause = FIRST_WAIT * 2 ** (attempt - 1);
    try {
      const response = await once(cloud.http, o);
      const { status } = response;
      if ((status >= 200 && status < 300) || o.accept?.includes(status)) return response;
      const failure = await refused(response, o.what);
      if (attempt === ATTEMPTS || (status !== 429 && status < 500)) throw failure;
      pause = Math.min(LONGEST_WAIT, secondsOf(response.headers['retry-after']) ?? pause);
    } catch (error) {
      if (attempt === ATTEMPTS || kindOf(error) !== 'unavailable' || o.signal?.aborted) throw error;
    }
    await sleep(pause, o);
  }
}

async function once(http: HttpClient, { method, url, headers, body, signal }: Exchange): Promise<HttpResponse> {
  return http.request({
    method,
    url,
    headers: { ...(await headers()), ...(body && { 'content-length': String(body.size) }) },
    body: body && (await body.open()),
    idleTimeout: 60_000,
    signal,
  });
}

async function refused(response: HttpResponse, what: string): Promise<Error> {
  const { status } = response;
  let words = '';
  try {
    await using answer = response;
    words = saidIn(Buffer.from(await collect(answer.body, { limit: MOST_WORDS })).toString());
  } catch (error) {
    words = ` (${messageOf(error)})`;
  }
  const message = `${what}: HTTP status ${status}${words}`;
  if (status === 401 || status === 403) return cloudError('CLOUD_DENIED', message);
  return status === 429 ? cloudError('CLOUD_LIMITED', message) : cloudError('CLOUD_FAILED', message);
}

function secondsOf(text: string | undefined): number | undefined {
  return text !== undefined && /^\d{1,6}$/.test(text) ? Number(text) * 1000 : undefined;
}

/** The text of a short answer. */
export async function textOfAnswer(response: HttpResponse): Promise<string> {
  await using answer = response;
  return Buffer.from(await collect(answer.body, { limit: 16 << 20, what: 'an answer' })).toString();
}
