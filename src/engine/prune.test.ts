import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { Database, systemClock, type CodedError } from '../base/index.ts';
import { Leases, ownProcess } from '../blob/index.ts';
import { EngineRig, type Built } from './engine-rig.suite.ts';
import { openEngine } from './index.ts';

const HOUR = 3_600_000;

function done(built: Built): string {
  if (built.error !== undefined) throw built.error as Error;
  return built.id ?? assert.fail('no image');
}

const files = (name: string): Record<string, string> => ({
  Dockerfile: `FROM scratch\nCOPY ${name} /${name}\nRUN write /2 ${name}\n`,
  [name]: name.repeat(1000),
});

test('pruning by age forgets what was not used since, and keeps what images need', async () => {
  await using rig = await EngineRig.open();
  const old = done(await rig.build(files('old'), { names: ['old'] }));
  done(await rig.build(files('gone'), { exports: [] }));
  rig.clock.advance(48 * HOUR);
  done(await rig.build(files('new'), { exports: [] }));
  const dry = await rig.engine.store.prune({ olderThan: 24 * HOUR, dryRun: true });
  const report = await rig.engine.store.prune({ olderThan: 24 * HOUR });
  assert.deepEqual([report.results, report.images], [4, []]);
  assert.ok(report.bytes > 4000 && report.blobs >= 2 && report.snapshots > 0);
  assert.deepEqual([dry.results, dry.blobs], [report.results, report.blobs]);
  assert.deepEqual((await rig.build(files('new'))).ran, []);
  assert.equal((await rig.build(files('gone'))).ran.length, 2);
  assert.deepEqual(await Array.fromAsync(rig.engine.store.check()), []);
  assert.equal((await rig.engine.images.inspect('old')).id, old);
  const again = await rig.build({ Dockerfile: 'FROM old\nRUN cat /2\n' });
  assert.match(again.log, /^old\n/);
});

test('pruning by size forgets the least recently used first, until it fits', async () => {
  await using rig = await EngineRig.open();
  for (const name of ['one', 'two', 'three']) {
    done(await rig.build(files(name)));
    rig.clock.advance(1000);
  }
  done(await rig.build(files('one')));
  // Without names only results count; the images' configs are wanted by the images.
  await rig.engine.store.prune({ danglingImages: true });
  const { blobBytes } = await rig.engine.store.usage();
  const report = await rig.engine.store.prune({ keepBytes: blobBytes - 1 });
  assert.ok(report.results >= 1 && report.results <= 2);
  assert.ok((await rig.engine.store.usage()).blobBytes < blobBytes);
  assert.deepEqual((await rig.build(files('one'))).ran, []);
  assert.notDeepEqual((await rig.build(files('two'))).ran, []);
});

test('pruning all leaves what named images need, and nothing else', async () => {
  await using rig = await EngineRig.open();
  const id = done(await rig.build(files('kept'), { names: ['kept'] }));
  const unnamed = done(await rig.build(files('gone')));
  const report = await rig.engine.store.prune({ all: true });
  assert.deepEqual(report.images, [unnamed]);
  const usage = await rig.engine.store.usage();
  assert.deepEqual([usage.images, usage.snapshots, usage.blobs], [1, 0, 3]);
  assert.equal((await rig.engine.images.inspect('kept')).id, id);
  await rig.engine.images.remove('kept');
  await rig.engine.store.prune({ all: true });
  assert.deepEqual(await rig.engine.store.usage(), {
    blobs: 0,
    blobBytes: 0,
    snapshots: 0,
    repositories: 0,
    repositoryBytes: 0,
    snapshotBytes: 0,
    caches: 0,
    cacheBytes: 0,
    images: 0,
  });
});

test('pruning all while a build runs takes nothing of what it found or made, in this process and in another', async () => {
  for (const elsewhere of [false, true]) {
    await using rig = await EngineRig.open();
    const Dockerfile =
      'FROM scratch AS a\nCOPY x /x\nRUN append /x 1\nFROM scratch\nRUN wait gate && write /y y\nCOPY --from=a /x /x\nRUN cat /x\n';
    done(await rig.build({ Dockerfile: Dockerfile.replace(/FROM scratch\nRUN wait[^]*/, ''), x: 'x' }));
    // What was made is old enough to be swept.
    rig.clock.advance(48 * HOUR);
    const building = rig.build({ Dockerfile, x: 'x' }, { names: ['x'] });
    await rig.ground.reached('gate');
    await using other = await EngineRig.open({ root: rig.root, snapshotter: rig.ground.snapshotter });
    other.clock.advance(48 * HOUR);
    const report = await (elsewhere ? other : rig).engine.store.prune({ all: true });
    assert.equal(report.results, 2);
    rig.ground.pass('gate');
    const built = await building;
    done(built);
    assert.match(built.log, /x1\n/);
    assert.deepEqual(await Array.fromAsync(rig.engine.store.check()), []);
  }
});

