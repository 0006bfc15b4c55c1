import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { hasCode, systemClock, systemRandom, tempFolder, sleep } from '../../base/index.ts';
import { tmpdir } from 'node:os';
import { CacheFolders } from './cache-folders.ts';
import type { CacheSpec, TakenCache } from './cache-mounts.ts';

const spec = (id: string, sharing: CacheSpec['sharing'] = 'shared', more: Partial<CacheSpec> = {}): CacheSpec => ({
  id,
  sharing,
  mode: 0o755,
  uid: process.getuid?.() ?? 0,
  gid: process.getgid?.() ?? 0,
  ...more,
});
const folderOf = (taken: TakenCache): string => taken.mounts[0]?.source ?? assert.fail('no mount');

function open(folder: string, idMapStamp = 'here'): CacheFolders {
  return new CacheFolders({ folder: join(folder, 'caches'), clock: systemClock, random: systemRandom, idMapStamp });
}

test('a cache is found again by its id, and only by that', async () => {
  using temp = tempFolder(tmpdir(), systemRandom);
  const caches = open(temp.path);
  assert.deepEqual(await caches.list(), []);
  {
    await using taken = await caches.take(spec('one', 'shared', { mode: 0o1777 }));
    writeFileSync(join(folderOf(taken), 'kept'), 'x'.repeat(5000));
    assert.equal(statSync(folderOf(taken)).mode & 0o7777, 0o1777);
    assert.deepEqual(
      (await caches.list()).map(({ id, inUse }) => [id, inUse]),
      [['one', true]],
    );
  }
  await using again = await open(temp.path).take(spec('one', 'locked', { mode: 0o1777 }));
  assert.deepEqual(readdirSync(folderOf(again)), ['kept']);
  for (const other of [spec('two'), spec('one', 'shared', { mode: 0o700 })]) {
    await using taken = await caches.take(other);
    assert.deepEqual(readdirSync(folderOf(taken)), [], 'another id, another mode');
  }
  await using elsewhere = await open(temp.path, 'another map of ids').take(spec('one', 'locked', { mode: 0o1777 }));
  assert.deepEqual(readdirSync(folderOf(elsewhere)), []);
  const [first] = (await caches.list()).filter(({ bytes }) => bytes > 0);
  assert.ok(first && first.bytes >= 5000 && first.usedAt >= first.createdAt - 2000);
});

test('shared: at once; locked: one waits, is told once, and goes on; private: another one', async () => {
  using temp = tempFolder(tmpdir(), systemRandom);
  // Two that know nothing of each other, as two processes do.
  const [one, two] = [open(temp.path), open(temp.path)];
  const shared = await one.take(spec('a'));
  await using beside = await two.take(spec('a'));
  assert.equal(folderOf(beside), folderOf(shared));
  let told = 0;
  let have = false;
  const waiting = two.take(spec('a', 'locked'), { onWait: () => (told += 1) }).then((taken) => {
    have = true;
    return taken;
  });
  await sleep(200);
  assert.deepEqual([told, have], [1, false]);
  await shared[Symbol.asyncDispose]();
  await beside[Symbol.asyncDispose]();
  await using locked = await waiting;
  assert.equal(told, 1);
  await using apart = await one.take(spec('a', 'private'), { onWait: () => assert.fail('private waits for nobody') });
  assert.notEqual(folderOf(apart), folderOf(locked));
  const given = new AbortController();
  const never = one.take(spec('a', 'locked'), { signal: given.signal });
  given.abort();
  await assert.rejects(never, (error) => hasCode(error, 'CANCELLED'));
  await apart[Symbol.asyncDispose]();
  await locked[Symbol.asyncDispose]();
  await using again = await two.take(spec('a', 'private'));
  assert.equal(folderOf(again), folderOf(locked), 'the first that is free');
});

