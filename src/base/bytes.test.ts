import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { bytesOf, collect, drain, fileBytes, tap } from './bytes.ts';
import { hasCode } from './error.ts';

test('streams are collected up to a limit, drained, and shown on the way', async () => {
  const chunks = [Buffer.from('ab'), Buffer.alloc(0), Buffer.from('c')];
  assert.equal(Buffer.from(await collect(bytesOf(...chunks), { limit: 3 })).toString(), 'abc');
  assert.equal((await collect(bytesOf())).length, 0);
  await assert.rejects(
    collect(bytesOf(...chunks), { limit: 2, what: 'it' }),
    (error) => hasCode(error, 'TOO_MANY_BYTES') && /read it: more than 2/.test(error.message),
  );
  const seen: string[] = [];
  assert.equal(await drain(tap(bytesOf(...chunks), (chunk) => seen.push(Buffer.from(chunk).toString()))), 3);
  assert.deepEqual(seen, ['ab', 'c']);
});

test('a file is read whole or in part, and one that ends early is noticed', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'strake-bytes-'));
  try {
    const path = join(folder, 'file');
    writeFileSync(path, '0123456789');
    const read = async (o: Parameters<typeof fileBytes>[1]): Promise<string> =>
      Buffer.from(await collect(fileBytes(path, o))).toString();
    assert.equal(await read({}), '0123456789');
    assert.equal(await read({ offset: 3, length: 4, chunk: 3 }), '3456');
    assert.equal(await read({ offset: 20 }), '');
    await assert.rejects(read({ length: 11 }), (error) => hasCode(error, 'TOO_FEW_BYTES'));
    await assert.rejects(read({ signal: AbortSignal.abort() }), (error) => hasCode(error, 'CANCELLED'));
    await assert.rejects(
      async () => {
        for await (const _ of fileBytes(path, { chunk: 4 })) truncateSync(path, 5);
      },
      (error) => hasCode(error, 'TOO_FEW_BYTES'),
    );
  } finally {
    rmSync(folder, { recursive: true });
  }
});
