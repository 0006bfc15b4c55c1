import assert from 'node:assert/strict';
import { statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { duplexPair } from 'node:stream';
import { test } from 'node:test';
import { CodedError, systemRandom, tempFolder } from '../../base/index.ts';
import { Control } from '../gen/buildkit/control_pb.ts';
import { FileSend } from '../gen/buildkit/filesync_pb.ts';
import { Health, HealthCheckResponse_ServingStatus } from '../gen/grpc/health_pb.ts';
import {
  formatAddress,
  fromStatus,
  GrpcConnection,
  GrpcServer,
  messageStream,
  openConnection,
  parseAddress,
  peerKey,
  toStatus,
  type ConnectRouter,
} from './index.ts';

function routes(router: ConnectRouter): void {
  router.service(Health, {
    check: ({ service }) => {
      if (service === 'bad')
        throw new CodedError({ code: 'X', kind: 'not_found', message: 'find "bad": none', remedy: 'Look.' });
      if (service === 'broken') throw new TypeError('oh');
      return { status: HealthCheckResponse_ServingStatus.SERVING };
    },
    async *watch() {
      yield { status: HealthCheckResponse_ServingStatus.SERVING };
      throw new CodedError({ code: 'X', kind: 'exhausted', message: 'watch: enough' });
    },
  });
  router.service(FileSend, {
    async *diffCopy(messages) {
      for await (const { data } of messages) yield { data };
    },
  });
}

test('addresses', () => {
  for (const text of ['unix:///run/x.sock', 'tcp://127.0.0.1:80', 'tcp://[::1]:1234'])
    assert.equal(formatAddress(parseAddress(text)), text);
  for (const text of ['unix://x', 'http://x:1', 'tcp://x', 'tcp://x:1/y', 'tcp://x:99999', ''])
    assert.throws(() => parseAddress(text), { code: 'GRPC_ADDRESS' }, text);
});

test('calls over a unix socket, with its permissions, and what errors become', async () => {
  using folder = tempFolder(tmpdir(), systemRandom);
  const path = join(folder.path, 'strake.sock');
  const faults: unknown[] = [];
  await using server = new GrpcServer({ routes, onFault: (error) => faults.push(error) });
  await server.listen({ kind: 'unix', path });
  assert.equal(statSync(path).mode & 0o777, 0o600);
  await assert.rejects(server.listen({ kind: 'unix', path }), {
    code: 'GRPC_LISTEN',
    message: /listens there already/,
  });

  await using connection = await openConnection({ kind: 'unix', path });
  const health = connection.client(Health);
  assert.equal((await health.check({})).status, HealthCheckResponse_ServingStatus.SERVING);
  const failure = async (work: Promise<unknown>): Promise<CodedError> => {
    try {
      await work;
    } catch (error) {
      return fromStatus(error, 'ask');
    }
    throw new assert.AssertionError({ message: 'nothing failed' });
  };
  const bad = await failure(health.check({ service: 'bad' }));
  assert.deepEqual([bad.code, bad.kind, bad.message], ['GRPC_NOT_FOUND', 'not_found', 'ask: find "bad": none; Look.']);
  assert.equal(faults.length, 0);
  assert.equal((await failure(health.check({ service: 'broken' }))).kind, 'internal');
  assert.equal(faults.length, 1);
  const watched = await failure(Array.fromAsync(health.watch({})));
  assert.deepEqual([watched.kind, watched.message], ['exhausted', 'ask: watch: enough']);
  assert.equal((await failure(connection.client(Control).info({}))).kind, 'unsupported');

  server.stopListening();
  await assert.rejects(openConnection({ kind: 'unix', path }), { code: 'GRPC_CONNECT', kind: 'unavailable' });
});

test('a connection inside a call carries calls the other way, both ends see it end', async () => {
  const [here, there] = duplexPair();
  const inner = Promise.withResolvers<GrpcConnection>();
  const gone = Promise.withResolvers<void>();
  await using server = new GrpcServer({
    routes: (router) =>
      router.service(Control, {
        async *session(messages, context) {
          context.values.get(peerKey).gone.addEventListener('abort', () => gone.resolve());
          const tunnel = messageStream(datas(messages));
          inner.resolve(new GrpcConnection(tunnel.stream));
          for await (const chunk of tunnel.outgoing) yield { data: chunk };
        },
      }),
  });
  server.accept(there);
  const connection = new GrpcConnection(here);
  await using offered = new GrpcServer({ routes });
  const answers = Promise.withResolvers<AsyncIterable<{ data: Uint8Array }>>();
  const tunnel = messageStream(lazily(answers.promise));
  answers.resolve(
    connection.client(Control).session(
      (async function* () {
        for await (const chunk of tunnel.outgoing) yield { data: chunk };
      })(),
    ),
  );
  offered.accept(tunnel.stream);

  const back = await inner.promise;
  assert.equal((await back.client(Health).check({})).status, HealthCheckResponse_ServingStatus.SERVING);
  const large = Buffer.alloc(3 * 1024 * 1024, 'x');
  let size = 0;
  for await (const { data } of back.client(FileSend).diffCopy(
    (async function* () {
      for (let i = 0; i < 8; i++) yield { data: large };
    })(),
  ))
    size += data.length;
  assert.equal(size, 8 * large.length);

  connection.destroy();
  await gone.promise;
  await back.closed;
  await assert.rejects(back.client(Health).check({}));
});

test('a message above the limit is refused, the connection goes on', async () => {
  const [here, there] = duplexPair();
  await using server = new GrpcServer({ routes, messageLimit: 1000 });
  server.accept(there);
  await using connection = new GrpcConnection(here);
  await assert.rejects(
    Array.fromAsync(
      connection.client(FileSend).diffCopy(
        (async function* () {
          yield { data: Buffer.alloc(2000) };
        })(),
      ),
    ),
    (error: unknown) => fromStatus(error).kind === 'exhausted',
  );
  assert.ok(await connection.client(Health).check({}));
});

test('a status stays what it is', () => {
  const status = toStatus(new CodedError({ code: 'X', kind: 'denied', message: 'm' }));
  assert.equal(toStatus(status), status);
  assert.equal(fromStatus(status).kind, 'denied');
});

async function* datas(messages: AsyncIterable<{ data: Uint8Array }>): AsyncIterable<Uint8Array> {
  for await (const { data } of messages) yield data;
}

async function* lazily(messages: Promise<AsyncIterable<{ data: Uint8Array }>>): AsyncIterable<Uint8Array> {
  yield* datas(await messages);
}
