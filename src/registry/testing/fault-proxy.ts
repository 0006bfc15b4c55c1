import { createServer, request as ask, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** What is done to one exchange. */
export type Fault =
  /** The connection breaks after so many bytes of the answer's body; with 0 before its head. */
  | { readonly kind: 'reset'; readonly after: number }
  /** The connection breaks after so many bytes of the request's body. */
  | { readonly kind: 'reset-upload'; readonly after: number }
  /** The answer ends properly, with a Content-Length that fits, after so many bytes. */
  | { readonly kind: 'truncate'; readonly after: number }
  /** The byte at this place of the answer is changed. */
  | { readonly kind: 'corrupt'; readonly at: number }
  /** Answers itself. */
  | {
      readonly kind: 'status';
      readonly status: number;
      readonly headers?: Readonly<Record<string, string | string[]>> | undefined;
      readonly body?: string | undefined;
    }
  /** Waits before the answer. */
  | { readonly kind: 'slow'; readonly ms: number }
  /** Changes or (undefined) takes away headers of the answer. */
  | {
      readonly kind: 'headers';
      readonly headers: Readonly<Record<string, string | undefined>>;
      readonly status?: number | undefined;
    }
  /** Takes headers of the request away. */
  | { readonly kind: 'deaf'; readonly to: readonly string[] };

export interface FaultRule {
  readonly method?: string | undefined;
  /** Matched against path and query. */
  readonly path?: RegExp | undefined;
  /** Requests that match but are let through first. */
  readonly skip?: number | undefined;
  /** How often; once by default. */
  readonly times?: number | undefined;
  readonly fault: Fault;
}

export interface SeenRequest {
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  /** Of the answer; 0 while there is none. */
  status: number;
}

/** An HTTP proxy before a registry that does wrong by rule. For tests. */
export class FaultProxy implements AsyncDisposable {
  /** Every request that came, in order. */
  readonly seen: SeenRequest[] = [];
  readonly #server: Server;
  readonly #target: URL;
  readonly #rules: { readonly rule: FaultRule; matched: number }[] = [];
  #choose: (seen: SeenRequest) => Fault | undefined = () => undefined;

  private constructor(target: URL, server: Server) {
    this.#target = target;
    this.#server = server;
    server.on('request', (request, response) => this.#serve(request, response));
  }

  static async listen(target: URL, ...rules: readonly FaultRule[]): Promise<FaultProxy> {
    const server = createServer();
    const proxy = new FaultProxy(target, server);
    proxy.add(...rules);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return proxy;
  }

  get host(): string {
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  add(...rules: readonly FaultRule[]): void {
    for (const rule of rules) this.#rules.push({ rule, matched: 0 });
  }

  /** Asked about each request to which no rule applies. */
  choose(fault: (seen: SeenRequest) => Fault | undefined): void {
    this.#choose = fault;
  }

  /** `METHOD path` of the requests whose path matches. */
  asked(path = /./): string[] {
    return this.seen.filter((one) => path.test(one.path)).map((one) => `${one.method} ${one.path}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve));
    this.#server.closeAllConnections();
    await closed;
  }

  #serve(request: IncomingMessage, response: ServerResponse): void {
    const seen: SeenRequest = {
      method: request.method ?? '',
      path: request.url ?? '',
      headers: request.headers,
      status: 0,
    };
    this.seen.push(seen);
    const fault = this.#pick(seen);
    response.on('error', () => undefined);
    request.on('error', () => undefined);
    if (fault?.kind === 'status') {
      seen.status = fault.status;
      response.writeHead(fault.status, fault.headers);
      response.end(fault.body);
      request.resume();
    } else if (fault?.kind === 'slow') setTimeout(() => this.#forward({ request, response, seen }), fault.ms);
    else this.#forward({ request, response, seen, fault });
  }

  #pick(seen: SeenRequest): Fault | undefined {
    for (const entry of this.#rules) {
      const { rule } = entry;
      if (rule.method !== undefined && rule.method !== seen.method) continue;
      if (rule.path && !rule.path.test(seen.path)) continue;
      entry.matched += 1;
      const turn = entry.matched - (rule.skip ?? 0);
      if (turn >= 1 && turn <= (rule.times ?? 1)) return rule.fault;
    }
    return this.#choose(seen);
  }

  #forward(o: {
    request: IncomingMessage;
    response: ServerResponse;
    seen: SeenRequest;
    fault?: Fault | undefined;
  }): void {
    const { request, response, seen, fault } = o;
    const headers = { ...request.headers };
    if (fault?.kind === 'deaf') for (const name of fault.to) delete headers[name];
    const onward = ask(
      {
        host: this.#target.hostname,
        port: this.#target.port,
        method: request.method,
        path: request.url,
        headers,
        agent: false,
      },
      (answer) => {
        const changed: Record<string, string | string[] | undefined> = { ...answer.headers, connection: undefined };
        if (fault?.kind === 'headers') Object.assign(changed, fault.headers);
        if (fault?.kind === 'truncate')
          changed['content-length'] = String(Math.min(fault.after, Number(answer.headers['content-length'])));
        for (const name of Object.keys(changed)) if (changed[name] === undefined) delete changed[name];
        const status = (fault?.kind === 'headers' ? fault.status : undefined) ?? answer.statusCode ?? 500;
        seen.status = status;
        if (fault?.kind === 'reset' && fault.after === 0) {
          answer.destroy();
          response.destroy();
          return;
        }
        response.writeHead(status, changed as Record<string, string | string[]>);
        answer.on('error', () => response.destroy());
        let at = 0;
        answer.on('data', (chunk: Buffer) => {
          const start = at;
          at += chunk.length;
          if (fault?.kind === 'corrupt' && fault.at >= start && fault.at < at) {
            const index = fault.at - start;
            chunk.writeUInt8(chunk.readUInt8(index) ^ 0xff, index);
          }
          if ((fault?.kind === 'reset' || fault?.kind === 'truncate') && at >= fault.after) {
            const rest = chunk.subarray(0, Math.max(0, fault.after - start));
            answer.destroy();
            if (fault.kind === 'truncate') response.end(rest);
            // What was written must leave before the connection breaks, or the bytes that the rule promises are lost.
            else response.write(rest, () => setImmediate(() => response.destroy()));
            return;
          }
          if (!response.write(chunk)) {
            answer.pause();
            response.once('drain', () => answer.resume());
          }
        });
        answer.on('end', () => response.end());
      },
    );
    onward.on('error', () => response.destroy());
    response.on('close', () => onward.destroy());
    if (fault?.kind !== 'reset-upload') {
      request.pipe(onward);
      return;
    }
    let sent = 0;
    request.on('data', (chunk: Buffer) => {
      sent += chunk.length;
      onward.write(chunk.subarray(0, Math.max(0, chunk.length - Math.max(0, sent - fault.after))));
      if (sent < fault.after) return;
      setTimeout(() => {
        onward.destroy();
        request.socket.destroy();
      }, 20);
      request.removeAllListeners('data').pause();
    });
    request.on('end', () => onward.end());
  }
}
