import { connect as connectHttp2, type ClientHttp2Session } from 'node:http2';
import { connect as connectSocket, isIP, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { connect as connectTls } from 'node:tls';
import type { DescMethod, DescService } from '@bufbuild/protobuf';
import { cancelled, hasCode, messageOf, throwIfCancelled, unlessCancelled, type Wait } from '../../base/index.ts';
import { formatAddress, type GrpcAddress } from './address.ts';
import { call } from './call.ts';
import { grpcError } from './errors.ts';
import type { MetadataInit } from './metadata.ts';
import { rawCall, type RawCall } from './raw-call.ts';
import type { CallOptions, Client } from './service.ts';
import { Code, StatusError } from './status.ts';
import { CONNECTION_WINDOW, MESSAGE_LIMIT, SESSION } from './windows.ts';

/** Who is trusted, who we are (both PEM), and under which name the server's certificate stands where that is not the address. */
export interface ClientTls {
  readonly ca?: Uint8Array | undefined;
  readonly cert?: Uint8Array | undefined;
  readonly key?: Uint8Array | undefined;
  readonly serverName?: string | undefined;
}

export interface ClientOptions {
  /** Headers of every call. */
  readonly headers?: MetadataInit | undefined;
  /** Bytes of the largest message that is taken. */
  readonly messageLimit?: number | undefined;
}

/** One HTTP/2 connection on which calls are made. It is not opened anew when it ends. */
export class GrpcConnection implements AsyncDisposable {
  /** Settles when the connection has ended, with what ended it where that was a fault. */
  readonly closed: Promise<Error | undefined>;
  readonly #session: ClientHttp2Session;
  readonly #greeted: Promise<void>;
  readonly #headers: MetadataInit;
  readonly #limit: number;

  constructor(stream: Duplex, o: ClientOptions = {}) {
    const session = connectHttp2('http://localhost', { createConnection: () => stream, ...SESSION });
    // One that is ended at once hears of having connected all the same.
    session.once('connect', () => {
      if (!session.destroyed) session.setLocalWindowSize(CONNECTION_WINDOW);
    });
    let fault: Error | undefined;
    session.on('error', (error: Error) => {
      fault = error;
    });
    this.closed = new Promise((resolve) => {
      session.once('close', () => resolve(fault));
      // A TLS alert right after the handshake ends the socket, and Node's session does not hear of it.
      stream.once('error', (error: Error) => {
        fault ??= error;
        session.destroy();
        stream.destroy();
        resolve(fault);
      });
    });
    this.#greeted = new Promise((resolve) => {
      session.once('remoteSettings', () => resolve());
    });
    // A session on a stream that has ended already would never hear of it.
    if (stream.destroyed) session.destroy();
    else stream.once('close', () => session.destroy());
    this.#session = session;
    this.#headers = o.headers ?? {};
    this.#limit = o.messageLimit ?? MESSAGE_LIMIT;
  }

  client<S extends DescService>(service: S): Client<S> {
    const calls = service.methods.map((method) => [method.localName, this.#calls(method)] as const);
    return Object.fromEntries(calls) as unknown as Client<S>;
  }

  /** A streaming call of `/package.Service/Method`, as bytes. Throws `GRPC_CONNECT`. */
  raw(path: string, o: { readonly headers?: MetadataInit | undefined } = {}): RawCall {
    if (this.#session.closed || this.#session.destroyed)
      throw grpcError('GRPC_CONNECT', `call ${path.slice(1)}: the connection has ended`);
    return rawCall(this.#session, path, { headers: { ...this.#headers, ...o.headers }, limit: this.#limit });
  }

  /** Waits until the server speaks HTTP/2 with us, as it does once it has taken our certificate. Throws `GRPC_CONNECT`. */
  async greeted(w: Wait = {}): Promise<void> {
    const ended = this.closed.then((fault) => {
      throw grpcError('GRPC_CONNECT', `the server ended the connection${fault ? `: ${wordsOf(fault)}` : ''}`, {
        cause: fault,
        remedy: 'See whether it wants a certificate of clients, and whether it trusts this one.',
      });
    });
    await unlessCancelled(Promise.race([this.#greeted, ended]), w);
  }

  /** Ends it at once, with all calls on it. */
  destroy(): void {
    this.#session.destroy();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#session.destroy();
    await this.closed;
  }

  #calls(method: DescMethod): unknown {
    const answers = (requests: AsyncIterable<never>, o: CallOptions = {}): AsyncGenerator =>
      call(this.#session, method, { ...o, requests, limit: this.#limit, headers: { ...this.#headers, ...o.headers } });
    switch (method.methodKind) {
      case 'unary':
        return (request: never, o?: CallOptions) => theOne(answers(only(request), o), method);
      case 'server_streaming':
        return (request: never, o?: CallOptions) => answers(only(request), o);
      case 'client_streaming':
        return (requests: AsyncIterable<never>, o?: CallOptions) => theOne(answers(requests, o), method);
      default:
        return answers;
    }
  }
}

async function* only<T>(request: T): AsyncGenerator<T> {
  yield request;
}

/** The answer of a call that has one. */
async function theOne(answers: AsyncGenerator, method: DescMethod): Promise<unknown> {
  const wrong = (what: string): StatusError =>
    new StatusError(Code.Internal, `call ${method.parent.typeName}/${method.name}: the server gave ${what}`);
  const first = await answers.next();
  if (first.done === true) throw wrong('no answer');
  if ((await answers.next()).done !== true) throw wrong('more than one answer');
  return first.value;
}

/** An error in words; OpenSSL's without its numbers and files. */
function wordsOf(error: Error): string {
  const { reason } = error as { reason?: unknown };
  return typeof reason === 'string' ? reason : messageOf(error);
}

/** Connects to a server. Throws `GRPC_CONNECT`, `GRPC_TLS`. */
export async function openConnection(
  address: GrpcAddress,
  o: { tls?: ClientTls | undefined } & ClientOptions & Wait = {},
): Promise<GrpcConnection> {
  const connection = new GrpcConnection(await openSocket(address, o), o);
  // With TLS 1.3 a client believes to be connected before the server has looked at its certificate.
  if (o.tls && address.kind === 'tcp')
    try {
      await connection.greeted(o);
    } catch (error) {
      connection.destroy();
      if (!hasCode(error, 'GRPC_CONNECT')) throw error;
      throw grpcError('GRPC_CONNECT', `connect to "${formatAddress(address)}": ${error.message}`, {
        cause: error,
        remedy: error.remedy,
      });
    }
  return connection;
}

/** A socket that is connected. Throws `GRPC_CONNECT`, `GRPC_TLS`. */
export async function openSocket(
  address: GrpcAddress,
  o: { tls?: ClientTls | undefined; alpn?: readonly string[] | undefined } & Wait = {},
): Promise<Socket> {
  throwIfCancelled(o);
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const socket = dial(address, o);
  const lost = (error: Error | null): Error =>
    grpcError('GRPC_CONNECT', `connect to "${formatAddress(address)}": ${error ? wordsOf(error) : 'it was ended'}`, {
      cause: error ?? undefined,
    });
  const onError = (error: Error): void => reject(lost(error));
  socket.once(o.tls && address.kind === 'tcp' ? 'secureConnect' : 'connect', resolve);
  socket.once('error', onError);
  const onAbort = (): void => reject(cancelled(o.signal?.reason));
  o.signal?.addEventListener('abort', onAbort, { once: true });
  try {
    await promise;
    if (socket.destroyed) throw lost(socket.errored);
  } catch (error) {
    socket.destroy();
    throw error;
  } finally {
    o.signal?.removeEventListener('abort', onAbort);
  }
  return socket;
}

function dial(
  address: GrpcAddress,
  { tls, alpn = ['h2'] }: { tls?: ClientTls | undefined; alpn?: readonly string[] | undefined },
): Socket {
  if (address.kind === 'unix') return connectSocket(address.path);
  const { host, port } = address;
  if (!tls) return connectSocket({ host, port, noDelay: true });
  try {
    return connectTls({
      host,
      port,
      // No name may be an address; the certificate is compared with the host then.
      ...((tls.serverName !== undefined || isIP(host) === 0) && { servername: tls.serverName ?? host }),
      ...(alpn.length > 0 && { ALPNProtocols: [...alpn] }),
      ...(tls.ca && { ca: Buffer.from(tls.ca) }),
      ...(tls.cert && { cert: Buffer.from(tls.cert) }),
      ...(tls.key && { key: Buffer.from(tls.key) }),
    });
  } catch (error) {
    throw grpcError('GRPC_TLS', `connect to "${formatAddress(address)}": ${messageOf(error)}`, { cause: error });
  }
}
