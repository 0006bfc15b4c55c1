import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { duplexPair } from 'node:stream';
import { test } from 'node:test';
import { GrpcConnection, GrpcServer } from './index.ts';

test('messages of any size arrive as they were sent, and one that is kept stays what it is', async () => {
  const [here, there] = duplexPair();
  const sizes = [0, 1, 5, 16_379, 16_384, 40_000, 3, 262_144, 262_139, 300_000, 0, 2_000_000, 7];
  for (let i = 0; i < 200; i++) sizes.push((i * 7919) % 70_000);
  const messages = sizes.map((size) => randomBytes(size));
  await using server = new GrpcServer({
    routes: () => undefined,
    raw: {
      '/test.Test/Send': async ({ call }) => {
        call.receive(() => undefined);
        for (const message of messages) if (!call.send(message)) await call.writable();
      },
    },
  });
  server.accept(there);
  await using connection = new GrpcConnection(here);
  const call = connection.raw('/test.Test/Send');
  const kept: Buffer[] = [];
  const seen: string[] = [];
  call.receive((message) => {
    seen.push(digest(message));
    // Most are read at once, as a receiver of files does; some stay where they are.
    if (seen.length % 3 !== 0) return;
    kept.push(message);
    call.kept();
  });
  call.finish();
  assert.equal(await call.ended, undefined);
  assert.deepEqual(seen, messages.map(digest));
  assert.deepEqual(kept.map(digest), messages.filter((_, i) => i % 3 === 2).map(digest));
});

function digest(bytes: Uint8Array): string {
  return `${bytes.length} ${createHash('sha256').update(bytes).digest('hex')}`;
}
