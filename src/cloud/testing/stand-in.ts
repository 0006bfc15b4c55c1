import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A request as it arrived, whole. */
export interface Arrived {
  readonly method: string;
  readonly url: URL;
  /** The path as it was written. */
  readonly path: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: Buffer;
}

export interface Answered {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>> | undefined;
  readonly body?: string | Uint8Array | undefined;
}

/** A server of a test on loopback, that speaks the protocol of a service out of reach. */
export interface StandIn extends AsyncDisposable {
  readonly url: string;
  /** `PUT /path 200`, in order. */
  readonly asked: string[];
  /** Answers that are given, first one first, in the place of what the service would say. */
  readonly instead: Answered[];
}

export async function standIn(answer: (request: Arrived) => Answered): Promise<StandIn> {
  const asked: string[] = [];
  const instead: Answered[] = [];
  const server = createServer((request, response) => {
    const parts: Buffer[] = [];
    request.on('data', (chunk: Buffer) => parts.push(chunk));
    request.on('end', () => {
      const path = request.url ?? '/';
      const url = new URL(path, `http://${request.headers.host}`);
      const method = request.method ?? '';
      const arrived = { method, url, path, headers: request.headers, body: Buffer.concat(parts) };
      const { status, headers = {}, body = '' } = instead.shift() ?? answer(arrived);
      asked.push(`${method} ${decodeURIComponent(url.pathname)} ${status}`);
      response.writeHead(status, { 'content-length': Buffer.byteLength(body), ...headers });
      response.end(method === 'HEAD' ? undefined : body);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    asked,
    instead,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** The part of an object that a Range header asks for. */
export function ranged(content: Buffer, range: string | undefined): Answered {
  const match = /^bytes=(\d+)-(\d*)$/.exec(range ?? '');
  if (!match) return { status: 200, body: content };
  const [from, to] = [Number(match[1]), match[2] === '' ? content.length - 1 : Number(match[2])];
  if (from >= content.length) return { status: 416 };
  const body = content.subarray(from, to + 1);
  return {
    status: 206,
    headers: { 'content-range': `bytes ${from}-${from + body.length - 1}/${content.length}` },
    body,
  };
}
