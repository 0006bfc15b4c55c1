import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { Duplex } from 'node:stream';
import { findTool, reasonOf, throwIfCancelled, type Wait } from '../../../base/index.ts';
import { askRemote, connectRemote, remoteConnection, type RemoteConnection } from '../../../serve/remote/index.ts';
import { GrpcConnection, parseAddress, type ClientTls } from '../../../wire/grpc/index.ts';
import { cliError } from '../errors.ts';
import type { Endpoint, TlsFiles } from './endpoint.ts';

/** Connects to a daemon. Throws `GRPC_CONNECT`, `GRPC_TLS`, `NODE_UNREACHABLE`. */
export async function connectEndpoint(
  { name, place, tls }: Endpoint,
  o: { readonly cwd: string } & Wait,
): Promise<RemoteConnection> {
  if (place.kind === 'container') return throughContainer(name, place, o);
  const address = parseAddress(place.address);
  return connectRemote(address, {
    name,
    docker: place.kind === 'docker',
    tls: tls && tlsOf(tls, o.cwd),
    signal: o.signal,
  });
}

function tlsOf(files: TlsFiles, cwd: string): ClientTls {
  const read = (what: string, path: string | undefined): Uint8Array | undefined => {
    if (path === undefined) return undefined;
    try {
      return readFileSync(resolve(cwd, path));
    } catch (error) {
      throw cliError('CONFIG_INVALID', `read ${what} "${path}": ${reasonOf(error)}`, {
        cause: error,
        remedy: 'Name a PEM file that this user may read.',
      });
    }
  };
  return {
    ca: read("the authority's certificate", files.ca),
    cert: read('the certificate', files.cert),
    key: read('the key', files.key),
    serverName: files.serverName,
  };
}

/** A BuildKit in a container, spoken to as buildx does: by a program in it that passes its socket on. */
async function throughContainer(
  name: string,
  place: Extract<Endpoint['place'], { kind: 'container' }>,
  o: Wait,
): Promise<RemoteConnection> {
  throwIfCancelled(o);
  const docker = findTool('docker');
  if (docker === undefined)
    throw cliError(
      'NODE_UNREACHABLE',
      `build on "${name}": its daemon is in a container, and there is no "docker" here`,
      {
        remedy: 'Install the docker command, or use an instance with the driver remote.',
      },
    );
  const host = place.docker === undefined ? [] : ['--host', place.docker];
  const child = spawn(docker, [...host, 'exec', '-i', place.container, 'buildctl', 'dial-stdio'], {
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  let said = '';
  child.stderr.on('data', (chunk: Buffer) => {
    if (said.length < 2000) said += chunk.toString();
  });
  const ended = new Promise<void>((settle) => {
    child.once('close', () => settle());
    child.once('error', () => settle());
  });
  const grpc = new GrpcConnection(Duplex.from({ readable: child.stdout as never, writable: child.stdin as never }));
  const connection = remoteConnection(grpc, { name });
  const first = await Promise.race([
    ended.then(() => 'ended' as const),
    askRemote(connection, o).then(() => 'ready' as const),
  ]);
  if (first === 'ended') {
    await connection[Symbol.asyncDispose]();
    throw cliError('NODE_UNREACHABLE', `build on "${name}": reach its daemon in "${place.container}": ${said.trim()}`, {
      remedy: 'See whether the container runs: docker buildx inspect --bootstrap.',
    });
  }
  return {
    ...connection,
    [Symbol.asyncDispose]: async () => {
      await connection[Symbol.asyncDispose]();
      child.kill();
      await ended;
    },
  };
}
