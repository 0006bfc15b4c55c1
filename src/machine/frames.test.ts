import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { hasCode } from '../base/index.ts';
import { frameOf, framesOf } from './frames.ts';

test('frames come out as they went in, however the stream is cut', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.tuple(fc.nat(4), fc.uint8Array({ maxLength: 30 })), { maxLength: 8 }),
      fc.integer({ min: 1, max: 20 }),
      async (frames, size) => {
        const bytes = Buffer.concat(frames.map(([kind, payload]) => frameOf(kind, payload)));
        const seen: [number, string][] = [];
        const pieces = async function* (): AsyncIterable<Buffer> {
          for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
        };
        for await (const { kind, payload } of framesOf(pieces())) seen.push([kind, payload.toString('hex')]);
        assert.deepEqual(
          seen,
          frames.map(([kind, payload]) => [kind, Buffer.from(payload).toString('hex')]),
        );
      },
    ),
  );
});

test('a length that cannot be meant is refused before it is waited for', async () => {
  const lie = async function* (): AsyncIterable<Buffer> {
    yield Buffer.from([0xff, 0xff, 0xff, 0xff, 0]);
  };
  await assert.rejects(
    async () => {
      for await (const frame of framesOf(lie())) assert.fail(String(frame.kind));
    },
    (error) => hasCode(error, 'MONITOR_LOST'),
  );
});
