import type { Wait } from '../../base/index.ts';
import {
  openConnection,
  openDockerConnection,
  type ClientTls,
  type GrpcAddress,
  type GrpcConnection,
} from '../../wire/grpc/index.ts';

/** A daemon that speaks BuildKit's API, connected. */
export interface RemoteConnection extends AsyncDisposable {
  /** As people know it. */
  readonly name: string;
  readonly grpc: GrpcConnection;
  /** True for the BuildKit inside a Docker daemon: what it builds goes to that daemon's images. */
  readonly isDocker: boolean;
}

/** Connects to a daemon. Throws `GRPC_CONNECT`, `GRPC_TLS`. */
export async function connectRemote(
  address: GrpcAddress,
  o: { readonly name: string; readonly docker?: boolean | undefined; readonly tls?: ClientTls | undefined } & Wait,
): Promise<RemoteConnection> {
  const { name, tls, signal, docker = false } = o;
  if (!docker) return remoteConnection(await openConnection(address, { tls, signal }), { name });
  // Sessions are calls on the same connection: dockerd serves Control whole.
  const { grpc } = await openDockerConnection(address, { tls, signal });
  return remoteConnection(grpc, { name, docker });
}

/** A connection that is there already as one to a daemon: it is closed with it. */
export function remoteConnection(
  grpc: GrpcConnection,
  o: { readonly name: string; readonly docker?: boolean | undefined },
): RemoteConnection {
  return {
    name: o.name,
    grpc,
    isDocker: o.docker === true,
    [Symbol.asyncDispose]: () => grpc[Symbol.asyncDispose](),
  };
}
