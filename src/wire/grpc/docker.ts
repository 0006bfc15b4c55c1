import { request, type IncomingMessage, type OutgoingHttpHeaders } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { cancelled, messageOf, throwIfCancelled, type Wait } from '../../base/index.ts';
import { formatAddress, type GrpcAddress } from './address.ts';
import { GrpcConnection, openSocket, type ClientOptions, type ClientTls } from './client.ts';
import { grpcError } from './errors.ts';

/** How much of a refusal is read. */
const REFUSAL_LIMIT = 4096;

/** The BuildKit inside a Docker daemon, by the Engine API's `POST /grpc` and `POST /session`. */
export interface DockerConnection {
  /** Calls of BuildKit's services. */
  readonly grpc: GrpcConnection;
  /** A connection of its own for a session, whose client is the gRPC server on it. `headers`: `X-Docker-Expose-Session-*`; one with several values is sent several times. */
  openSession(headers: Readonly<Record<string, string | readonly string[]>>, w?: Wait): Promise<Duplex>;
}

/** Connects to a Docker daemon (its usual place: `unix:///var/run/docker.sock`). Throws `GRPC_CONNECT`, `GRPC_TLS`. */
export async function openDockerConnection(
  address: GrpcAddress,
  o: { tls?: ClientTls | undefined } & ClientOptions & Wait = {},
): Promise<DockerConnection> {
  const { tls, signal } = o;
  const stream = await upgrade(address, { path: '/grpc', tls, signal });
  return {
    grpc: new GrpcConnection(stream, o),
    openSession: (headers, w = {}) => upgrade(address, { path: '/session', headers, tls, ...w }),
  };
}

/** A connection taken over from HTTP/1.1: what goes over it from then on is HTTP/2. */
async function upgrade(
  address: GrpcAddress,
  o: {
    readonly path: string;
    readonly headers?: Readonly<Record<string, string | readonly string[]>>;
    readonly tls?: ClientTls | undefined;
  } & Wait,
): Promise<Duplex> {
  const socket = await openSocket(address, { tls: o.tls, alpn: [], signal: o.signal });
  try {
    return await upgraded(socket, { ...o, address });
  } catch (error) {
    socket.destroy();
    throw error;
  }
}

async function upgraded(
  socket: Socket,
  o: {
    readonly path: string;
    readonly headers?: Readonly<Record<string, string | readonly string[]>>;
    readonly address: GrpcAddress;
  } & Wait,
): Promise<Duplex> {
  throwIfCancelled(o);
  const { promise, resolve, reject } = Promise.withResolvers<Duplex>();
  const action = `ask the Docker daemon at "${formatAddress(o.address)}" for its BuildKit`;
  const headers: OutgoingHttpHeaders = { Connection: 'Upgrade', Upgrade: 'h2c' };
  for (const [name, value] of Object.entries(o.headers ?? {})) headers[name] = [value].flat();
  const asking = request({
    method: 'POST',
    path: o.path,
    host: 'docker',
    headers,
    createConnection: () => socket,
  });
  const onAbort = (): void => reject(cancelled(o.signal?.reason));
  o.signal?.addEventListener('abort', onAbort, { once: true });
  asking.once('error', (error) => {
    reject(grpcError('GRPC_CONNECT', `${action}: ${messageOf(error)}`, { cause: error }));
  });
  asking.once('upgrade', (_response: IncomingMessage, _stream, head: Buffer) => {
    if (head.length > 0) socket.unshift(head);
    resolve(socket);
  });
  asking.once('response', (response: IncomingMessage) => {
    refusal(response).then((text) => {
      const remedy = 'Name the socket of a Docker daemon of version 18.09 or later.';
      reject(grpcError('GRPC_CONNECT', `${action}: it answered ${response.statusCode ?? 0}${text}`, { remedy }));
    }, reject);
  });
  asking.end();
  try {
    return await promise;
  } finally {
    o.signal?.removeEventListener('abort', onAbort);
  }
}

/** Why: the `message` of the Engine API's answer. */
async function refusal(response: IncomingMessage): Promise<string> {
  let body = '';
  for await (const chunk of response) {
    body += String(chunk);
    if (body.length > REFUSAL_LIMIT) break;
  }
  const message = /"message"\s*:\s*"((?:[^"\\]|\\.)*)"/.exec(body)?.[1];
  return message === undefined ? '' : `: ${JSON.parse(`"${message}"`)}`;
}
