import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { hasCode, mountAll, sys, systemRandom } from '../../src/base/index.ts';
import { ContainerdSnapshotter } from '../../src/snapshot/containerd.ts';
import { snapshotterSuite, type SnapshotterRig } from '../../src/snapshot/snapshotter.suite.ts';
import { detailsOf, editFolder, lookAtFolder } from '../../src/snapshot/tree-edits.suite.ts';
import type { Mount } from '../../src/tree/index.ts';
import { needsContainerd, needsContainerdAndTime, startContainerd, type TestContainerd } from '../lib/containerd.ts';

let server: TestContainerd;
let spaces = 0;

/** Each in a namespace of its own. */
async function rig(): Promise<SnapshotterRig & { readonly namespace: string }> {
  const folder = mkdtempSync(join(server.folder, 'rig-'));
  const namespace = `test-${spaces++}`;
  const snapshotter = await open(namespace, 'suite');
  const within = <T>(mounts: readonly Mount[], work: (root: string) => T): T => {
    const root = join(folder, 'root');
    mkdirSync(root, { recursive: true });
    using _ = mountAll(mounts, root);
    return work(root);
  };
  return {
    namespace,
    snapshotter,
    folder,
    can: { owners: true, devices: true },
    edit: async (mounts, edits) => within(mounts, (root) => editFolder(root, edits)),
    look: async (mounts) => within(mounts, lookAtFolder),
    details: async (mounts, path) => within(mounts, (root) => detailsOf(root, path)),
    [Symbol.asyncDispose]: async () => {
      await snapshotter[Symbol.asyncDispose]();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

function open(namespace: string, owner: string): Promise<ContainerdSnapshotter> {
  return ContainerdSnapshotter.open({
    address: server.address,
    namespace,
    store: 'here',
    owner,
    random: systemRandom,
  });
}

suite("containerd's snapshots", { skip: needsContainerd }, () => {
  before(async () => {
    server = await startContainerd();
    sys.unshareMounts();
  });
  after(() => server[Symbol.asyncDispose]());

  snapshotterSuite('containerd', rig, needsContainerdAndTime);

  test('a process that ends leaves neither lease nor what it had not committed; one that is killed does until it is recovered', async () => {
    const namespace = `test-${spaces++}`;
    const mine = await open(namespace, 'mine');
    await mine.commit(await mine.prepare(undefined), 'kept');
    await mine.prepare('kept');
    await mine.view('kept');
    await mine[Symbol.asyncDispose]();
    assert.deepEqual(server.left(namespace), { containers: [], tasks: [], leases: [], snapshots: ['kept'] });
    const killed = await open(namespace, 'killed');
    const running = await open(namespace, 'running');
    await killed.prepare('kept');
    await killed.view('kept');
    const active = await running.prepare('kept');
    assert.equal(server.left(namespace).snapshots.length, 4);
    await using next = await open(namespace, 'next');
    assert.equal(await next.recover((owner) => owner === 'running'), 1);
    assert.deepEqual(server.left(namespace).snapshots.sort(), ['kept', running.keyOf(active)].sort());
    await running[Symbol.asyncDispose]();
    await assert.rejects(
      next.remove('none').then(() => next.usage('none')),
      (error) => hasCode(error, 'SNAPSHOT_NOT_FOUND'),
    );
  });

  test('what another store keeps in the namespace is neither listed nor removed', async () => {
    const namespace = `test-${spaces++}`;
    await using mine = await open(namespace, 'mine');
    await mine.commit(await mine.prepare(undefined), 'of-mine');
    const others = await ContainerdSnapshotter.open({
      address: server.address,
      namespace,
      store: 'there',
      owner: 'other',
      random: systemRandom,
    });
    await others.commit(await others.prepare('of-mine'), 'of-others');
    assert.deepEqual(
      (await mine.list()).map(({ id }) => id),
      ['of-mine'],
    );
    assert.equal(await mine.recover(() => false), 0);
    await others[Symbol.asyncDispose]();
  });

  test('a snapshotter that keeps whole copies is refused with the reason, and nothing of it is left', async () => {
    const opening = ContainerdSnapshotter.open({
      address: server.address,
      namespace: 'copies',
      snapshotter: 'native',
      store: 'here',
      owner: 'mine',
      random: systemRandom,
    });
    await assert.rejects(opening, (error: Error) => {
      assert.ok(hasCode(error, 'SNAPSHOT_LIMIT'));
      assert.match(error.message, /"native": it gives snapshots as mounts of type "bind", not as overlays/);
      return true;
    });
    assert.deepEqual(server.left('copies', 'native').snapshots, []);
  });

  test('a snapshotter that containerd does not have is refused by name', async () => {
    await assert.rejects(
      ContainerdSnapshotter.open({
        address: server.address,
        namespace: 'any',
        snapshotter: 'nothing',
        store: 'here',
        owner: 'mine',
        random: systemRandom,
      }),
      (error: Error) => {
        assert.ok(hasCode(error, 'SNAPSHOT_LIMIT'));
        assert.match(error.message, /^use containerd's snapshotter "nothing": it has .*"overlayfs"/);
        return true;
      },
    );
  });
});
