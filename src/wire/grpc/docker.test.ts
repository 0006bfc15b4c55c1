import assert from 'node:assert/strict';
import { createServer, type IncomingMessage } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import { test } from 'node:test';
import { systemRandom, tempFolder } from '../../base/index.ts';
import { Health, HealthCheckResponse_ServingStatus } from '../gen/grpc/health_pb.ts';
import { GrpcConnection, GrpcServer, openDockerConnection, type Router } from './index.ts';

function routes(router: Router): void {
  router.service(Health, { check: () => ({ status: HealthCheckResponse_ServingStatus.SERVING }) });
}

/** What a Docker daemon does with these two requests; its HTTP/2 settings come in the same packet as the answer. */
async function dockerd(
  path: string,
  onSession: (request: IncomingMessage, socket: Duplex) => void,
): Promise<AsyncDisposable> {
  const inner = new GrpcServer({ routes });
  const sockets = new Set<Duplex>();
  const server = createServer((_request, response) => {
    response.writeHead(404, { 'content-type': 'application/json' });
    response.end(JSON.stringify({ message: 'page not found: "x"' }));
  });
  server.on('upgrade', (request, socket) => {
    sockets.add(socket);
    socket.cork();
    socket.write('HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n');
    if (request.url === '/grpc') inner.accept(socket);
    else onSession(request, socket);
    process.nextTick(() => socket.uncork());
  });
  await new Promise<void>((resolve) => server.listen(path, resolve));
  return {
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await inner[Symbol.asyncDispose]();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

test("the BuildKit inside a Docker daemon: calls, and a session's connection with its headers", async () => {
  using folder = tempFolder(tmpdir(), systemRandom);
  const path = join(folder.path, 'docker.sock');
  const sessions: { method: unknown; uuid: unknown; connection: GrpcConnection }[] = [];
  await using daemon = await dockerd(path, ({ headersDistinct }, socket) =>
    sessions.push({
      method: headersDistinct['x-docker-expose-session-grpc-method'],
      uuid: headersDistinct['x-docker-expose-session-uuid'],
      connection: new GrpcConnection(socket),
    }),
  );
  void daemon;
  const docker = await openDockerConnection({ kind: 'unix', path });
  await using connection = docker.grpc;
  assert.equal((await connection.client(Health).check({})).status, HealthCheckResponse_ServingStatus.SERVING);

  const stream = await docker.openSession({
    'X-Docker-Expose-Session-Uuid': 'abc',
    'X-Docker-Expose-Session-Grpc-Method': ['/a/B', '/a/C'],
  });
  await using offered = new GrpcServer({ routes });
  offered.accept(stream);
  const [session] = sessions;
  assert.deepEqual([session?.method, session?.uuid], [['/a/B', '/a/C'], ['abc']]);
  await using back = session?.connection;
  assert.equal((await back?.client(Health).check({}))?.status, HealthCheckResponse_ServingStatus.SERVING);
});

test('what is no Docker daemon is said to be none', async () => {
  using folder = tempFolder(tmpdir(), systemRandom);
  const path = join(folder.path, 'x.sock');
  await assert.rejects(openDockerConnection({ kind: 'unix', path }), { code: 'GRPC_CONNECT', message: /no such file/ });
  const server = createServer((_request, response) => {
    response.writeHead(404, { 'content-type': 'application/json' });
    response.end(JSON.stringify({ message: 'no "grpc"' }));
  });
  await new Promise<void>((resolve) => server.listen(path, resolve));
  try {
    await assert.rejects(openDockerConnection({ kind: 'unix', path }), {
      code: 'GRPC_CONNECT',
      message: `ask the Docker daemon at "unix://${path}" for its BuildKit: it answered 404: no "grpc"`,
    });
  } finally {
    server.closeAllConnections();
    server.close();
  }
});