test('the check finds a byte that flipped, a blob cut short, and layers that are gone', async () => {
  await using rig = await EngineRig.open();
  done(await rig.build(files('x'), { names: ['x'] }));
  assert.deepEqual(await Array.fromAsync(rig.engine.store.check()), []);
  const [first] = (await rig.engine.images.inspect('x')).layers;
  const hex = first?.diffId.slice('sha256:'.length) ?? '';
  const path = join(rig.root, 'blobs/sha256', hex.slice(0, 2), hex);
  const content = readFileSync(path);
  chmodSync(path, 0o644);
  writeFileSync(path, content.with(700, content[700]! ^ 1));
  const progress: number[] = [];
  const [flipped, ...more] = await Array.fromAsync(rig.engine.store.check({ onProgress: (n) => progress.push(n) }));
  assert.deepEqual([flipped?.what, more], [`blob ${first?.diffId}`, []]);
  assert.equal(progress.at(-1), 3);
  rmSync(path);
  const [gone] = await Array.fromAsync(rig.engine.store.check());
  assert.equal(gone?.problem, 'a layer is gone');
});

test('what killed processes left is gone when the store is next opened; what live ones work on stays', async () => {
  await using rig = await EngineRig.open();
  done(await rig.build(files('x')));
  const dead = 2 ** 22 + 1;
  for (const pid of [dead, process.pid]) {
    writeFileSync(join(rig.root, 'blobs/ingest', `${pid}-1234`), 'half');
    mkdirSync(join(rig.root, 'tmp', `tmp-${pid}-1234`), { recursive: true });
    writeFileSync(join(rig.root, 'tmp', `tmp-${pid}-1234`, 'file'), 'half');
  }
  const left = (): string[] => [...readdirSync(join(rig.root, 'blobs/ingest')), ...readdirSync(join(rig.root, 'tmp'))];
  using db = Database.open(join(rig.root, 'strake.db'));
  const leases = new Leases(db, { clock: systemClock });
  {
    await using stranger = leases.take({ owner: { ...ownProcess(), namespace: 'pid:[1]' } });
    void stranger;
    await using next = await EngineRig.open({ root: rig.root });
    assert.equal(left().length, 4);
    assert.equal(next.ground.opened, 0);
  }
  await using next = await EngineRig.open({ root: rig.root });
  void next;
  assert.deepEqual(left(), [`${process.pid}-1234`, `tmp-${process.pid}-1234`]);
});

test('snapshots that a killed process was making are removed when a ground is next opened', async () => {
  await using rig = await EngineRig.open();
  done(await rig.build(files('x')));
  const { snapshotter } = rig.ground;
  await snapshotter.commit(await snapshotter.prepare(undefined), 'base-left');
  using db = Database.open(join(rig.root, 'strake.db'));
  const { bootId, namespace } = ownProcess();
  db.run('INSERT INTO temporary_snapshots VALUES (?, ?, ?, ?, ?)', 'base-left', 2 ** 22 + 1, '1', bootId, namespace);
  await using next = await EngineRig.open({ root: rig.root, snapshotter });
  await next.engine.ground();
  assert.equal(await snapshotter.has('base-left'), false);
  assert.deepEqual(db.all('SELECT * FROM temporary_snapshots'), []);
});

test('a store that cannot be opened says why, and what helps', async () => {
  const open = async (root: string): Promise<CodedError> => {
    try {
      await using engine = await openEngine({
        root,
        keeper: { command: '/nonexistent', args: [] },
        bases: { apt: () => Promise.reject(new Error('none')), named: new Map() },
      });
      void engine;
    } catch (error) {
      return error as CodedError;
    }
    return assert.fail('it opened');
  };
  await using rig = await EngineRig.open();
  writeFileSync(rig.path('file'), '');
  const file = await open(rig.path('file'));
  assert.deepEqual([file.code, file.kind], ['STORE_UNUSABLE', 'denied']);
  mkdirSync(rig.path('damaged'));
  writeFileSync(rig.path('damaged/strake.db'), 'this is no database, however one looks at it. '.repeat(100));
  const damaged = await open(rig.path('damaged'));
  assert.deepEqual([damaged.code, damaged.kind], ['STORE_CORRUPT', 'failed']);
  assert.match(damaged.remedy ?? '', /strake\.db/);
});

test("single records: each blob counts once, and those that fit go by BuildKit's rules", async () => {
  await using rig = await EngineRig.open();
  const files = { Dockerfile: 'FROM scratch\nCOPY a /a\nRUN write /b b\nRUN write /c c\n', a: 'a'.repeat(9000) };
  assert.equal((await rig.build(files, { names: [] })).error, undefined);
  const { store } = rig.engine;
  const before = await store.records();
  const steps = before.filter(({ of }) => of === 'result');
  assert.ok(
    steps.some(({ description }) => description.includes('RUN write /c c')),
    JSON.stringify(before),
  );
  const usage = await store.usage();
  const total = before.reduce((sum, { bytes }) => sum + bytes, 0);
  assert.equal(total, usage.blobBytes + usage.snapshotBytes + usage.repositoryBytes + usage.cacheBytes);
  const last = steps.find(({ description }) => description.includes('/c'));
  const parent = steps.find(({ description }) => description.includes('/b'));
  assert.deepEqual(last?.parents.includes(parent?.id ?? ''), true);

  const nothing = await store.prune({ fits: ({ description }) => description.includes('/c'), olderThan: 60_000 });
  assert.deepEqual(nothing.records, []);
  const plenty = await store.prune({ fits: () => true, keepBytes: 1e9 });
  assert.deepEqual(plenty.records, []);
  const gone = await store.prune({ fits: ({ description }) => description.includes('/c') });
  assert.deepEqual(
    gone.records?.map(({ id }) => id),
    [last?.id],
  );
  const left = (await store.records()).map(({ id }) => id);
  assert.ok(!left.includes(last?.id ?? '') && left.includes(parent?.id ?? ''));
});
