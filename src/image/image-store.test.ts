import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { bytesOf, collect, Database, hasCode, systemRandom } from '../base/index.ts';
import {
  digestOf,
  DiskBlobStore,
  Leases,
  MemoryBlobStore,
  sweep,
  type BlobReader,
  type Descriptor,
} from '../blob/index.ts';
import type { Codec } from '../tree/index.ts';
import { configOf, descriptorOf, imageFrom, imageId, manifestOf } from './image-from.ts';
import { ImageStore } from './image-store.ts';
import type { Image, LayerSource } from './image.ts';
import { imageSuite } from './image.suite.ts';
import { makeIndex } from './make-index.ts';
import { MEDIA } from './media-types.ts';
import { CONFIG, imageOf, layerOf, tarOf } from './samples.suite.ts';
import type { CompressLayer } from './stored-layer.ts';
import { validateImage } from './validate.ts';

const GZIP: Codec = { name: 'gzip', level: 1, version: 1 };
const AMD64 = { os: 'linux', architecture: 'amd64' };

interface Made extends Disposable {
  readonly store: ImageStore;
  readonly blobs: DiskBlobStore;
  readonly leases: Leases;
  /** How often a layer was compressed. */
  readonly compressed: { times: number };
  /** What remote repositories hold. */
  readonly remotes: Map<string, BlobReader>;
}

function make(): Made {
  const folder = mkdtempSync(join(tmpdir(), 'strake-images-'));
  const db = Database.open(':memory:');
  let now = 1_700_000_000_000;
  const clock = { now: () => now++ };
  const blobs = new DiskBlobStore(folder, { clock, random: systemRandom });
  const leases = new Leases(db, { clock });
  const compressed = { times: 0 };
  const remotes = new Map<string, BlobReader>();
  const compress: CompressLayer = async (store, diffId, codec) => {
    compressed.times += 1;
    return store.put(bytesOf(gzipSync(readFileSync(store.pathOf(diffId)), { level: codec.level })), {
      mediaType: MEDIA.ociLayerGzip,
    });
  };
  const remote = (source: LayerSource): BlobReader => remotes.get(source.reference) as BlobReader;
  return {
    store: new ImageStore({ db, blobs, leases, clock, compress, remote }),
    blobs,
    leases,
    compressed,
    remotes,
    [Symbol.dispose]: () => {
      db[Symbol.dispose]();
      rmSync(folder, { recursive: true });
    },
  };
}

for (const keepManifest of [true, false])
  imageSuite(
    keepManifest ? 'image store' : 'image store, manifest made anew',
    async (x) => {
      const made = make();
      const record = await made.store.import(['it'], x as Image, { keepManifest });
      return { x: made.store.open(record, { codec: GZIP }), [Symbol.asyncDispose]: async () => made[Symbol.dispose]() };
    },
    { keeps: keepManifest ? 'images' : 'config-and-layers' },
  );

test('an image that was built here is compressed once, when its manifest is needed, and always the same', async () => {
  using made = make();
  const { store, blobs, compressed } = made;
  const tars = [tarOf({ a: '1' }), tarOf({ b: '2' })];
  const layers = await Promise.all(
    tars.map(async (tar) => ({ diffId: (await blobs.put(bytesOf(tar), { mediaType: 'x' })).digest })),
  );
  const id = await store.add({ config: CONFIG, layers, names: ['app', 'app:1'], annotations: { k: 'v' } });
  const record = store.resolve('app');
  assert.equal(record.imageId, id);
  assert.deepEqual(store.namesOf(record), ['docker.io/library/app:1', 'docker.io/library/app:latest']);
  const image = store.open(record, { codec: GZIP });
  assert.equal((await configOf(image)).rootfs.diff_ids.length, 2);
  assert.equal(compressed.times, 0);
  assert.deepEqual(await validateImage(image, { layers: true }), []);
  assert.equal(compressed.times, 2);
  const { digest } = await descriptorOf(image);
  assert.deepEqual((await manifestOf(image)).annotations, { k: 'v' });

  const again = store.open(store.resolve(id), { codec: GZIP });
  assert.equal((await descriptorOf(again)).digest, digest);
  const [first] = (await manifestOf(again)).layers as [Descriptor];
  assert.equal(compressed.times, 2);
  await blobs.delete(first.digest);
  assert.deepEqual(await validateImage(again, { layers: true }), []);
  assert.equal(compressed.times, 3);
  assert.equal(store.diffIdOf(first.digest), layers[0]?.diffId);
  assert.deepEqual(store.compressedOf(layers[0]!.diffId, GZIP), first);
  assert.equal(store.compressedOf(layers[0]!.diffId, { ...GZIP, level: 9 }), undefined);
  assert.equal(await imageId(store.open(record, { codec: GZIP, mediaTypes: 'docker' })), id);
  const plain = store.open(record, { codec: { name: 'none', level: 0, version: 1 } });
  assert.deepEqual(
    (await manifestOf(plain)).layers.map((layer) => layer.mediaType),
    [MEDIA.ociLayer, MEDIA.ociLayer],
  );
});

