import assert from 'node:assert/strict';
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { hasCode } from '../../src/base/index.ts';
import type { Process } from '../../src/exec/index.ts';
import { layerTar, writeLayer, type Member } from '../../src/snapshot/layer-tar.suite.ts';
import { snapshotterSuite } from '../../src/snapshot/snapshotter.suite.ts';
import { openGround } from '../../src/worker/ground/index.ts';
import { findIdMaps } from '../../src/worker/ground/namespaces.ts';
import { openKeeper, type KeeperGround } from '../../src/worker/ground/open-ground.ts';
import { groundOptions, KeeperRigs, wipe } from './keeper-rig.ts';

/** As an ordinary user with subordinate ids (see `user.test.ts`). */
const folder = mkdtempSync(join(tmpdir(), 'strake-user-'));
chmodSync(folder, 0o755);
const range = findIdMaps();
if ('reason' in range) throw new Error(range.reason);

const inRange = new KeeperRigs(folder, { maps: range, can: { owners: true, devices: false } });
const inSingle = new KeeperRigs(folder, { maps: { kind: 'single' }, can: { owners: false, devices: false } });
after(() => inRange[Symbol.asyncDispose]());
after(() => inSingle[Symbol.asyncDispose]());

snapshotterSuite('subordinate ids', () => inRange.rig());
snapshotterSuite('subordinate ids, copies', () => inRange.rig('copy'));
snapshotterSuite('one id', () => inSingle.rig());
snapshotterSuite('one id, copies', () => inSingle.rig('copy'));

const BUSYBOX: readonly Member[] = [
  { name: 'bin/', type: 'directory' },
  { name: 'bin/busybox', text: '', mode: 0o755 },
  ...['sh', 'id', 'cat', 'chown', 'rm', 'mkdir', 'touch', 'echo', 'test'].map((name): Member => ({
    name: `bin/${name}`,
    type: 'symlink',
    link: 'busybox',
  })),
  { name: 'data/', type: 'directory' },
  { name: 'data/old', text: 'old', uid: 42, gid: 43 },
];

const SHELL: Omit<Process, 'args' | 'id'> = {
  env: ['PATH=/bin'],
  cwd: '/',
  user: { uid: 0, gid: 0, additionalGids: [] },
  hostname: 'step',
  network: 'host',
  security: 'sandbox',
  extraHosts: [],
  ulimits: [],
  shmSize: 0,
  mounts: [],
};

for (const executor of ['crun', 'runc', 'builtin'] as const)
  test(`a step with ${executor}: owners, whiteouts, what it says`, async () => {
    using options = groundOptions(join(folder, `step-${executor}`));
    await using ground = (await openGround({ ...options, executor })) as KeeperGround;
    await using _ = { [Symbol.asyncDispose]: () => wipe(ground, options) };
    assert.equal(ground.report.as, 'user');
    assert.equal(ground.report.ids, 'range');
    assert.equal(ground.report.executor, executor);
    assert.equal(ground.report.snapshotter, 'overlay');
    const tar = join(folder, 'busybox.tar');
    busyboxLayer(tar);
    await ground.snapshotter.apply(undefined, { path: tar }, 'base');
    await using active = await ground.snapshotter.prepare('base');
    let said = '';
    const see = (chunk: Uint8Array): void => void (said += Buffer.from(chunk).toString());
    const script = 'id -u; rm -r data; mkdir data; touch data/new; chown 7:8 data/new; echo done';
    const code = await ground.executor.run(
      { ...SHELL, id: 'step', args: ['sh', '-c', script] },
      { root: active.mounts, io: { stdout: see, stderr: see } },
    );
    assert.deepEqual([said, code], ['0\ndone\n', 0]);
    await ground.snapshotter.commit(active, 'step');
    const entries = await (await ground.snapshotter.changes('step')).entries();
    assert.deepEqual(
      entries.map(({ path, type, uid, gid }) => `${type} ${path} ${uid}:${gid}`),
      ['directory data 0:0', 'file data/new 7:8', 'whiteout data/old 0:0'],
    );
  });

test('with one id owners of files are remembered and come back in changes', async () => {
  using options = groundOptions(join(folder, 'single'));
  await using ground = await openKeeper({ kind: 'single' }, options);
  await using _ = { [Symbol.asyncDispose]: () => wipe(ground, options) };
  const base = writeLayer(join(folder, 'owners.tar'), [
    { name: 'var/', type: 'directory', uid: 8, gid: 9 },
    { name: 'var/f', text: 'f', uid: 8, gid: 9 },
  ]);
  await ground.snapshotter.apply(undefined, base, 'base');
  await using active = await ground.snapshotter.prepare('base');
  await ground.snapshotter.commit(active, 'same');
  assert.deepEqual(await (await ground.snapshotter.changes('same')).entries(), []);
  const entries = await (await ground.snapshotter.changes('base')).entries();
  assert.deepEqual(
    entries.map(({ path, uid, gid }) => `${path} ${uid}:${gid}`),
    ['var 8:9', 'var/f 8:9'],
  );
});

test('an owner outside the range is refused with a remedy', async () => {
  using options = groundOptions(join(folder, 'outside'));
  await using ground = await openKeeper(range, options);
  await using _ = { [Symbol.asyncDispose]: () => wipe(ground, options) };
  const layer = writeLayer(join(folder, 'far.tar'), [{ name: 'f', uid: 2_000_000, gid: 0 }]);
  await assert.rejects(ground.snapshotter.apply(undefined, layer, 'x'), (error) => {
    assert.ok(hasCode(error, 'LAYER_OWNER'), String(error));
    assert.match(error.remedy ?? '', /subuid/);
    return true;
  });
});

function busyboxLayer(path: string): void {
  const busybox = readFileSync('/bin/busybox');
  const members = BUSYBOX.map((member) => (member.name === 'bin/busybox' ? { ...member, text: busybox } : member));
  writeFileSync(path, layerTar(members));
}

after(() => rmSync(folder, { recursive: true, force: true }));
