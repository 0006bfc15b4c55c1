import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Bytes } from '../../base/index.ts';

/** The codes of the distribution-spec, Error Codes, and the status that goes with each. */
const STATUS = {
  BLOB_UNKNOWN: 404,
  BLOB_UPLOAD_INVALID: 400,
  BLOB_UPLOAD_UNKNOWN: 404,
  DIGEST_INVALID: 400,
  MANIFEST_BLOB_UNKNOWN: 400,
  MANIFEST_INVALID: 400,
  MANIFEST_UNKNOWN: 404,
  NAME_INVALID: 400,
  NAME_UNKNOWN: 404,
  SIZE_INVALID: 400,
  UNAUTHORIZED: 401,
  DENIED: 403,
  UNSUPPORTED: 405,
  TOOMANYREQUESTS: 429,
  RANGE_INVALID: 416,
  UNKNOWN: 500,
} as const;

/** An answer that says no, thrown by what serves a request. */
export class Refusal extends Error {
  readonly code: keyof typeof STATUS;
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;

  constructor(
    code: keyof typeof STATUS,
    message: string,
    o: { status?: number; headers?: Readonly<Record<string, string>> } = {},
  ) {
    super(message);
    this.code = code;
    this.status = o.status ?? STATUS[code];
    this.headers = o.headers ?? {};
  }
}

/** One request and what it can be answered with. */
export interface Exchange {
  readonly method: string;
  readonly url: URL;
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  header(name: string): string | undefined;
  /** Answers without a body, or with JSON. */
  answer(status: number, headers?: Readonly<Record<string, string>>, body?: unknown): void;
}

export function exchangeOf(request: IncomingMessage, response: ServerResponse, url: URL): Exchange {
  return {
    method: request.method ?? 'GET',
    url,
    request,
    response,
    header: (name) => {
      const value = request.headers[name];
      return Array.isArray(value) ? value.join(', ') : value;
    },
    answer: (status, headers = {}, body) => {
      const text = body === undefined ? undefined : Buffer.from(`${JSON.stringify(body)}\n`);
      response.writeHead(status, {
        ...(text && { 'content-type': 'application/json' }),
        ...headers,
        ...(status !== 204 && { 'content-length': String(text?.length ?? 0) }),
      });
      response.end(request.method === 'HEAD' ? undefined : text);
    },
  };
}

/** Writes a stream at the pace of the reader. Cuts the connection when the stream fails: the length is promised by then. */
export async function sendBytes(response: ServerResponse, content: Bytes): Promise<void> {
  const closed = new Promise<void>((resolve) => response.once('close', resolve));
  try {
    for await (const chunk of content) {
      if (response.destroyed) return;
      if (!response.write(chunk))
        await Promise.race([new Promise((resolve) => response.once('drain', resolve)), closed]);
    }
    response.end();
  } catch (error) {
    response.destroy();
    throw error;
  }
}
