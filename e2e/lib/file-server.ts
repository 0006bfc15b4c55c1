import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export type Answer = (request: IncomingMessage, response: ServerResponse) => void;

/** A web server on loopback whose answers a test gives by path. */
export class FileServer implements AsyncDisposable {
  readonly requests: string[] = [];
  readonly answers = new Map<string, Answer>();
  url = '';
  /** False answers 401. */
  guard: (request: IncomingMessage) => boolean = () => true;
  readonly #server: Server;

  private constructor() {
    this.#server = createServer((request, response) => {
      const { pathname } = new URL(request.url ?? '/', 'http://h');
      this.requests.push(`${request.method} ${request.url}`);
      const answer = this.answers.get(pathname);
      if (!this.guard(request)) response.writeHead(401).end();
      else if (answer) answer(request, response);
      else response.writeHead(404).end();
    });
  }

  static async open(): Promise<FileServer> {
    const server = new FileServer();
    await new Promise<void>((resolve) => server.#server.listen(0, '127.0.0.1', resolve));
    server.url = `http://127.0.0.1:${(server.#server.address() as AddressInfo).port}`;
    return server;
  }

  /** What was asked since the last time. */
  asked(): string[] {
    return this.requests.splice(0);
  }

  /** A file with its headers; with an ETag, conditions and ranges are answered. */
  file(path: string, content: string | Uint8Array, headers: Readonly<Record<string, string>> = {}): void {
    const bytes = Buffer.from(content);
    this.answers.set(path, (request, response) => {
      const { etag } = headers;
      if (etag !== undefined && request.headers['if-none-match'] === etag.replace(/^W\//, '')) {
        response.writeHead(304, headers).end();
        return;
      }
      const from = /^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1];
      if (from !== undefined && request.headers['if-range'] === etag) {
        const rest = bytes.subarray(Number(from));
        const range = `bytes ${from}-${bytes.length - 1}/${bytes.length}`;
        response.writeHead(206, { ...headers, 'content-length': rest.length, 'content-range': range }).end(rest);
        return;
      }
      response.writeHead(200, { ...headers, 'content-length': bytes.length });
      response.end(request.method === 'HEAD' ? undefined : bytes);
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}
