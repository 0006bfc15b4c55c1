import type { Clock, HttpClient, Wait } from '../base/index.ts';
import { collect, redactUrl } from '../base/index.ts';
import { cloudError } from './errors.ts';

/** What asking a cloud takes. */
export interface Cloud {
  readonly http: HttpClient;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly home: string;
  readonly clock: Clock;
}

export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly text: string;
}

const MOST = 1 << 20;

/** A short request and its whole answer, whatever its status. */
export async function ask(
  cloud: Cloud,
  request: {
    readonly method: 'GET' | 'POST' | 'PUT';
    readonly url: string | URL;
    readonly headers?: Readonly<Record<string, string>> | undefined;
    readonly body?: string | undefined;
    /** Milliseconds without an answer. */
    readonly patience?: number | undefined;
  } & Wait,
): Promise<Answer> {
  const { method, url, headers, body, patience, signal } = request;
  await using response = await cloud.http.request({
    method,
    url,
    headers: { ...headers, ...(body !== undefined && { 'content-length': String(Buffer.byteLength(body)) }) },
    body: body === undefined ? undefined : Buffer.from(body),
    idleTimeout: patience ?? 30_000,
    signal,
  });
  const what = `read the answer of "${redactUrl(new URL(url))}"`;
  const text = Buffer.from(await collect(response.body, { limit: MOST, what })).toString();
  return { status: response.status, headers: response.headers, text };
}

/** The object in an answer. Throws `CLOUD_LOGIN_FAILED` for another status than 200, and for what is no JSON; nothing of the answer is quoted: it may hold a login. */
export function objectOf(answer: Answer, what: string): Readonly<Record<string, unknown>> {
  if (answer.status !== 200)
    throw cloudError('CLOUD_LOGIN_FAILED', `${what}: HTTP status ${answer.status}${saidIn(answer.text)}`);
  try {
    const value: unknown = JSON.parse(answer.text);
    if (typeof value === 'object' && value !== null) return value as Record<string, unknown>;
  } catch {
    // Told below.
  }
  throw cloudError('CLOUD_LOGIN_FAILED', `${what}: the answer is no JSON object`);
}

/** The words of an error in JSON or XML, as an addition to a message. */
export function saidIn(text: string): string {
  const found =
    /<Message>([^<]*)<\/Message>/.exec(text)?.[1] ??
    /"(?:error_description|message|Message)"\s*:\s*"([^"]*)"/.exec(text)?.[1] ??
    /"error"\s*:\s*"([^"]*)"/.exec(text)?.[1];
  return found === undefined ? '' : ` (${found.replaceAll(/[\x00-\x1f\x7f]+/g, ' ').slice(0, 300)})`;
}

export function textOf(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}
