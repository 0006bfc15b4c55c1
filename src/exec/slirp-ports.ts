import { closeSync, constants, openSync } from 'node:fs';
import { connect, isIPv6 } from 'node:net';
import { execError } from './errors.ts';
import type { PublishedPort } from './process.ts';

/** Asks a slirp4netns by its API socket (slirp4netns(1)) to lead ports to its guest. `folder` has the socket: its path alone may be longer than a socket's address can be. */
export async function addHostForwards(
  ports: readonly PublishedPort[],
  o: { readonly folder: string; readonly socket: string },
): Promise<void> {
  for (const { protocol, hostAddress = '0.0.0.0', hostPort, port } of ports) {
    if (isIPv6(hostAddress))
      throw execError(
        'PORTS_UNSUPPORTED',
        `publish port ${hostPort} on "${hostAddress}": slirp4netns knows IPv4 only`,
        {
          remedy: 'Install pasta (package passt).',
        },
      );
    const answer = await ask({
      ...o,
      request: {
        execute: 'add_hostfwd',
        arguments: {
          proto: protocol,
          host_addr: hostAddress,
          host_port: hostPort,
          guest_addr: '10.0.2.100',
          guest_port: port,
        },
      },
    });
    if (answer.error !== undefined)
      throw execError('NETWORK_FAILED', `publish port ${hostPort} by slirp4netns: ${answer.error.desc ?? 'refused'}`, {
        remedy: 'Choose another port of this machine.',
      });
  }
}

interface Answer {
  readonly error?: { readonly desc?: string } | undefined;
}

function ask(o: { readonly folder: string; readonly socket: string; readonly request: unknown }): Promise<Answer> {
  const { promise, resolve, reject } = Promise.withResolvers<Answer>();
  const folder = openSync(o.folder, constants.O_RDONLY | constants.O_DIRECTORY);
  const socket = connect(`/proc/self/fd/${folder}/${o.socket}`);
  let text = '';
  socket.on('data', (chunk: Buffer) => (text += chunk.toString()));
  socket.once('error', reject);
  socket.once('close', () => {
    closeSync(folder);
    try {
      resolve(JSON.parse(text) as Answer);
    } catch {
      reject(execError('NETWORK_FAILED', `publish a port by slirp4netns: it answered "${text}"`));
    }
  });
  socket.end(JSON.stringify(o.request));
  return promise;
}
