import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { reasonOf } from '../../../base/index.ts';
import { lifecycleError } from '../errors.ts';

/** How a daemon is reached, as an `HttpClient` is told. */
export interface DaemonConnection {
  readonly socketPath: string;
  readonly connections?: Socket[] | undefined;
}

/** As many requests as a phase may have at once, and some that may be lost. */
const CONNECTIONS = 6;

/**
 * Finds the socket of a Docker or Podman daemon: DOCKER_HOST, else where it usually is. With `openNow` connections are opened at once: afterwards root is given up, and with it the right to. Throws `LIFECYCLE_DAEMON_FAILED`.
 */
export async function connectDaemon(
  env: Readonly<Record<string, string | undefined>>,
  o: { readonly openNow: boolean },
): Promise<DaemonConnection> {
  const host = env['DOCKER_HOST'] ?? '';
  if (host !== '' && !host.startsWith('unix://'))
    throw lifecycleError(
      'LIFECYCLE_UNSUPPORTED',
      `use the daemon at "${host}": only sockets of this machine are spoken to`,
      {
        remedy: 'Mount its socket, and set DOCKER_HOST=unix://PATH.',
      },
    );
  const { daemonSockets } = await import('../../../engine/index.ts');
  const socketPath = host === '' ? daemonSockets(env).find((path) => existsSync(path)) : host.slice('unix://'.length);
  if (socketPath === undefined)
    throw lifecycleError('LIFECYCLE_DAEMON_FAILED', 'use a daemon: no socket of Docker or Podman was found', {
      remedy: 'Mount it at /var/run/docker.sock, or name it with DOCKER_HOST=unix://PATH.',
    });
  if (!o.openNow) return { socketPath };
  const connections: Socket[] = [];
  try {
    for (let at = 0; at < CONNECTIONS; at++) {
      const socket = connect(socketPath);
      await once(socket, 'connect');
      // Who takes it listens itself.
      socket.on('error', () => undefined);
      connections.push(socket);
    }
  } catch (error) {
    for (const socket of connections) socket.destroy();
    throw lifecycleError('LIFECYCLE_DAEMON_FAILED', `use the daemon at "${socketPath}": ${reasonOf(error)}`, {
      cause: error,
    });
  }
  return { socketPath, connections };
}
