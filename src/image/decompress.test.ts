import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { bytesOf, collect, hasCode, type Bytes } from '../base/index.ts';
import { decompress, sniffCompression } from './decompress.ts';

const parts = [Buffer.alloc(300_000, 'ab'), Buffer.from('middle'), Buffer.alloc(100_000, 'c')];
const whole = Buffer.concat(parts);
const skippable = Buffer.from([0x50, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3]);

test('members of gzip and frames of zstd are read one after the other', async () => {
  const gzip = Buffer.concat(parts.map((part) => gzipSync(part)));
  const zstd = Buffer.concat([skippable, ...parts.map((part) => zstdCompressSync(part)), skippable]);
  for (const pieces of [7, 1000, 1 << 20]) {
    const cut = async function* (bytes: Buffer): Bytes {
      for (let at = 0; at < bytes.length; at += pieces) yield bytes.subarray(at, at + pieces);
    };
    assert.ok(whole.equals(await collect(decompress(cut(gzip), 'gzip'))));
    assert.ok(whole.equals(await collect(decompress(cut(zstd), 'zstd'))));
    assert.ok(gzip.equals(await collect(decompress(cut(gzip), 'none'))));
  }
  assert.equal(sniffCompression(gzip), 'gzip');
  assert.equal(sniffCompression(zstd), 'zstd');
  assert.equal(sniffCompression(parts[1]!), 'none');
});

test('damaged and cut-off content is refused, errors of the source pass through', async () => {
  const corrupt = (error: unknown): boolean => hasCode(error, 'LAYER_CORRUPT');
  for (const [compression, bytes] of [
    ['gzip', gzipSync(whole)],
    ['zstd', zstdCompressSync(whole)],
  ] as const) {
    await assert.rejects(
      collect(decompress(bytesOf(bytes.subarray(0, bytes.length - 5)), compression)),
      corrupt,
      compression,
    );
    if (compression === 'gzip') {
      const flipped = Buffer.from(bytes);
      flipped[bytes.length - 6] = bytes[bytes.length - 6]! ^ 0xff;
      await assert.rejects(collect(decompress(bytesOf(flipped), compression)), corrupt);
    }
    await assert.rejects(collect(decompress(bytesOf(Buffer.from('no such thing')), compression)), corrupt);
    const broken = async function* (): Bytes {
      yield bytes.subarray(0, 20);
      throw new TypeError('source broke');
    };
    await assert.rejects(collect(decompress(broken(), compression)), /source broke/);
  }
});

test('a reader that stops early ends the source', async () => {
  const member = gzipSync(Buffer.alloc(1 << 20));
  const ended = Promise.withResolvers<string>();
  const source = async function* (): Bytes {
    try {
      for (;;) yield member.slice();
    } finally {
      ended.resolve('ended');
    }
  };
  for await (const chunk of decompress(source(), 'gzip')) if (chunk.length > 0) break;
  assert.equal(await ended.promise, 'ended');
});
