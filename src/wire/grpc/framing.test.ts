import assert from 'node:assert/strict';
import { test } from 'node:test';
import { create, fromBinary } from '@bufbuild/protobuf';
import * as fc from 'fast-check';
import { PacketSchema } from '../gen/buildkit/fsutil_pb.ts';
import { decode, Deframer, frame } from './framing.ts';
import type { StatusError } from './status.ts';
import { Code } from './status.ts';

const packet = fc.record({
  type: fc.constantFrom(0, 1, 2, 3, 4),
  ID: fc.integer({ min: 0, max: 2 ** 32 - 1 }),
  data: fc.oneof(fc.uint8Array({ maxLength: 20 }), fc.uint8Array({ minLength: 4090, maxLength: 9000, size: 'max' })),
});

test('messages survive any cutting of the bytes they travel as', () => {
  fc.assert(
    fc.property(fc.array(packet, { maxLength: 6 }), fc.array(fc.integer({ min: 1, max: 7000 })), (packets, cuts) => {
      const wire = Buffer.concat(packets.map((one) => frame(PacketSchema, one)));
      const deframer = new Deframer(1 << 20);
      const got: unknown[] = [];
      const take = (chunk: Uint8Array): void => {
        for (const body of deframer.push(chunk)) got.push(decode(PacketSchema, body));
      };
      let at = 0;
      for (const cut of cuts) {
        take(wire.subarray(at, at + cut));
        at = Math.min(wire.length, at + cut);
      }
      take(wire.subarray(at));
      deframer.end();
      assert.deepEqual(
        got.map((one) => ({ ...(one as object), data: Buffer.from((one as { data: Uint8Array }).data) })),
        packets.map((one) => ({ ...create(PacketSchema, one), data: Buffer.from(one.data) })),
      );
    }),
    { numRuns: 100 },
  );
});

test('a large field is what the general encoder would have made of it', () => {
  const data = Buffer.alloc(5000, 'x');
  const body = frame(PacketSchema, { type: 2, ID: 7, data }).subarray(5);
  assert.deepEqual(fromBinary(PacketSchema, body), { ...create(PacketSchema, { type: 2, ID: 7 }), data });
});

test('a large field of what is a message already', () => {
  const data = new Uint8Array(5000).fill(7);
  const body = frame(PacketSchema, create(PacketSchema, { type: 2, ID: 7, data })).subarray(5);
  const { type, ID, data: got } = fromBinary(PacketSchema, body);
  assert.deepEqual([type, ID, Buffer.compare(got, data)], [2, 7, 0]);
});

test('what is no message is refused: too large, compressed, cut off, nonsense', () => {
  const codeOf = (work: () => unknown): unknown => {
    try {
      work();
    } catch (error) {
      return (error as StatusError).code;
    }
    return undefined;
  };
  const push = (...bytes: number[]): (() => unknown) => {
    const deframer = new Deframer(100);
    return () => [...deframer.push(Uint8Array.from(bytes))].length || deframer.end();
  };
  assert.equal(codeOf(push(0, 0, 0, 0, 101)), Code.ResourceExhausted);
  assert.equal(codeOf(push(0, 255, 255, 255, 255)), Code.ResourceExhausted);
  assert.equal(codeOf(push(1, 0, 0, 0, 1, 1)), Code.Unimplemented);
  assert.equal(codeOf(push(0, 0, 0, 0, 2, 1)), Code.Internal);
  assert.equal(codeOf(push(0, 0)), Code.Internal);
  assert.equal(
    codeOf(() => decode(PacketSchema, Uint8Array.of(0xff, 0xff))),
    Code.Internal,
  );
});
