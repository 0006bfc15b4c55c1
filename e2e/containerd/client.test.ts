import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { bytesOf, collect, hasCode, kindOf, systemRandom } from '../../src/base/index.ts';
import { blobStoreSuite } from '../../src/blob/blob-store.suite.ts';
import {
  Containerd,
  ContainerdContainers,
  ContainerdContent,
  ContainerdDiffs,
  ContainerdImages,
  ContainerdLeases,
  ContainerdSnapshots,
  ContainerdTasks,
  containerdEvents,
  openContainerd,
  runcOptions,
} from '../../src/wire/containerd/index.ts';
import { needsContainerd, startContainerd, type TestContainerd } from '../lib/containerd.ts';

let server: TestContainerd;
let spaces = 0;
const fresh = (): Containerd => new Containerd({ address: server.address, namespace: `test-${spaces++}` });

suite("containerd's client", { skip: needsContainerd }, () => {
  before(async () => {
    server = await startContainerd();
  });
  after(() => server[Symbol.asyncDispose]());

  blobStoreSuite(
    'content of containerd',
    () => {
      const containerd = fresh();
      const ingest = join(server.folder, 'root/io.containerd.content.v1.content/ingest');
      return {
        store: new ContainerdContent(containerd, {
          random: systemRandom,
          labels: { 'containerd.io/gc.root': 'test' },
        }),
        leftovers: () => readdirSync(ingest),
        [Symbol.dispose]: () => void containerd[Symbol.asyncDispose](),
      };
    },
    { sha512: 'containerd knows sha256 alone' },
  );

  test('a digest that is not sha256 is refused by name', async () => {
    await using containerd = fresh();
    const content = new ContainerdContent(containerd, { random: systemRandom });
    const expect = { mediaType: 'x', digest: `sha512:${'0'.repeat(128)}`, size: 1 } as const;
    await assert.rejects(content.put(bytesOf(Buffer.from('a')), { mediaType: 'x', expect }), (error) =>
      hasCode(error, 'CONTAINERD_UNSUPPORTED'),
    );
  });

  test('its version and its plugins', async () => {
    await using containerd = await openContainerd({ address: `unix://${server.address}`, namespace: 'any' });
    assert.match((await containerd.version()).version, /^\d+\.\d+/);
    const snapshotters = await containerd.plugins('type==io.containerd.snapshotter.v1');
    const overlay = snapshotters.find(({ id }) => id === 'overlayfs');
    assert.equal(overlay?.works, true);
  });

  test('a containerd that is not there, and one that goes away and comes again', async () => {
    await assert.rejects(
      openContainerd({ address: join(server.folder, 'none.sock'), namespace: 'any' }),
      (error: Error) => {
        assert.ok(hasCode(error, 'CONTAINERD_UNAVAILABLE'));
        assert.match(error.message, /^connect to containerd at ".*none\.sock": no such file or folder/);
        assert.match(error.remedy ?? '', /Start containerd/);
        return true;
      },
    );
    await using containerd = fresh();
    await containerd.version();
    const waiting = new ContainerdTasks(containerd).get('nobody');
    assert.equal(await waiting, undefined);
    await server.crash();
    await assert.rejects(containerd.version(), (error) => kindOf(error) === 'unavailable');
    await server.start();
    assert.match((await containerd.version()).version, /^\d/);
  });

  test('what a lease spares is there until it is given back', async () => {
    await using containerd = fresh();
    const leases = new ContainerdLeases(containerd);
    const content = new ContainerdContent(containerd, { random: systemRandom });
    await leases.create('one', { labels: { mine: 'yes' } });
    const blob = await content.put(bytesOf(Buffer.from('spared')), { mediaType: 'x', lease: 'one' });
    assert.deepEqual(await leases.list('labels."mine"==yes'), [{ id: 'one', labels: { mine: 'yes' } }]);
    assert.deepEqual(await leases.resources('one'), [{ type: 'content', id: blob.digest }]);
    await leases.create('two');
    await leases.add('two', { type: 'content', id: blob.digest });
    await leases.delete('one', { sync: true });
    assert.equal(await content.has(blob), true);
    await leases.delete('two', { sync: true });
    assert.equal(await content.has(blob), false);
    await leases.delete('two');
  });

  test('labels of blobs are set and taken away', async () => {
    await using containerd = fresh();
    const content = new ContainerdContent(containerd, { random: systemRandom });
    const labels = { 'containerd.io/gc.root': 'yes', 'containerd.io/gc.ref.content.l.0': 'sha256:abc' };
    const blob = await content.put(bytesOf(Buffer.from('labelled')), { mediaType: 'x', labels });
    assert.deepEqual((await content.info(blob.digest))?.labels, labels);
    await content.label(blob.digest, { 'containerd.io/gc.ref.content.l.0': '', more: '1' });
    assert.deepEqual((await content.info(blob.digest))?.labels, { 'containerd.io/gc.root': 'yes', more: '1' });
  });

  test('snapshots, layers by the diff service, images', async () => {
    await using containerd = fresh();
    const leases = new ContainerdLeases(containerd);
    await leases.create('all');
    const snapshots = new ContainerdSnapshots(containerd, 'overlayfs');
    const diffs = new ContainerdDiffs(containerd);
    const content = new ContainerdContent(containerd, { random: systemRandom });
    const lease = 'all';
    const empty = await snapshots.prepare('empty', { lease });
    await snapshots.prepare('work', { lease });
    const tar = Buffer.concat([tarHeader('file', 5), Buffer.from('hello'), Buffer.alloc(512 - 5 + 1024)]);
    const layer = await content.put(bytesOf(tar), { mediaType: 'application/vnd.oci.image.layer.v1.tar', lease });
    assert.equal((await diffs.apply(layer, { mounts: await snapshots.mounts('work'), lease })).digest, layer.digest);
    await snapshots.commit('work', { name: 'done', labels: { mine: 'yes' }, lease });
    assert.equal((await snapshots.stat('done'))?.kind, 'committed');
    assert.equal(await snapshots.stat('work'), undefined);
    assert.deepEqual(
      (await snapshots.list('labels."mine"==yes')).map(({ name }) => name),
      ['done'],
    );
    const view = await snapshots.view('look', { parent: 'done', lease });
    assert.ok(view[0]?.options.includes('ro'));
    await assert.rejects(snapshots.remove('done'), (error) => hasCode(error, 'GRPC_FAILED_PRECONDITION'));
    const diff = await diffs.diff(empty, view, { mediaType: layer.mediaType, ref: 'a-diff', lease });
    assert.match(Buffer.from(await collect(await content.open(diff))).toString(), /^file\0.*hello/s);
    assert.ok((await snapshots.usage('done')).bytes > 0);
    const images = new ContainerdImages(containerd);
    await images.set('one/image:tag', diff);
    await images.set('one/image:tag', layer);
    assert.deepEqual(
      (await images.list()).map(({ name, target }) => [name, target.digest]),
      [['one/image:tag', layer.digest]],
    );
    await images.delete('one/image:tag');
    await images.delete('one/image:tag');
    await assert.rejects(snapshots.prepare('x', { parent: 'none' }), (error: Error) => {
      assert.ok(hasCode(error, 'GRPC_NOT_FOUND'));
      assert.match(error.message, /^prepare snapshot "x" in containerd: /);
      return true;
    });
  });

  test('containers and tasks that are not there', async () => {
    await using containerd = fresh();
    const containers = new ContainerdContainers(containerd);
    const tasks = new ContainerdTasks(containerd);
    await containers.create('one', { spec: '{}', labels: { step: 'x' }, options: runcOptions({}) });
    assert.deepEqual(await containers.list('labels."step"==x'), [{ id: 'one', labels: { step: 'x' } }]);
    await containers.setSpec('one', '{"ociVersion":"1.0.2"}');
    assert.equal(await tasks.kill('one', 9), false);
    await tasks.delete('one');
    await containers.delete('one');
    await containers.delete('one');
    assert.deepEqual(await containers.list(), []);
  });

  test('events of its own namespace', async () => {
    await using containerd = fresh();
    const stop = new AbortController();
    const seen: string[] = [];
    const following = (async () => {
      for await (const { topic } of containerdEvents(containerd, ['/images/create'], { signal: stop.signal })) {
        seen.push(topic);
        stop.abort();
      }
    })().catch(() => undefined);
    await using other = fresh();
    const image = { mediaType: 'x', digest: `sha256:${'0'.repeat(64)}`, size: 1 } as const;
    for (let i = 0; i < 200 && seen.length === 0; i++) {
      await new ContainerdImages(other).set(`other:${i}`, image);
      await new ContainerdImages(containerd).set(`one:${i}`, image);
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    await following;
    assert.deepEqual(seen, ['/images/create']);
  });
});

/** The header of a regular file (ustar). */
function tarHeader(name: string, size: number): Buffer {
  const header = Buffer.alloc(512);
  header.write(name, 0);
  header.write('0000644\0', 100);
  header.write('0000000\0', 108);
  header.write('0000000\0', 116);
  header.write(`${size.toString(8).padStart(11, '0')}\0`, 124);
  header.write('00000000000\0', 136);
  header.write('        ', 148);
  header.write('0', 156);
  header.write('ustar\0', 257);
  header.write('00', 263);
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  return header;
}
