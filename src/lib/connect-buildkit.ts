import { dockerfileFrontend } from '../frontend/dockerfile/index.ts';
import type { Frontend } from '../frontend/index.ts';
import type { Builder } from '../engine/index.ts';
import { askRemote, connectRemote, remoteBuilder, type RemoteInfo } from '../serve/remote/index.ts';
import { parseAddress, type ClientTls, type GrpcConnection } from '../wire/grpc/index.ts';

/** A daemon that speaks BuildKit's API. */
export interface BuildKit extends AsyncDisposable {
  /** Builds there, with frontends that run here. */
  readonly builder: Builder;
  /** Typed calls of any of its services: `grpc.client(Control).diskUsage({})`. */
  readonly grpc: GrpcConnection;
  /** Its version and workers. */
  info(): Promise<RemoteInfo>;
}

/** Connects to a daemon at `unix:///PATH` or `tcp://HOST:PORT`; with `docker`, to the BuildKit inside the Docker daemon there. Throws `GRPC_ADDRESS`, `GRPC_CONNECT`, `GRPC_TLS`. */
export async function connectBuildKit(
  address: string,
  o: {
    readonly docker?: boolean | undefined;
    readonly tls?: ClientTls | undefined;
    /** Beside `dockerfile`. */
    readonly frontends?: Readonly<Record<string, Frontend>> | undefined;
    /** A secret word of this client's: files that it has sent under it are not sent again as long as they are the same. Absent: each build sends all. */
    readonly sharedKey?: string | undefined;
    readonly signal?: AbortSignal | undefined;
  } = {},
): Promise<BuildKit> {
  const { docker, tls, signal, sharedKey } = o;
  const connection = await connectRemote(parseAddress(address), { name: address, docker, tls, signal });
  return {
    builder: remoteBuilder(connection, { frontends: { dockerfile: dockerfileFrontend, ...o.frontends }, sharedKey }),
    grpc: connection.grpc,
    info: () => askRemote(connection),
    [Symbol.asyncDispose]: () => connection[Symbol.asyncDispose](),
  };
}
