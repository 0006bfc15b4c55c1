import type { Duplex } from 'node:stream';
import type { Bytes } from '../../../base/index.ts';
import type { BlobReader, BlobWriter, Digest } from '../../../blob/index.ts';
import type { BuildHost } from '../../../worker/index.ts';
import {
  GrpcServer,
  type DockerConnection,
  type GrpcConnection,
  type MetadataInit,
  type RawHandler,
} from '../../grpc/index.ts';
import { SESSION_CALL } from './accept-session.ts';
import { callStream } from './call-stream.ts';
import { hostRaw, OUTPUT_CALL } from './host-raw.ts';
import { hostRoutes } from './host-routes.ts';
import type { SessionHello } from './types.ts';

/** What lets a server fetch tokens without being told a password: the client asks for them itself. */
export interface TokenAuthority {
  /** The secret that a server's keys are made from; undefined where there is no login for a host. */
  seed(host: string): Promise<Uint8Array | undefined>;
  fetch(request: {
    readonly clientId: string;
    readonly host: string;
    readonly realm: string;
    readonly service: string;
    readonly scopes: readonly string[];
    readonly signal: AbortSignal;
  }): Promise<{
    readonly token: string;
    readonly expiresIn?: number | undefined;
    readonly issuedAt?: number | undefined;
  }>;
}

/** A content store; `put` where it may be written to. */
export interface SessionStore extends BlobReader, Partial<BlobWriter> {
  /** Bytes of a blob that it has. */
  sizeOf?(digest: Digest): Promise<number>;
}

/** What of a host's a server may use, under the server's names for it. */
export interface SessionOffer {
  /** Unique. */
  readonly id: string;
  readonly sharedKey?: string | undefined;
  /** Names of the folders of files. */
  readonly files: readonly string[];
  /** Names of sinks by the number of their exporter. */
  readonly sinks: readonly (string | undefined)[];
  /** Content stores by their id (`oci:NAME`, `local:…`, `export`). */
  readonly stores?: ReadonlyMap<string, SessionStore> | undefined;
  /** By path, with its slash. */
  readonly uploads?: ReadonlyMap<string, () => Bytes> | undefined;
  readonly secrets?: boolean | undefined;
  readonly agents?: boolean | undefined;
  readonly credentials?: boolean | undefined;
  readonly tokens?: TokenAuthority | undefined;
}

export interface OpenSession extends AsyncDisposable {
  readonly hello: SessionHello;
  /** Settles when the session has ended, with why where that was a fault. */
  readonly ended: Promise<Error | undefined>;
}

/** Opens a session to a server of BuildKit's API, or to the one inside a Docker daemon: what `host` owns is served to it until the session is disposed of. */
export function openSession(
  to: GrpcConnection | Pick<DockerConnection, 'openSession'>,
  host: BuildHost,
  o: SessionOffer,
): OpenSession {
  const writing = new Set<Promise<void>>();
  const raw = tracked(hostRaw(host, o), writing);
  const { routes, methods } = hostRoutes(host, o);
  const hello: SessionHello = {
    id: o.id,
    sharedKey: o.sharedKey ?? '',
    methods: new Set([...Object.keys(raw), ...methods]),
  };
  const headers = {
    'x-docker-expose-session-uuid': hello.id,
    'x-docker-expose-session-name': '',
    'x-docker-expose-session-sharedkey': hello.sharedKey,
    'x-docker-expose-session-grpc-method': [...hello.methods],
  };
  const server = new GrpcServer({ raw, routes });
  const line = 'openSession' in to ? ownLine(to, headers) : callLine(to, headers);
  void line.stream.then(
    (stream) => server.accept(stream),
    () => undefined,
  );
  return {
    hello,
    ended: line.ended,
    async [Symbol.asyncDispose]() {
      await server[Symbol.asyncDispose]();
      // An output that has come whole is being written.
      await Promise.allSettled(writing);
      await line.end();
    },
  };
}

/** The same handlers, outputs that are being written in `writing`. */
function tracked(
  handlers: Readonly<Record<string, RawHandler>>,
  writing: Set<Promise<void>>,
): Record<string, RawHandler> {
  const handler = handlers[OUTPUT_CALL];
  if (!handler) return handlers;
  return {
    ...handlers,
    [OUTPUT_CALL]: (request) => {
      const work = handler(request);
      writing.add(work);
      const end = (): void => void writing.delete(work);
      work.then(end, end);
      return work;
    },
  };
}

interface Line {
  readonly stream: Promise<Duplex>;
  readonly ended: Promise<Error | undefined>;
  end(): Promise<void>;
}

/** Inside a call on the server's own connection. */
function callLine(connection: GrpcConnection, headers: MetadataInit): Line {
  const call = connection.raw(SESSION_CALL, { headers });
  return {
    stream: Promise.resolve(callStream(call)),
    ended: call.ended,
    async end() {
      call.finish();
      call.cancel();
      await call.ended;
    },
  };
}

/** A connection of its own. */
function ownLine(docker: Pick<DockerConnection, 'openSession'>, headers: MetadataInit): Line {
  const stream = docker.openSession(headers);
  const ended = stream.then(
    async (line) =>
      new Promise<Error | undefined>((resolve) => {
        let fault: Error | undefined;
        line.once('error', (error: Error) => {
          fault = error;
        });
        line.once('close', () => resolve(fault));
      }),
    (error: unknown) => (error instanceof Error ? error : new Error(String(error))),
  );
  return {
    stream,
    ended,
    async end() {
      const line = await stream.catch(() => undefined);
      line?.destroy();
      await ended;
    },
  };
}