test('what is in use is not removed, what is removed is gone, and taken anew it is empty', async () => {
  using temp = tempFolder(tmpdir(), systemRandom);
  const caches = open(temp.path);
  const taken = await caches.take(spec('a'));
  writeFileSync(join(folderOf(taken), 'x'), '');
  const [{ name } = assert.fail()] = await caches.list();
  assert.equal(await caches.remove(name), false);
  await taken[Symbol.asyncDispose]();
  assert.equal(await caches.remove('../caches'), false);
  assert.equal(await caches.remove(name), true);
  assert.equal(await caches.remove(name), false);
  assert.deepEqual(readdirSync(join(temp.path, 'caches')), ['making.lock']);
  await using again = await caches.take(spec('a'));
  assert.deepEqual(readdirSync(folderOf(again)), []);
});

test('what a killed process left half-made goes, what is being made stays', async () => {
  using temp = tempFolder(tmpdir(), systemRandom);
  const caches = open(temp.path);
  await using taken = await caches.take(spec('a'));
  void taken;
  for (const name of ['new-0123', 'trash-4567']) {
    mkdirSync(join(temp.path, 'caches', name, 'f'), { recursive: true });
    writeFileSync(join(temp.path, 'caches', name, 'f/x'), '');
  }
  assert.equal(await caches.recover(), 2);
  assert.equal(await caches.recover(), 0);
  assert.equal((await caches.list()).length, 1);
});

test('many at once make one cache', async () => {
  using temp = tempFolder(tmpdir(), systemRandom);
  const all = await Promise.all(Array.from({ length: 20 }, () => open(temp.path).take(spec('a'))));
  assert.equal(new Set(all.map(folderOf)).size, 1);
  for (const taken of all) await taken[Symbol.asyncDispose]();
  assert.equal(readdirSync(join(temp.path, 'caches')).length, 2);
});

test('what a cache held elsewhere is what a new one begins with, and no part of what it is known by', async () => {
  using temp = tempFolder(tmpdir(), systemRandom);
  const elsewhere = join(temp.path, 'elsewhere');
  mkdirSync(join(elsewhere, 'deep'), { recursive: true });
  writeFileSync(join(elsewhere, 'deep/file'), 'kept');
  const start = { mounts: [{ type: 'bind', source: elsewhere, options: [] }] } as const;
  const caches = open(temp.path);
  assert.equal(await caches.find(spec('a')), undefined);
  {
    await using taken = await caches.take({ ...spec('a', 'shared', { mode: 0o1777 }), start });
    assert.equal(readFileSync(join(folderOf(taken), 'deep/file'), 'utf8'), 'kept');
    assert.equal(statSync(folderOf(taken)).mode & 0o7777, 0o1777, 'the folder itself is as the step wants it');
    writeFileSync(join(folderOf(taken), 'more'), '');
  }
  assert.notEqual(await caches.find(spec('a', 'locked', { mode: 0o1777 })), undefined);
  await using again = await caches.take({ ...spec('a', 'shared', { mode: 0o1777 }), start });
  assert.deepEqual(readdirSync(folderOf(again)).toSorted(), ['deep', 'more'], 'only a new one is filled');
});

test('a cache is copied whole, unless a step has it', async () => {
  using temp = tempFolder(tmpdir(), systemRandom);
  const caches = open(temp.path);
  const into = join(temp.path, 'into');
  mkdirSync(into);
  const mounts = [{ type: 'bind', source: into, options: [] }] as const;
  const taken = await caches.take(spec('a'));
  writeFileSync(join(folderOf(taken), 'file'), 'content');
  const name = (await caches.find(spec('a'))) ?? assert.fail('it is there');
  assert.equal(await caches.copyTo(name, mounts), false);
  await taken[Symbol.asyncDispose]();
  assert.equal(await caches.copyTo(name, mounts), true);
  assert.equal(readFileSync(join(into, 'file'), 'utf8'), 'content');
  assert.equal(await caches.copyTo('../into', mounts), false);
  assert.equal(await caches.recover(), 0, 'nothing is left half-made');
});
