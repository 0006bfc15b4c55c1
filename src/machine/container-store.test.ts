import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { hasCode, systemClock, systemRandom } from '../base/index.ts';
import { ownProcess } from '../blob/index.ts';
import { ContainerStore } from './container-store.ts';
import { SPEC } from './spec.suite.ts';

function open(): { store: ContainerStore; folder: string } & Disposable {
  const folder = mkdtempSync(join(tmpdir(), 'strake-containers-'));
  return {
    folder,
    store: new ContainerStore(join(folder, 'containers'), { clock: systemClock, random: systemRandom }),
    [Symbol.dispose]: () => rmSync(folder, { recursive: true }),
  };
}

test('a container is found by its name, its ID, and a beginning of that which no other has', () => {
  using at = open();
  const { store } = at;
  assert.deepEqual(store.list(), []);
  const one = store.create(SPEC, { name: 'one' });
  const two = store.create(SPEC, {});
  assert.match(one.id, /^[0-9a-f]{12}$/);
  assert.equal(two.name, `web-${two.id.slice(0, 4)}`);
  assert.equal(store.find('one').id, one.id);
  assert.equal(store.find(two.id).name, two.name);
  const beginning = two.id.slice(0, 6);
  if (!one.id.startsWith(beginning)) assert.equal(store.find(beginning).id, two.id);
  for (const text of ['', 'none', `${one.id}0`])
    assert.throws(
      () => store.find(text),
      (error) => hasCode(error, 'CONTAINER_NOT_FOUND'),
      text,
    );
  assert.equal(store.exact(beginning), undefined);
});

test('a name is had once, by processes that ask at the same time, too', async () => {
  using at = open();
  const script = join(at.folder, 'make.ts');
  writeFileSync(
    script,
    `const { systemClock, systemRandom } = await import(${JSON.stringify(join(import.meta.dirname, '../base/index.ts'))});
     const { ContainerStore } = await import(${JSON.stringify(join(import.meta.dirname, 'container-store.ts'))});
     const store = new ContainerStore('${join(at.folder, 'containers')}', { clock: systemClock, random: systemRandom });
     try { store.create(${JSON.stringify(SPEC)}, { name: 'same' }); } catch (error) { process.exit(error.code === 'CONTAINER_EXISTS' ? 3 : 1); }`,
  );
  const codes = await Promise.all(
    Array.from({ length: 3 }, async () => {
      const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', script], { stdio: 'inherit' });
      return new Promise<number | null>((resolve) => child.once('exit', resolve));
    }),
  );
  assert.deepEqual(
    codes.sort((a, b) => Number(a) - Number(b)),
    [0, 3, 3],
  );
  assert.equal(at.store.list().length, 1);
});

test('a name that cannot be is refused', () => {
  using at = open();
  for (const name of ['', '-x', 'a/b', 'a b', 'ä', 'x'.repeat(129)])
    assert.throws(
      () => at.store.create(SPEC, { name }),
      (error) => hasCode(error, 'RUN_INVALID'),
      name,
    );
});

test('one at a time has a container; a number that another process has got since is no monitor', async () => {
  using at = open();
  const { store } = at;
  const { id } = store.create(SPEC, {});
  {
    using taken = store.take(id);
    assert.ok(taken);
    assert.equal(store.take(id), undefined);
  }
  (await store.takeSoon(id))[Symbol.dispose]();
  const record = store.find(id);
  assert.equal(store.isWatched(record), false);
  assert.equal(store.isWatched({ ...record, monitor: ownProcess() }), true);
  assert.equal(store.isWatched({ ...record, monitor: { ...ownProcess(), startedAt: '1' } }), false);
  assert.equal(store.isWatched({ ...record, monitor: { ...ownProcess(), bootId: 'another' } }), false);
  store.remove(id);
  assert.equal(store.take(id), undefined);
  await assert.rejects(store.takeSoon(id), (error) => hasCode(error, 'CONTAINER_NOT_FOUND'));
});