test('a layer may stay in its registry until its bytes are needed', async () => {
  using made = make();
  const { store, blobs, compressed, remotes } = made;
  const elsewhere = new MemoryBlobStore();
  const given = await imageOf([{ a: '1' }], { blobs: elsewhere });
  const source = { reference: 'host.io/base' };
  let fetched = 0;
  const counting: BlobReader = {
    has: (d) => elsewhere.has(d),
    open: (d, o) => {
      fetched += 1;
      return elsewhere.open(d, o);
    },
  };
  for (const bytes of [await given.config(), await given.manifest()])
    await elsewhere.put(bytesOf(bytes), { mediaType: 'x' });
  remotes.set(source.reference, counting);
  const pulled = await store.import(
    ['host.io/base'],
    imageFrom({ blobs: elsewhere, source, manifest: () => given.manifest() }),
    { lazy: true },
  );
  const [base] = pulled.layers;
  assert.deepEqual(base?.source, source);
  assert.equal(blobs.sizeOf(base.diffId), undefined);

  const tar = tarOf({ b: '2' });
  const own = await blobs.put(bytesOf(tar), { mediaType: 'x' });
  await store.add({ config: CONFIG, layers: [base, { diffId: own.digest }], names: ['app'] });
  const image = store.open(store.resolve('app'), { codec: GZIP });
  const layers = await image.layers();
  assert.deepEqual(
    layers.map((layer) => layer.source),
    [source, undefined],
  );
  await image.manifest();
  assert.deepEqual([fetched, compressed.times], [0, 1]);
  assert.deepEqual(await validateImage(image, { layers: true }), []);
  assert.equal(fetched, 1);
  assert.deepEqual(readFileSync(await store.tarOf(base)), tarOf({ a: '1' }));
  await store.tarOf(base);
  assert.equal(fetched, 2);

  remotes.clear();
  await blobs.delete(base.compressed!.digest);
  await assert.rejects(
    async () =>
      collect(
        await store
          .open({ ...pulled, layers: [{ ...base, source: undefined }] }, { codec: GZIP })
          .layers()
          .then((all) => all[0]!.compressed()),
      ),
    (error) => hasCode(error, 'BLOB_NOT_FOUND'),
  );
});

test('an image is found by name, image ID, the beginning of it, and digest', async () => {
  using made = make();
  const { store } = made;
  const image = await imageOf([{ a: '1' }]);
  const index = makeIndex([{ image }], { mediaTypes: 'oci' });
  const record = await store.import(['team/app:1', 'host.io/x'], image, { index });
  const manifest = (await descriptorOf(image)).digest;
  const hex = record.imageId.slice('sha256:'.length);
  for (const text of [
    'team/app:1',
    'docker.io/team/app:1',
    'host.io/x:latest',
    record.imageId,
    hex,
    hex.slice(0, 12),
    `sha256:${hex.slice(0, 6)}`,
    manifest,
    (await descriptorOf(index)).digest,
    `team/app@${manifest}`,
    `host.io/x:any@${manifest}`,
  ])
    assert.equal(store.resolve(text).imageId, record.imageId, text);
  for (const text of ['team/app', 'app', `other@${manifest}`, 'ffffffffffff', digestOf('x'), 'NOT A NAME', ''])
    assert.throws(
      () => store.resolve(text),
      (error) => hasCode(error, 'IMAGE_NOT_FOUND'),
      text,
    );
  assert.equal(store.find('nothing'), undefined);
  assert.equal(store.find('team/app:1', { platform: { os: 'linux', architecture: 'arm64' } }), undefined);
  assert.equal(store.find('team/app:1', { platform: AMD64 })?.imageId, record.imageId);
});

test('a beginning that several image IDs share is refused', async () => {
  using made = make();
  const { store } = made;
  for (let at = 0; at < 17; at++) await store.add({ config: { ...CONFIG, author: String(at) }, layers: [], names: [] });
  const first = store.list().map(({ record }) => record.imageId[7] as string);
  const twice = first.find((digit, at) => first.indexOf(digit) !== at) as string;
  assert.throws(
    () => store.resolve(twice),
    (error) => hasCode(error, 'IMAGE_AMBIGUOUS'),
  );
});

