import { createSocket } from 'node:dgram';
import { createServer } from 'node:net';
import { hasErrno, messageOf } from '../base/index.ts';
import type { PublishedPort } from '../exec/index.ts';
import { machineError } from './errors.ts';
import { hostPort, type PortRequest, type Protocol } from './ports.ts';

/** Chooses a port of this machine for each wish, and sees that it can be had. Throws `PORT_TAKEN` or `PORT_DENIED`. */
export async function choosePorts(requests: readonly PortRequest[]): Promise<PublishedPort[]> {
  const chosen: PublishedPort[] = [];
  for (const request of requests) {
    const { hostAddress, protocol, port } = request;
    const found = await tryPort(protocol, { address: hostAddress, port: request.hostPort ?? 0 });
    if ('error' in found) throw cannot(request, found.error);
    const twice = chosen.some(
      (other) => other.protocol === protocol && other.hostPort === found.port && clash(other, request),
    );
    if (twice) throw cannot(request, 'asked for twice');
    chosen.push({ protocol, port, hostPort: found.port, ...(hostAddress === undefined ? {} : { hostAddress }) });
  }
  return chosen;
}

/** For exposed ports that nobody has asked for: on loopback under the same number, else 8000 more, else any that is free. */
export async function publishOnLoopback(
  ports: readonly { readonly protocol: Protocol; readonly port: number }[],
): Promise<PublishedPort[]> {
  const address = '127.0.0.1';
  const chosen: PublishedPort[] = [];
  for (const { protocol, port } of ports)
    for (const wish of [port, port + 8000, 0]) {
      if (
        wish > 65535 ||
        (wish !== 0 && chosen.some((other) => other.protocol === protocol && other.hostPort === wish))
      )
        continue;
      const found = await tryPort(protocol, { address, port: wish });
      if ('error' in found) continue;
      chosen.push({ protocol, port, hostPort: found.port, hostAddress: address });
      break;
    }
  return chosen;
}

type Tried = { readonly port: number } | { readonly error: unknown };

/** Takes the port and gives it back at once; 0 finds one. */
function tryPort(protocol: Protocol, o: { address: string | undefined; port: number }): Promise<Tried> {
  const { promise, resolve } = Promise.withResolvers<Tried>();
  if (protocol === 'tcp') {
    const server = createServer();
    server.once('error', (error) => resolve({ error }));
    // Without an address all of them, of both families where there are both.
    server.listen({ port: o.port, host: o.address, exclusive: true }, () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve({ port }));
    });
  } else {
    const socket = createSocket(o.address?.includes(':') === true ? 'udp6' : 'udp4');
    socket.once('error', (error) => resolve({ error }));
    socket.bind({ port: o.port, address: o.address, exclusive: true }, () => {
      const { port } = socket.address();
      socket.close(() => resolve({ port }));
    });
  }
  return promise;
}

function clash(one: { hostAddress?: string | undefined }, other: { hostAddress?: string | undefined }): boolean {
  return one.hostAddress === other.hostAddress || one.hostAddress === undefined || other.hostAddress === undefined;
}

function cannot(request: PortRequest, error: unknown): Error {
  const where =
    request.hostAddress === undefined
      ? `port ${request.hostPort ?? 0}`
      : hostPort(request.hostAddress, request.hostPort ?? 0);
  const what = `publish port ${request.port} on ${where}`;
  if (hasErrno(error, 'EACCES', 'EPERM'))
    return machineError('PORT_DENIED', `${what}: ports below 1024 are root's here`, {
      cause: error,
      remedy: `Choose another, as -p ${8000 + (request.hostPort ?? 0)}:${request.port}, or lower the sysctl net.ipv4.ip_unprivileged_port_start.`,
    });
  if (hasErrno(error, 'EADDRINUSE'))
    return machineError('PORT_TAKEN', `${what}: something on this machine listens there`, {
      cause: error,
      remedy: `Choose another port of this machine, or let one be chosen: -p ${request.port}.`,
    });
  if (hasErrno(error, 'EADDRNOTAVAIL'))
    return machineError('RUN_INVALID', `${what}: this machine has no such address`, { cause: error });
  return machineError('PORT_TAKEN', `${what}: ${typeof error === 'string' ? error : messageOf(error)}`, {
    cause: error,
  });
}

/** True when nothing on this machine listens on a TCP port, or none may be tried (it is root's). */
export async function isFree(port: number): Promise<boolean> {
  const found = await tryPort('tcp', { address: undefined, port });
  return !('error' in found) || !hasErrno(found.error, 'EADDRINUSE');
}
