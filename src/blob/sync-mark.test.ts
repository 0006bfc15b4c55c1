import assert from 'node:assert/strict';
import { chmodSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { bytesOf, systemRandom } from '../base/index.ts';
import { DiskBlobStore } from './disk-store.ts';

const put = async (store: DiskBlobStore, text: string): Promise<`${string}:${string}`> =>
  (await store.put(bytesOf(Buffer.from(text)), { mediaType: 'text/plain' })).digest;

test('after another boot, blobs since the mark that are not whole are dropped, whole and older ones kept', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'strake-sync-'));
  try {
    let now = Date.now();
    const store = new DiskBlobStore(folder, { clock: { now: () => now }, random: systemRandom });
    assert.deepEqual(await store.recover(), []);
    const mark = readFileSync(join(folder, 'sync'), 'latin1');
    const whole = await put(store, 'whole');
    const cut = await put(store, 'cut short by the power');
    chmodSync(store.pathOf(cut), 0o644);
    truncateSync(store.pathOf(cut), 3);
    assert.deepEqual(await store.recover(), [], 'the same boot: nothing is looked at');
    assert.equal(readFileSync(join(folder, 'sync'), 'latin1'), mark);

    writeFileSync(join(folder, 'sync'), `another-boot ${mark.split(' ')[1]}`);
    assert.deepEqual(await store.recover(), [cut]);
    assert.equal(store.sizeOf(whole), 5);
    assert.equal(store.sizeOf(cut), undefined);
    assert.equal(readFileSync(join(folder, 'sync'), 'latin1').split(' ')[0], mark.split(' ')[0]);

    const old = await put(store, 'older than the mark');
    chmodSync(store.pathOf(old), 0o644);
    truncateSync(store.pathOf(old), 1);
    writeFileSync(join(folder, 'sync'), `another-boot ${now + 3_600_000}`);
    assert.deepEqual(await store.recover(), [], 'what was synced before the mark is trusted');
    now += 2 * 3_600_000;
    await store.recover();
    assert.equal(Number(readFileSync(join(folder, 'sync'), 'latin1').split(' ')[1]), now, 'an old mark is moved up');
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