test('a name moves to the newest image; an image goes with its last name', async () => {
  using made = make();
  const { store } = made;
  const one = await store.import(['app'], await imageOf([{ a: '1' }]));
  const two = await store.import(['app'], await imageOf([{ a: '2' }]));
  assert.deepEqual(
    store.list().map(({ record, names }) => [record.imageId, names]),
    [
      [two.imageId, ['docker.io/library/app:latest']],
      [one.imageId, []],
    ],
  );
  store.put(['old:1'], one);
  store.put(['old:2'], one);
  assert.deepEqual(store.untag('old:1').removed, []);
  assert.deepEqual(
    store.untag('old:2').removed.map((record) => record.imageId),
    [one.imageId],
  );
  assert.throws(
    () => store.untag('old:2'),
    (error) => hasCode(error, 'IMAGE_NOT_FOUND'),
  );
  assert.equal(store.remove(two), true);
  assert.equal(store.remove(two), false);
  assert.deepEqual(store.list(), []);
});

test('one name may lead to an image for each platform', async () => {
  using made = make();
  const { store } = made;
  const records = [];
  for (const architecture of ['amd64', 'arm64'])
    records.push(await store.import([], await imageOf([{ a: architecture }], { config: { architecture } })));
  store.put(['multi'], records);
  assert.equal(store.resolve('multi', { platform: AMD64 }).platform.architecture, 'amd64');
  assert.equal(
    store.resolve('multi', { platform: { os: 'linux', architecture: 'arm64', variant: 'v8' } }).platform.architecture,
    'arm64',
  );
  assert.throws(
    () => store.resolve('multi'),
    (error) => hasCode(error, 'IMAGE_AMBIGUOUS'),
  );
  assert.equal(store.untag('multi').removed.length, 2);
});

test('a sweep spares what images need and takes the rest', async () => {
  using made = make();
  const { store, blobs, leases } = made;
  const kept = await store.import(['kept'], await imageOf([{ a: '1' }]));
  const own = await blobs.put(bytesOf(tarOf({ o: '1' })), { mediaType: 'x' });
  await store.add({ config: CONFIG, layers: [{ diffId: own.digest }], names: ['own'] });
  const built = store.open(store.resolve('own'), { codec: GZIP });
  await built.manifest();
  await store.import(['gone'], await imageOf([{ b: '2' }, { a: '1' }]));
  store.untag('gone');
  const before = (await Array.fromAsync(blobs.list())).length;
  const swept = await sweep(blobs, { keep: (digest) => store.isReferenced(digest), olderThan: Infinity, leases });
  assert.ok(swept.digests.length > 0 && swept.digests.length < before);
  assert.deepEqual(new Set((await Array.fromAsync(blobs.list())).map((blob) => blob.digest)), store.referencedBlobs());
  assert.deepEqual(await validateImage(store.open(kept, { codec: GZIP }), { layers: true }), []);
  assert.deepEqual(await validateImage(built, { layers: true }), []);
  for (const { names } of store.list()) store.untag(names[0] as string);
  await sweep(blobs, { keep: (digest) => store.isReferenced(digest), olderThan: Infinity, leases });
  assert.deepEqual(await Array.fromAsync(blobs.list()), []);
});

test('a layer that is not what the config says is refused, and nothing is recorded or left', async () => {
  using made = make();
  const { store, blobs } = made;
  const memory = new MemoryBlobStore();
  const good = await layerOf(memory, { a: '1' });
  const image = await imageOf([{ a: '1' }]);
  const lying: Image = { ...image, layers: async () => [{ ...good, diffId: async () => digestOf('other') }] };
  await assert.rejects(store.import(['app'], lying), (error) => hasCode(error, 'LAYER_MISMATCH'));
  assert.deepEqual(store.list(), []);
  assert.deepEqual(readdirSync(join(blobs.folder, 'ingest')), []);
  await assert.rejects(store.import(['a b'], image), (error) => hasCode(error, 'REFERENCE_INVALID'));
});

test('what is no image is not imported', async () => {
  using made = make();
  const artifact: Image = {
    kind: 'image',
    manifest: async () =>
      Buffer.from(
        JSON.stringify({
          schemaVersion: 2,
          mediaType: MEDIA.ociManifest,
          config: { mediaType: MEDIA.ociEmpty, digest: digestOf('{}'), size: 2 },
          layers: [],
        }),
      ),
    config: async () => Buffer.from('{}'),
    layers: async () => [],
  };
  await assert.rejects(made.store.import(['x'], artifact), (error) => hasCode(error, 'CONFIG_INVALID'));
});
