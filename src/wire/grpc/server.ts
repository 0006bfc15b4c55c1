import type { DescMethod, DescService } from '@bufbuild/protobuf';
import { chmodSync, chownSync, existsSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import {
  createSecureServer,
  createServer,
  type Http2SecureServer,
  type Http2Server,
  type ServerHttp2Session,
} from 'node:http2';
import { type AddressInfo, connect as connectSocket } from 'node:net';
import { dirname, join } from 'node:path';
import type { Duplex } from 'node:stream';
import { hasErrno, messageOf } from '../../base/index.ts';
import { formatAddress, type GrpcAddress } from './address.ts';
import { grpcError } from './errors.ts';
import { handle, type Handling } from './handle.ts';
import type { Peer } from './peer.ts';
import type { RawHandler } from './raw-call.ts';
import type { Router } from './service.ts';
import { CONNECTION_WINDOW, MESSAGE_LIMIT, SESSION } from './windows.ts';

/** The server's certificate and key (PEM); with `clientCa` only clients whose certificate it signed are served. */
export interface ServerTls {
  readonly cert: Uint8Array;
  readonly key: Uint8Array;
  readonly clientCa?: Uint8Array | undefined;
}

export interface ListenOptions {
  readonly tls?: ServerTls | undefined;
  /** Permissions of a unix socket; absent: 0600. */
  readonly mode?: number | undefined;
  /** Number of the group that owns a unix socket. */
  readonly gid?: number | undefined;
}

/** A socket that listens already, by the number of its file in this process. */
export interface GivenSocket {
  readonly kind: 'fd';
  readonly fd: number;
}

export interface ServerOptions {
  readonly routes: (router: Router) => void;
  /** Streaming calls that are served as bytes, by `/package.Service/Method`; they go before `routes`. */
  readonly raw?: Readonly<Record<string, RawHandler>> | undefined;
  readonly messageLimit?: number | undefined;
  /** Told of errors that are ours, not the caller's. The caller hears their message only. */
  readonly onFault?: ((error: unknown, call: string) => void) | undefined;
}

/** Serves calls on sockets it listens on, and on any other connection it is given. */
export class GrpcServer implements AsyncDisposable {
  readonly #handling: Omit<Handling, 'peer'>;
  /** Serves what is given to `accept`. */
  readonly #loose: Http2Server;
  readonly #listening: {
    readonly server: Http2Server | Http2SecureServer;
    readonly address: GrpcAddress | GivenSocket;
  }[] = [];
  readonly #sessions = new Map<ServerHttp2Session, Peer>();

  constructor(o: ServerOptions) {
    const methods = new Map<string, { readonly method: DescMethod; readonly run: unknown }>();
    o.routes({
      service: (service: DescService, impl) => {
        for (const method of service.methods)
          methods.set(`/${service.typeName}/${method.name}`, {
            method,
            run: (impl as Readonly<Record<string, unknown>>)[method.localName],
          });
      },
    });
    this.#handling = { methods, raw: o.raw ?? {}, limit: o.messageLimit ?? MESSAGE_LIMIT, onFault: o.onFault };
    this.#loose = this.#prepared(createServer(SESSION));
  }

  /** Calls are served on this connection until it ends. */
  accept(stream: Duplex): void {
    this.#loose.emit('connection', stream);
  }

  /** Gives the address, with the port that was found for port 0. A socket file that nobody listens on any more is replaced. Throws `GRPC_LISTEN`, `GRPC_TLS`. */
  async listen(address: GrpcAddress | GivenSocket, o: ListenOptions = {}): Promise<GrpcAddress | GivenSocket> {
    const server = this.#prepared(o.tls ? secureServer(o.tls) : createServer(SESSION));
    if (address.kind === 'fd') {
      await listening(server, { fd: address.fd }).catch((error: unknown) => {
        throw grpcError('GRPC_LISTEN', `listen on file descriptor ${address.fd}: ${messageOf(error)}`, {
          cause: error,
        });
      });
      this.#listening.push({ server, address });
      return address;
    }
    const failed = (error: unknown): Error =>
      grpcError('GRPC_LISTEN', `listen on "${formatAddress(address)}": ${messageOf(error)}`, { cause: error });
    if (address.kind === 'unix') {
      if (await isServed(address.path))
        throw grpcError('GRPC_LISTEN', `listen on "${formatAddress(address)}": a server listens there already`);
      // Made where nobody else may enter, and moved when its permissions are right.
      const folder = mkdtempSync(join(dirname(address.path), '.strake-socket-'));
      try {
        const made = join(folder, 's');
        await listening(server, { path: made });
        if (o.gid !== undefined) chownSync(made, -1, o.gid);
        chmodSync(made, o.mode ?? 0o600);
        renameSync(made, address.path);
      } catch (error) {
        server.close();
        throw failed(error);
      } finally {
        rmSync(folder, { recursive: true, force: true });
      }
      this.#listening.push({ server, address });
      return address;
    }
    await listening(server, { host: address.host, port: address.port }).catch((error: unknown) => {
      throw failed(error);
    });
    const { port } = server.address() as AddressInfo;
    const bound = { ...address, port };
    this.#listening.push({ server, address: bound });
    return bound;
  }

  /** No new connection is taken; those that are open may go on. */
  stopListening(): void {
    for (const { server, address } of this.#listening.splice(0)) {
      server.close();
      if (address.kind === 'unix') rmSync(address.path, { force: true });
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.stopListening();
    for (const session of this.#sessions.keys()) session.destroy();
    this.#loose.close();
  }

  #prepared<S extends Http2Server | Http2SecureServer>(server: S): S {
    server.on('session', (session: ServerHttp2Session) => {
      const ended = new AbortController();
      const peer: Peer = { gone: ended.signal };
      this.#sessions.set(session, peer);
      session.on('stream', (stream, headers, _flags, raw) =>
        handle(stream, { path: headers[':path'] ?? '', raw: raw }, { ...this.#handling, peer }),
      );
      session.setLocalWindowSize(CONNECTION_WINDOW);
      session.on('error', () => undefined);
      session.once('close', () => {
        this.#sessions.delete(session);
        ended.abort(grpcError('GRPC_CONNECT', 'the client has gone'));
      });
    });
    // buildx's remote driver speaks HTTP/2 over TLS without saying so (ALPN).
    server.on('unknownProtocol', (socket: Duplex) => {
      if (server === this.#loose) socket.destroy();
      else this.#loose.emit('connection', Object.assign(socket, { alpnProtocol: 'h2' }));
    });
    server.on('sessionError', () => undefined);
    server.on('error', () => undefined);
    return server;
  }
}

function secureServer(tls: ServerTls): Http2SecureServer {
  try {
    return createSecureServer({
      ...SESSION,
      cert: Buffer.from(tls.cert),
      key: Buffer.from(tls.key),
      minVersion: 'TLSv1.2',
      ALPNProtocols: ['h2'],
      unknownProtocolTimeout: 2 ** 31 - 1,
      ...(tls.clientCa && { ca: Buffer.from(tls.clientCa), requestCert: true, rejectUnauthorized: true }),
    });
  } catch (error) {
    throw grpcError('GRPC_TLS', `read the server's certificate and key: ${messageOf(error)}`, { cause: error });
  }
}

async function listening(server: Http2Server | Http2SecureServer, at: object): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(at, () => {
      server.off('error', reject);
      resolve();
    });
  });
}

/** Whether somebody answers on a socket file. */
async function isServed(path: string): Promise<boolean> {
  if (!existsSync(path)) return false;
  const socket = connectSocket(path);
  try {
    return await new Promise((resolve, reject) => {
      socket.once('connect', () => resolve(true));
      socket.once('error', (error) => {
        if (hasErrno(error, 'ENOENT', 'ECONNREFUSED')) resolve(false);
        else reject(grpcError('GRPC_LISTEN', `listen on "unix://${path}": ${messageOf(error)}`, { cause: error }));
      });
    });
  } finally {
    socket.destroy();
  }
}
