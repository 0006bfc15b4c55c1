import type { Duplex } from 'node:stream';
import type { BuildHost } from '../../../worker/index.ts';
import {
  type DockerConnection,
  type GrpcConnection,
  GrpcServer,
  type MetadataInit,
  type RawHandler,
} from '../../grpc/index.ts';
import { SESSION_CALL } from './accept-session.ts';
import { callStream } from './call-stream.ts';
import { hostRaw, OUTPUT_CALL } from './host-raw.ts';
import { hostRoutes } from './host-routes.ts';
import type { SessionOffer } from './session-offer.ts';
import type { SessionHello } from './types.ts';

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
