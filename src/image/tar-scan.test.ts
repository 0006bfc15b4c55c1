import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { bytesOf, hasCode } from '../base/index.ts';
import { tarEnd, tarHeader, tarPadding } from './tar-header.ts';
import { indexTar, scanTar, type TarItem } from './tar-scan.ts';

async function scanned(tar: Buffer, pieces: number): Promise<TarItem[]> {
  const chunks: Uint8Array[] = [];
  for (let at = 0; at < tar.length; at += pieces) chunks.push(tar.subarray(at, at + pieces));
  return Array.fromAsync(scanTar(bytesOf(...chunks), 'x'));
}

const indexed = (tar: Buffer, size = tar.length): TarItem[] =>
  indexTar((offset, length) => tar.subarray(offset, offset + length), { size, what: 'x' });

test('what tarHeader writes is read back, in any pieces', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.record({ name: fc.stringMatching(/^[a-zä/]{1,200}$/), size: fc.nat(1500) }), { maxLength: 6 }),
      fc.integer({ min: 1, max: 3000 }),
      async (entries, pieces) => {
        const parts = entries.flatMap(({ name, size }) => [
          tarHeader({ name: `${name}.`, mode: 0o644, size }),
          Buffer.alloc(size, 1),
          tarPadding(size),
        ]);
        const tar = Buffer.concat([...parts, tarEnd()]);
        const found = await scanned(tar, pieces);
        assert.deepEqual(indexed(tar), found);
        assert.deepEqual(
          found.map(({ name, size }) => ({ name, size })),
          entries.map(({ name, size }) => ({ name: `${name}.`, size })),
        );
        for (const item of found)
          assert.ok(tar.subarray(item.offset, item.offset + item.size).every((byte) => byte === 1));
      },
    ),
    { numRuns: 60 },
  );
});

test('a content larger than octal digits hold is written and read', () => {
  const size = 9 * 1024 ** 3;
  const header = Buffer.from(tarHeader({ name: 'big', mode: 0o444, size }));
  const [item] = indexTar(
    (offset, length) => (offset < header.length ? header.subarray(offset, offset + length) : Buffer.alloc(length)),
    { size: header.length + size + 1024, what: 'x' },
  );
  assert.deepEqual(item, { name: 'big', type: 'file', size, offset: header.length, link: '' });
});

test('tars of other tools are read, and theirs read ours', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'strake-tar-'));
  try {
    const long = 'l'.repeat(120);
    mkdirSync(join(folder, long));
    writeFileSync(join(folder, long, long), 'content');
    for (const format of ['gnu', 'pax', 'ustar', 'v7']) {
      const name = format === 'v7' ? '.' : long;
      if (format === 'ustar' || format === 'v7') writeFileSync(join(folder, 'short'), 'content');
      const what = format === 'ustar' || format === 'v7' ? 'short' : name;
      const tar = execFileSync('tar', [`--format=${format}`, '-cf', '-', what], { cwd: folder });
      const found = await scanned(tar, 1000);
      assert.deepEqual(indexed(tar), found);
      const file = found.find((item) => item.type === 'file');
      assert.equal(tar.toString('utf8', file!.offset, file!.offset + file!.size), 'content', format);
      assert.ok(file!.name === 'short' || file!.name === `${long}/${long}`);
    }
    const name = `blobs/sha512/${'a'.repeat(128)}`;
    const ours = Buffer.concat([
      tarHeader({ name: 'blobs/', mode: 0o755, size: 0 }),
      tarHeader({ name, mode: 0o444, size: 3 }),
      Buffer.from('abc'),
      tarPadding(3),
      tarEnd(),
    ]);
    const listed = execFileSync('tar', ['-tvf', '-', '--full-time', '--utc'], { input: ours })
      .toString()
      .trim()
      .split('\n');
    assert.deepEqual(
      listed.map((line) => line.replace(/\s+/g, ' ')),
      ['drwxr-xr-x 0/0 0 1970-01-01 00:00:00 blobs/', `-r--r--r-- 0/0 3 1970-01-01 00:00:00 ${name}`],
    );
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('what is no tar, or cut off, is refused', async () => {
  const whole = Buffer.concat([tarHeader({ name: 'a', mode: 0o644, size: 600 }), Buffer.alloc(600), tarPadding(600)]);
  assert.equal((await scanned(whole, 100)).length, 1);
  assert.equal(indexed(whole).length, 1);
  const refused = (error: unknown): boolean => hasCode(error, 'ARCHIVE_INVALID');
  for (const bad of [
    Buffer.alloc(0),
    Buffer.alloc(100),
    Buffer.alloc(1024, 'x'),
    whole.subarray(0, 700),
    whole.subarray(0, 1300),
    whole.subarray(0, whole.length - 1),
  ]) {
    await assert.rejects(scanned(bad, 200), refused, String(bad.length));
    assert.throws(() => indexed(bad), refused, String(bad.length));
  }
  const flipped = Buffer.from(whole);
  flipped[0] = 0x62;
  await assert.rejects(scanned(flipped, 512), refused);
});

test('any bytes are a tar or one clear error', async () => {
  const parts = [
    Buffer.from(tarHeader({ name: 'a', mode: 0o644, size: 3 })),
    Buffer.from(tarHeader({ name: 'x'.repeat(150), mode: 0o644, size: 0 })),
  ];
  /** A header with bytes changed and its sum right again. */
  const mutated = fc
    .tuple(fc.constantFrom(...parts), fc.array(fc.tuple(fc.nat(511), fc.nat(255)), { maxLength: 4 }))
    .map(([part, changes]) => {
      const block = Buffer.from(part);
      for (const [at, byte] of changes) block[at] = byte;
      block.fill(32, 148, 156);
      const sum = block.subarray(0, 512).reduce((total, byte) => total + byte, 0);
      block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
      return block;
    });
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.oneof(mutated, fc.uint8Array({ maxLength: 600 })), { maxLength: 5 }),
      async (blocks) => {
        const tar = Buffer.concat(blocks);
        const streamed = await scanned(tar, 333).catch((error: unknown) => error);
        let indexedItems: unknown;
        try {
          indexedItems = indexed(tar);
        } catch (error) {
          indexedItems = error;
        }
        for (const result of [streamed, indexedItems])
          assert.ok(Array.isArray(result) || hasCode(result, 'ARCHIVE_INVALID'), String(result));
        if (Array.isArray(streamed)) assert.deepEqual(indexedItems, streamed);
      },
    ),
    { numRuns: 500 },
  );
});
