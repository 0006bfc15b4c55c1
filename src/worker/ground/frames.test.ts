import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { hasCode } from '../../base/index.ts';
import { encodeFrame, FrameReader, KIND, type Frame } from './frames.ts';

test('frames come out as they went in, however the bytes are cut', () => {
  const frame = fc.record({
    kind: fc.constantFrom(...Object.values(KIND)),
    id: fc.nat(0xffffffff),
    stream: fc.nat(255),
    payload: fc.uint8Array({ maxLength: 300 }),
  });
  fc.assert(
    fc.property(fc.array(frame), fc.array(fc.integer({ min: 1, max: 50 }), { minLength: 1 }), (frames, cuts) => {
      const bytes = Buffer.concat(frames.flatMap((f) => [encodeFrame(f, f.payload.length), Buffer.from(f.payload)]));
      const seen: Frame[] = [];
      const reader = new FrameReader((f) => seen.push({ ...f, payload: new Uint8Array(f.payload) }));
      for (let at = 0, i = 0; at < bytes.length; i++) {
        const cut = cuts[i % cuts.length] ?? 1;
        reader.push(bytes.subarray(at, at + cut));
        at += cut;
      }
      assert.deepEqual(
        seen,
        frames.map((f) => ({ ...f, payload: new Uint8Array(f.payload) })),
      );
    }),
  );
});

test('something that is no frame is refused', () => {
  for (const bytes of [Buffer.alloc(16), Buffer.from('HTTP/1.1 200 OK\r\n')])
    assert.throws(
      () => new FrameReader(() => undefined).push(bytes),
      (error) => hasCode(error, 'KEEPER_PROTOCOL'),
    );
});
