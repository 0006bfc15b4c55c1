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
  Code,
  formatAddress,
  fromStatus,
  GrpcConnection,
  GrpcServer,
  openConnection,
  parseAddress,
  StatusError,
  toStatus,
  type Router,
} from './index.ts';

function routes(router: Router): void {
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

/** Calls and their server, side by side. */
function pair(routes: (router: Router) => void): { connection: GrpcConnection } & AsyncDisposable {
  const [here, there] = duplexPair();
  const server = new GrpcServer({ routes });
  server.accept(there);
  const connection = new GrpcConnection(here, { headers: { 'x-all': 'yes' } });
  return {
    connection,
    [Symbol.asyncDispose]: async () => {
      await connection[Symbol.asyncDispose]();
      await server[Symbol.asyncDispose]();
    },
  };
}

test('a header with several values arrives as several', async () => {
  let heard: readonly string[] = [];
  await using ends = pair((router) =>
    router.service(Health, {
      check: (_, { headers, answerHeaders }) => {
        heard = [...headers.all('x-one'), ...headers.all('x-all'), String(headers.bytes('x-b-bin'))];
        answerHeaders.append('x-back', 'a, b');
        answerHeaders.append('x-back', 'c');
        return {};
      },
    }),
  );
  let back: readonly string[] = [];
  const many = Array.from({ length: 3000 }, (_, n) => `pattern, ${n}`);
  await ends.connection.client(Health).check(
    {},
    {
      headers: { 'x-one': many, 'x-b-bin': Buffer.from('bytes').toString('base64') },
      onHeader: (headers) => (back = headers.all('x-back')),
    },
  );
  assert.deepEqual(heard, [...many, 'yes', 'bytes']);
  assert.deepEqual(back, ['a, b', 'c']);
});

test('statuses travel with their words and details', async () => {
  const details = [{ typeUrl: 'github.com/x/errdefs.Y+json', value: new Uint8Array([1, 2, 0xff]) }];
  const words = 'no: 100 % wrong,\nhéllo 🚢';
  await using ends = pair((router) =>
    router.service(Health, {
      check: () => {
        throw new StatusError(Code.FailedPrecondition, words, { details });
      },
    }),
  );
  await assert.rejects(ends.connection.client(Health).check({}), (error: unknown) => {
    assert.ok(error instanceof StatusError);
    assert.deepEqual([error.code, error.message], [Code.FailedPrecondition, words]);
    assert.deepEqual(
      error.details.map(({ typeUrl, value }) => ({ typeUrl, value: Uint8Array.from(value) })),
      details,
    );
    return true;
  });
});

test('a call that is given up, runs out of time or is left is ended on both sides', async () => {
  const ended: unknown[] = [];
  const over = (): Promise<void> =>
    new Promise((resolve) => {
      const look = (): void => (ended.length > 0 ? resolve() : void setImmediate(look));
      look();
    });
  await using ends = pair((router) =>
    router.service(Health, {
      check: async (_, { signal }) => {
        await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()));
        ended.push(signal.reason);
        return {};
      },
      async *watch(_, { signal }) {
        signal.addEventListener('abort', () => ended.push(signal.reason));
        for (;;) {
          yield {};
          if (signal.aborted) return;
        }
      },
    }),
  );
  const health = ends.connection.client(Health);
  const codeOf = async (work: Promise<unknown>): Promise<unknown> => {
    try {
      await work;
    } catch (error) {
      return (error as StatusError).code;
    }
    return undefined;
  };

  const controller = new AbortController();
  setTimeout(() => controller.abort(), 20);
  assert.equal(await codeOf(health.check({}, { signal: controller.signal })), Code.Canceled);
  await over();
  ended.length = 0;

  assert.equal(await codeOf(health.check({}, { timeoutMs: 20 })), Code.DeadlineExceeded);
  await over();
  ended.length = 0;

  let seen = 0;
  for await (const answer of health.watch({})) {
    assert.ok(answer);
    if (++seen === 1000) break;
  }
  await over();

  assert.equal(await codeOf(health.check({}, { signal: AbortSignal.abort() })), Code.Canceled);
});

test('an answer before all was asked ends the asking, and a failing question ends the call', async () => {
  await using ends = pair((router) =>
    router.service(FileSend, {
      async *diffCopy(messages) {
        for await (const { data } of messages) {
          yield { data };
          if (data[0] === 3) return;
        }
      },
    }),
  );
  let asked = 0;
  const send = ends.connection.client(FileSend);
  const answers = await Array.fromAsync(
    send.diffCopy(
      (async function* () {
        for (; asked < 1_000_000; asked++) yield { data: new Uint8Array([Math.min(asked, 3)]) };
      })(),
    ),
  );
  assert.equal(answers.length, 4);
  assert.ok(asked < 1_000_000);
  await assert.rejects(
    Array.fromAsync(
      send.diffCopy(
        // eslint-disable-next-line require-yield
        (async function* () {
          throw new CodedError({ code: 'MINE', kind: 'failed', message: 'mine' });
        })(),
      ),
    ),
    { code: 'MINE' },
  );
});

test('what nobody takes is not sent', async () => {
  let sent = 0;
  const release = Promise.withResolvers<void>();
  await using ends = pair((router) =>
    router.service(FileSend, {
      async *diffCopy(messages) {
        await release.promise;
        let size = 0;
        for await (const { data } of messages) size += data.length;
        yield { data: Buffer.from(String(size)) };
      },
    }),
  );
  const data = Buffer.alloc(1024 * 1024);
  const answers = Array.fromAsync(
    ends.connection.client(FileSend).diffCopy(
      (async function* () {
        for (; sent < 64; sent++) yield { data };
      })(),
    ),
  );
  for (let before = -1; before !== sent;) {
    before = sent;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  assert.ok(sent < 40, `${sent} MiB are under way`);
  release.resolve();
  assert.equal(Buffer.from((await answers)[0]?.data ?? []).toString(), String(64 * data.length));
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
