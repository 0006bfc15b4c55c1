import assert from 'node:assert/strict';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { bytesOf, collect, hasCode, systemClock, systemRandom } from '../base/index.ts';
import { blobStoreSuite } from './blob-store.suite.ts';
import { digestOf } from './digest.ts';
import { DiskBlobStore } from './disk-store.ts';
import { MemoryBlobStore } from './memory-store.ts';

const mediaType = 'application/octet-stream';

function onDisk(): { readonly store: DiskBlobStore; leftovers(): readonly string[] } & Disposable {
  const folder = mkdtempSync(join(tmpdir(), 'strake-blobs-'));
  const ingest = join(folder, 'ingest');
  return {
    store: new DiskBlobStore(folder, { clock: systemClock, random: systemRandom }),
    leftovers: () => (existsSync(ingest) ? readdirSync(ingest) : []),
    [Symbol.dispose]: () => rmSync(folder, { recursive: true }),
  };
}

blobStoreSuite('disk', onDisk);
blobStoreSuite('memory', () => ({
  store: new MemoryBlobStore(),
  leftovers: () => [],
  [Symbol.dispose]: () => undefined,
}));

test('disk: a blob that was damaged is noticed at the last pull', async () => {
  using made = onDisk();
  const { store } = made;
  const content = Buffer.alloc(2_500_000, 'a');
  const descriptor = await store.put(bytesOf(content), { mediaType });
  const path = store.pathOf(descriptor.digest);
  assert.equal(statSync(path).mode & 0o777, 0o444);
  const damaged = Buffer.from(content);
  damaged[2_400_000] = 0;
  chmodSync(path, 0o644);
  writeFileSync(path, damaged);
  let read = 0;
  await assert.rejects(
    async () => {
      for await (const chunk of await store.open(descriptor)) read += chunk.length;
    },
    (error) => hasCode(error, 'BLOB_CORRUPT'),
  );
  assert.equal(read, content.length);
  truncateSync(path, 1000);
  await assert.rejects(
    async () => collect(await store.open(descriptor)),
    (error) => hasCode(error, 'BLOB_CORRUPT'),
  );
});

test('disk: putting the content again heals a blob that was cut off', async () => {
  using made = onDisk();
  const { store } = made;
  const content = Buffer.from('whole content');
  const descriptor = await store.put(bytesOf(content), { mediaType });
  for (const expect of [descriptor, undefined]) {
    chmodSync(store.pathOf(descriptor.digest), 0o644);
    truncateSync(store.pathOf(descriptor.digest), 3);
    await store.put(bytesOf(content), { mediaType, ...(expect ? { expect } : {}) });
    assert.deepEqual(readFileSync(store.pathOf(descriptor.digest)), content);
  }
  assert.deepEqual(made.leftovers(), []);
});

test('disk: bytes written by the caller become a blob by commit only', () => {
  using made = onDisk();
  const content = Buffer.from('direct');
  {
    using ingest = made.store.ingest();
    writeSync(ingest.fd, content);
  }
  assert.deepEqual(made.leftovers(), []);
  using ingest = made.store.ingest();
  writeSync(ingest.fd, content);
  assert.deepEqual(readFileSync(ingest.commit(digestOf(content))), content);
  assert.throws(() => ingest.commit(digestOf(content)), /before/);
});

test('disk: what writers that have ended left behind is removed', async () => {
  using made = onDisk();
  mkdirSync(join(made.store.folder, 'ingest'), { recursive: true });
  for (const name of ['11-aa', '22-bb']) writeFileSync(join(made.store.folder, 'ingest', name), '');
  assert.equal(await made.store.clean((pid) => pid === 22), 1);
  assert.deepEqual(made.leftovers(), ['22-bb']);
});

test('disk: a table of contents goes with its blob', async () => {
  using made = onDisk();
  const { digest } = await made.store.put(bytesOf(Buffer.from('layer')), { mediaType });
  const hex = digest.slice('sha256:'.length);
  const folder = join(made.store.folder, 'toc', 'sha256', hex.slice(0, 2));
  mkdirSync(folder, { recursive: true });
  for (const name of [hex, `${hex}.sha256-1`, `${hex.slice(0, 2)}other`]) writeFileSync(join(folder, name), '');
  assert.equal((await Array.fromAsync(made.store.list())).length, 1);
  await made.store.delete(digest);
  assert.deepEqual(readdirSync(folder), [`${hex.slice(0, 2)}other`]);
});
