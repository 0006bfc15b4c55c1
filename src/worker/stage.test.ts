import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { Database, systemClock, systemRandom } from '../base/index.ts';
import { DiskBlobStore, Leases } from '../blob/index.ts';
import { ImageStore } from '../image/index.ts';
import { MemorySnapshotter, type ActiveSnapshot } from '../snapshot/index.ts';
import type { Ground } from './ground/index.ts';
import { LayerService, type LayerAccess } from './layer-service.ts';
import type { RefLayer } from './ref.ts';
import { Stage } from './stage.ts';

class World implements AsyncDisposable {
  readonly folder = mkdtempSync(join(tmpdir(), 'strake-stage-'));
  readonly store = new DiskBlobStore(join(this.folder, 'store'), { clock: systemClock, random: systemRandom });
  readonly db = Database.open(':memory:');
  readonly snapshotter = new MemorySnapshotter({ clock: systemClock });
  readonly stage: Stage;
  readonly access: LayerAccess = { fetch: () => assert.fail('nothing is elsewhere') };
  opened = 0;

  constructor() {
    const leases = new Leases(this.db, { clock: systemClock });
    const images = new ImageStore({ db: this.db, blobs: this.store, leases, clock: systemClock });
    const layers = new LayerService({ store: this.store, images, clock: systemClock, database: this.db });
    const ground = {
      snapshotter: this.snapshotter,
      recover: async () => 0,
      [Symbol.asyncDispose]: async () => undefined,
    };
    this.stage = new Stage({
      layers,
      database: this.db,
      random: systemRandom,
      openGround: async () => {
        this.opened += 1;
        return ground as unknown as Ground;
      },
    });
  }

  /** A step on these layers that writes a file. */
  async step(below: readonly RefLayer[], name: string): Promise<readonly RefLayer[]> {
    await using active = await this.stage.prepare(below, this.access);
    this.snapshotter.treeOf(active.mounts).write(name, name);
    return [...below, { diffId: await this.stage.commit(active, below, {}) }];
  }

  async names(): Promise<string[]> {
    return (await this.snapshotter.list()).map(({ id }) => id.replace(/-.*|:.*/, '')).toSorted();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stage[Symbol.asyncDispose]();
    this.db[Symbol.dispose]();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

test('what a step left is what the next one stands on; what is gone is unpacked from its layers', async () => {
  await using world = new World();
  const one = await world.step([], 'a');
  const two = await world.step(one, 'b');
  assert.deepEqual(await world.names(), ['step', 'step']);
  for (const { id } of (await world.snapshotter.list()).toReversed()) await world.snapshotter.remove(id);
  await using active = await world.stage.prepare(two, world.access);
  assert.deepEqual(world.snapshotter.treeOf(active.mounts).names('').toSorted(), ['a', 'b']);
  assert.deepEqual(await world.names(), ['sha256', 'sha256']);
});

test('a step that fails after its snapshot was committed leaves none', async () => {
  await using world = new World();
  const below = await world.step([], 'a');
  const controller = new AbortController();
  await using active = await world.stage.prepare(below, world.access);
  world.snapshotter.treeOf(active.mounts).write('b', 'b');
  const changes = world.snapshotter.changes.bind(world.snapshotter);
  world.snapshotter.changes = async (id, w) => {
    controller.abort(new Error('now'));
    return changes(id, w);
  };
  await assert.rejects(world.stage.commit(active, below, controller));
  assert.deepEqual(await world.names(), ['step']);
  assert.deepEqual(world.db.all('SELECT * FROM temporary_snapshots'), []);
});

test('a snapshot that is swept away between being found and used is made again', async () => {
  await using world = new World();
  const layers = await world.step([], 'a');
  const prepare = world.snapshotter.prepare.bind(world.snapshotter);
  let swept = 0;
  world.snapshotter.prepare = async (parent, w) => {
    if (swept++ === 0 && parent !== undefined) await world.snapshotter.remove(parent);
    return prepare(parent, w);
  };
  await using active = await world.stage.prepare(layers, world.access);
  assert.deepEqual([world.snapshotter.treeOf(active.mounts).names(''), swept], [['a'], 2]);
});

test('pruning spares what is wanted with all below it, what a step stands on, and what is being made', async () => {
  await using world = new World();
  const base = await world.step([], 'base');
  const kept = await world.step(base, 'kept');
  const gone = await world.step(await world.step(base, 'gone'), 'more');
  const used = await world.step(base, 'used');
  await using active = await world.stage.prepare(used, world.access);
  void active;
  await using making = world.stage.temporary('base');
  await world.snapshotter.commit(await world.snapshotter.prepare(undefined), making.id);
  const dry = await world.stage.prune({ keep: [kept], dryRun: true });
  assert.deepEqual([dry.removed, (await world.names()).length], [3, 6]);
  assert.equal((await world.stage.prune({ keep: [kept] })).removed, 2);
  assert.deepEqual(await world.names(), ['base', 'step', 'step', 'step']);
  await using again = await world.stage.prepare(gone, world.access);
  assert.deepEqual(world.snapshotter.treeOf(again.mounts).names('').toSorted(), ['base', 'gone', 'more']);
});

test('two that want the same stack unpack it once, whichever gives up', async () => {
  await using world = new World();
  const layers = await world.step(await world.step([], 'a'), 'b');
  for (const { id } of (await world.snapshotter.list()).toReversed()) await world.snapshotter.remove(id);
  const first = new AbortController();
  const one = assert.rejects(world.stage.prepare(layers, { ...world.access, signal: first.signal }), {
    kind: 'cancelled',
  });
  const two = world.stage.prepare(layers, world.access);
  first.abort();
  await one;
  await using active = await two;
  assert.deepEqual(world.snapshotter.treeOf(active.mounts).names('').toSorted(), ['a', 'b']);
});

test('a store that never had a ground is pruned and measured without opening one', async () => {
  await using world = new World();
  assert.deepEqual(await world.stage.usage(), { snapshots: 0, bytes: 0 });
  assert.deepEqual(await world.stage.prune({ keep: [] }), { removed: 0, bytes: 0 });
  assert.equal(world.opened, 0);
});

test('what is held stays whatever is pruned, is gone on with, and goes with all that was held before when it is released', async () => {
  await using world = new World();
  const below = await world.step([], 'a');
  const write = async (active: ActiveSnapshot | undefined, name: string): Promise<string[]> => {
    assert.ok(active);
    const tree = world.snapshotter.treeOf(active.mounts);
    tree.write(name, name);
    await world.stage.hold(active, 'box');
    return tree.names('').toSorted();
  };
  assert.equal(await world.stage.prepareHeld('box'), undefined);
  {
    await using active = await world.stage.prepare(below, world.access);
    assert.deepEqual(await write(active, 'b'), ['a', 'b']);
  }
  {
    await using again = await world.stage.prepareHeld('box');
    assert.deepEqual(await write(again, 'c'), ['a', 'b', 'c']);
  }
  await world.stage.prune({ keep: [] });
  assert.deepEqual(await world.names(), ['held', 'held', 'step']);
  {
    await using used = await world.stage.prepareHeld('box');
    assert.deepEqual(used && world.snapshotter.treeOf(used.mounts).names('').toSorted(), ['a', 'b', 'c']);
  }
  await world.stage.release('another');
  await world.stage.release('box');
  assert.deepEqual(await world.names(), ['step']);
  assert.equal(await world.stage.prepareHeld('box'), undefined);
  assert.deepEqual(world.db.all('SELECT * FROM temporary_snapshots'), []);
});
