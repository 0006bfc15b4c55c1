import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bytesOf, Database } from '../base/index.ts';
import type { Digest } from './digest.ts';
import { Leases } from './leases.ts';
import { MemoryBlobStore } from './memory-store.ts';
import { ownProcess, stateOfProcess } from './process-id.ts';
import { sweep } from './sweep.ts';

const A: Digest = `sha256:${'a'.repeat(64)}`;
const B: Digest = `sha256:${'b'.repeat(64)}`;

test('a lease holds its blobs until its scope ends', async () => {
  using db = Database.open(':memory:');
  const leases = new Leases(db, { clock: { now: () => 0 } });
  {
    await using one = leases.take();
    await using two = leases.take();
    one.add(A, B);
    two.add(B);
    await one[Symbol.asyncDispose]();
    assert.deepEqual([leases.isLeased(A), leases.isLeased(B)], [false, true]);
  }
  assert.equal(leases.isLeased(B), false);
});

test('leases of processes that have ended are ended; of unknown ones when their time is up', () => {
  using db = Database.open(':memory:');
  let now = 1000;
  const leases = new Leases(db, { clock: { now: () => now } });
  const own = ownProcess();
  assert.equal(stateOfProcess(own), 'alive');
  leases.take({ ttlMs: 1 }).add(A);
  leases.take({ owner: { ...own, startedAt: '1' } }).add(B);
  leases.take({ owner: { ...own, bootId: 'before' } }).add(B);
  assert.equal(leases.expire(), 2);
  assert.deepEqual([leases.isLeased(A), leases.isLeased(B)], [true, false]);

  const elsewhere = leases.take({ ttlMs: 100, owner: { ...own, namespace: 'pid:[1]' } });
  now += 90;
  elsewhere.add(B);
  now += 90;
  assert.equal(leases.expire(), 0);
  now += 11;
  assert.equal(leases.expire(), 1);
  assert.deepEqual([leases.isLeased(A), leases.isLeased(B)], [true, false]);
});

test('a sweep deletes what is old, not leased and not kept, and says what', async () => {
  using db = Database.open(':memory:');
  let now = 1000;
  const clock = { now: () => now };
  const leases = new Leases(db, { clock });
  const store = new MemoryBlobStore({ clock });
  const put = async (text: string): Promise<Digest> =>
    (await store.put(bytesOf(Buffer.from(text)), { mediaType: 'x' })).digest;
  const [kept, leased, old] = [await put('kept'), await put('leased'), await put('old one')];
  now = 2000;
  const fresh = await put('fresh');
  await using lease = leases.take();
  lease.add(leased);
  const o = { keep: (digest: Digest) => digest === kept, olderThan: 2000, leases };
  assert.deepEqual(await sweep(store, { ...o, dryRun: true }), { freed: 7, digests: [old] });
  assert.equal((await Array.fromAsync(store.list())).length, 4);
  assert.deepEqual(await sweep(store, o), { freed: 7, digests: [old] });
  assert.deepEqual(
    (await Array.fromAsync(store.list())).map((blob) => blob.digest),
    [kept, leased, fresh],
  );
  assert.deepEqual(await sweep(store, o), { freed: 0, digests: [] });
});

test('a lease taken while a sweep is under way saves the blob', async () => {
  using db = Database.open(':memory:');
  const leases = new Leases(db, { clock: { now: () => 0 } });
  const store = new MemoryBlobStore({ clock: { now: () => 0 } });
  const digests: Digest[] = [];
  for (let at = 0; at < 200; at++)
    digests.push((await store.put(bytesOf(Buffer.from(String(at))), { mediaType: 'x' })).digest);
  const last = digests[199]!;
  const lease = leases.take();
  let asked = 0;
  const swept = await sweep(store, {
    keep: () => {
      asked += 1;
      if (asked === 10) lease.add(last);
      return false;
    },
    olderThan: 1,
    leases,
  });
  assert.equal(swept.digests.length, 199);
  assert.equal(await store.has({ mediaType: 'x', digest: last, size: 3 }), true);
});
