import assert from 'node:assert/strict';
import { duplexPair } from 'node:stream';
import { test } from 'node:test';
import { bytesOf, collect, hasCode, sleep } from '../../base/index.ts';
import { Asker } from './asker.ts';
import { groundError } from './errors.ts';
import { Server, type Handler } from './server.ts';

function connected(handlers: Record<string, Handler>): { asker: Asker; server: Server; cut: () => void } {
  const [near, far] = duplexPair();
  return { asker: new Asker(near), server: new Server(far, handlers), cut: () => far.destroy() };
}

test('answers belong to their requests, whatever their order', async () => {
  const { asker } = connected({
    wait: async (ms: number) => {
      await sleep(ms);
      return { waited: ms };
    },
  });
  const answers = await Promise.all([30, 1, 15].map((ms) => asker.ask('wait', ms)));
  assert.deepEqual(answers, [{ waited: 30 }, { waited: 1 }, { waited: 15 }]);
  asker.close();
});

test('errors keep their code, kind, remedy; an unknown method is one', async () => {
  const { asker } = connected({
    fail: async () => {
      throw groundError('GROUND_UNAVAILABLE', 'message', { remedy: 'Do it.' });
    },
    errno: async () => {
      throw Object.assign(new Error('ENOSPC: no space'), { code: 'ENOSPC' });
    },
  });
  await assert.rejects(asker.ask('fail', null), {
    code: 'GROUND_UNAVAILABLE',
    kind: 'unsupported',
    message: 'message',
    remedy: 'Do it.',
  });
  await assert.rejects(asker.ask('errno', null), { code: 'ENOSPC', kind: 'exhausted' });
  await assert.rejects(asker.ask('nothing', null), (error) => hasCode(error, 'KEEPER_PROTOCOL'));
  asker.close();
});

test('a stream is sent as fast as it is taken, and no faster', async () => {
  let sent = 0;
  let stopped = false;
  const { asker } = connected({
    flood: async (_: null, { send }) => {
      for (let i = 0; i < 1000; i++) {
        sent += 100_000;
        if (!(await send(Buffer.alloc(100_000, i)))) {
          stopped = true;
          return;
        }
      }
    },
  });
  const stream = asker.stream('flood', null)[Symbol.asyncIterator]();
  assert.equal((await stream.next()).done, false);
  await sleep(50);
  assert.ok(sent < 6_000_000, `${sent} bytes were sent to one who took few`);
  await stream.return?.();
  assert.equal(stopped, true);
  assert.equal((await collect(asker.stream('flood', null))).length, 100_000_000);
  asker.close();
});

test('what is sent along arrives whole', async () => {
  const { asker } = connected({
    count: async (_: null, { upload }) => (await collect(upload ?? bytesOf())).length,
  });
  async function* bytes(): AsyncIterable<Uint8Array> {
    for (let i = 0; i < 200; i++) yield Buffer.alloc(50_001);
  }
  assert.equal(await asker.ask('count', null, { upload: bytes() }), 200 * 50_001);
  asker.close();
});

test('a cancellation reaches the other side and waits until it has put things away', async () => {
  let away = false;
  const { asker } = connected({
    forever: async (_: null, { signal }) => {
      await new Promise((resolve) => signal.addEventListener('abort', resolve));
      await sleep(20);
      away = true;
      throw new Error('interrupted');
    },
  });
  const ending = new AbortController();
  const asked = asker.ask('forever', null, { signal: ending.signal });
  setTimeout(() => ending.abort(), 10);
  await assert.rejects(asked, (error) => hasCode(error, 'CANCELLED'));
  assert.equal(away, true);
  asker.close();
});

test('when the connection is cut everything open fails, on both sides', async () => {
  let interrupted = false;
  const { asker, server, cut } = connected({
    forever: async (_: null, { signal }) => {
      await new Promise((resolve) => signal.addEventListener('abort', resolve));
      interrupted = true;
    },
    flood: async (_: null, { send }) => {
      for (;;) if (!(await send(Buffer.alloc(100_000)))) return;
    },
  });
  const lost = (error: unknown): boolean => hasCode(error, 'KEEPER_LOST');
  const open = assert.rejects(asker.ask('forever', null), lost);
  const stream = assert.rejects(async () => {
    for await (const _ of asker.stream('flood', null)) {
      await sleep(1);
      cut();
    }
  }, lost);
  await Promise.all([open, stream]);
  await server.closed();
  assert.equal(interrupted, true);
  await assert.rejects(asker.ask('forever', null), lost);
});

test('what a slow taker has not taken holds the sender up; one that fails ends the request', async () => {
  let sent = 0;
  const { asker } = connected({
    flood: async (_: null, { send, signal }) => {
      for (let i = 0; i < 100 && !signal.aborted; i++) {
        if (!(await send(Buffer.alloc(200_000, i), 1))) break;
        sent += 200_000;
      }
      return 'over';
    },
  });
  const open = Promise.withResolvers<void>();
  const taken: number[] = [];
  const asked = asker.ask('flood', null, {
    onData: async (stream, chunk) => {
      await open.promise;
      taken.push(chunk[0] ?? -1);
      assert.equal(stream, 1);
    },
  });
  await sleep(30);
  assert.ok(sent < 6_000_000, `${sent} bytes were sent to one who took none`);
  open.resolve();
  assert.equal(await asked, 'over');
  assert.deepEqual(
    taken,
    Array.from({ length: 100 }, (_, i) => i),
  );
  sent = 0;
  const failing = asker.ask('flood', null, {
    onData: () => {
      throw new Error('no more');
    },
  });
  await assert.rejects(failing, /no more/);
  assert.ok(sent < 20_000_000);
  asker.close();
});

test('what is sent without waiting arrives whole, in order, before the answer', async () => {
  const { asker } = connected({
    flood: async (_: null, { send }) => {
      for (let i = 0; i < 200; i++) void send(Buffer.alloc(100_000, i), i % 2);
      return 'over';
    },
  });
  const seen: number[][] = [[], []];
  await asker.ask('flood', null, {
    onData: async (stream, chunk) => {
      await sleep(0);
      seen[stream]?.push(chunk[0] ?? -1);
    },
  });
  assert.deepEqual(
    seen,
    [0, 1].map((stream) => Array.from({ length: 100 }, (_, i) => 2 * i + stream)),
  );
  asker.close();
});
