import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bytesOf, collect, drain, hasCode } from '../base/index.ts';
import { MemoryBlobStore, type BlobReader, type Descriptor } from '../blob/index.ts';
import { annotate, withMediaTypes } from './annotate.ts';
import { append, withConfig } from './append.ts';
import { chooseImage } from './choose-image.ts';
import { contentsOf } from './contents.ts';
import { configOf, descriptorOf, imageFrom, imageId, indexFrom, indexManifestOf, manifestOf } from './image-from.ts';
import type { Image, Index } from './image.ts';
import { layerFromBytes, layerFromTar } from './layer-from.ts';
import { makeImage } from './make-image.ts';
import { makeIndex } from './make-index.ts';
import { MEDIA } from './media-types.ts';
import { CONFIG, imageOf, layerOf, tarOf } from './samples.suite.ts';
import { validateImage } from './validate.ts';

/** All of an image in one store, opened again as a source would. */
async function stored(
  x: Image | Index,
  watch: (descriptor: Descriptor) => void = () => undefined,
): Promise<Image | Index> {
  const blobs = new MemoryBlobStore();
  for (const content of await contentsOf(x))
    await blobs.put(await content.open(), { mediaType: content.descriptor.mediaType, expect: content.descriptor });
  const watched: BlobReader = {
    has: (d, w) => blobs.has(d, w),
    open: (d, o) => {
      watch(d);
      return blobs.open(d, o);
    },
  };
  const descriptor = await descriptorOf(x);
  const core = { blobs: watched, manifest: async () => collect(await watched.open(descriptor)) };
  return x.kind === 'image' ? imageFrom(core) : indexFrom(core);
}

test('an image is valid in every compression and family, and the same when opened again', async () => {
  for (const family of ['oci', 'docker'] as const)
    for (const compression of ['none', 'gzip', 'zstd'] as const) {
      const image = await imageOf([{ 'etc/': '', 'etc/a': 'one' }, { b: 'two' }], { family, compression });
      assert.deepEqual(await validateImage(image, { layers: true }), []);
      const again = (await stored(image)) as Image;
      assert.deepEqual(await validateImage(again, { layers: true }), []);
      assert.deepEqual(await again.manifest(), await image.manifest());
      assert.deepEqual(await again.config(), await image.config());
    }
});

test('nothing is read until asked, and manifest and config once', async () => {
  const opened: string[] = [];
  const image = (await stored(await imageOf([{ a: '1' }]), (d) => opened.push(d.mediaType))) as Image;
  assert.deepEqual(opened, []);
  const [layer] = await image.layers();
  await layer?.descriptor();
  assert.deepEqual(opened, [MEDIA.ociManifest]);
  await Promise.all([layer?.diffId(), image.config(), image.config()]);
  assert.deepEqual(opened, [MEDIA.ociManifest, MEDIA.ociConfig]);
  await drain(await layer!.uncompressed());
  assert.deepEqual(opened, [MEDIA.ociManifest, MEDIA.ociConfig, MEDIA.ociLayerGzip]);
});

test('append keeps the base and adds layers and history', async () => {
  const blobs = new MemoryBlobStore();
  const base = await imageOf([{ a: '1' }], { annotations: { k: 'v' } });
  const extra = await layerOf(blobs, { b: '2' }, { family: 'docker' });
  const image = append(
    base,
    { layer: extra, history: { created_by: 'COPY b' } },
    layerFromBytes(tarOf({ c: '3' }), { mediaType: MEDIA.ociLayer }),
  );
  assert.deepEqual(await validateImage(image, { layers: true }), []);
  const manifest = await manifestOf(image);
  assert.deepEqual(
    manifest.layers.map((layer) => layer.mediaType),
    [MEDIA.ociLayerGzip, MEDIA.ociLayerGzip, MEDIA.ociLayer],
  );
  assert.deepEqual(manifest.annotations, { k: 'v' });
  const config = await configOf(image);
  assert.deepEqual(
    config.history?.map((entry) => entry.created_by),
    ['COPY 0 . # buildkit', 'COPY b', undefined],
  );
  assert.deepEqual(config.config, CONFIG.config);
});

test('a changed config keeps the layers; annotations keep the image ID', async () => {
  const base = await imageOf([{ a: '1' }]);
  const changed = withConfig(base, (config) => ({ ...config, config: { ...config.config, User: 'me' } }));
  assert.equal((await configOf(changed)).config?.User, 'me');
  assert.deepEqual((await manifestOf(changed)).layers, (await manifestOf(base)).layers);
  const annotated = annotate(base, { a: 'b' });
  assert.equal(await imageId(annotated), await imageId(base));
  assert.notDeepEqual(await descriptorOf(annotated), await descriptorOf(base));
  assert.deepEqual((await manifestOf(annotate(annotated, { c: 'd' }))).annotations, { a: 'b', c: 'd' });
  const docker = withMediaTypes(base, 'docker');
  assert.deepEqual(await withMediaTypes(base, 'oci').manifest(), await base.manifest());
  assert.equal(await imageId(docker), await imageId(base));
  assert.deepEqual(await validateImage(docker, { layers: true }), []);
  assert.equal((await manifestOf(docker)).mediaType, MEDIA.dockerManifest);
  await assert.rejects(annotate(docker, { a: 'b' }).manifest(), (error) => hasCode(error, 'ANNOTATIONS_UNSUPPORTED'));
});

test('a layer is compressed when its descriptor is first asked for, once', async () => {
  const blobs = new MemoryBlobStore();
  const tar = tarOf({ a: '1' });
  const { digest, size } = await blobs.put(bytesOf(tar), { mediaType: 'application/x-tar' });
  let times = 0;
  const layer = layerFromTar(digest, {
    size,
    blobs,
    compress: async () => {
      times += 1;
      return (await layerOf(blobs, { a: '1' })).blob;
    },
  });
  const image = makeImage({ config: CONFIG, layers: [layer], mediaTypes: 'oci' });
  await image.config();
  assert.deepEqual(await collect(await layer.uncompressed()), tar);
  assert.equal(times, 0);
  await image.manifest();
  assert.deepEqual(await validateImage(image, { layers: true }), []);
  assert.equal(times, 1);
});

test('a config given as bytes is kept, and must name the layers', async () => {
  const blobs = new MemoryBlobStore();
  const layer = await layerOf(blobs, { a: '1' });
  const config = Buffer.from(
    JSON.stringify({ ...CONFIG, extra: 1, rootfs: { type: 'layers', diff_ids: [layer.id] } }, null, 3),
  );
  const image = makeImage({ config, layers: [layer], mediaTypes: 'oci' });
  assert.deepEqual(await image.config(), config);
  assert.deepEqual(await validateImage(image), []);
  await assert.rejects(makeImage({ config, layers: [], mediaTypes: 'oci' }).manifest(), (error) =>
    hasCode(error, 'IMAGE_INVALID'),
  );
});

test('the image for a platform is chosen, in nested indexes and without platforms too', async () => {
  const of = (architecture: string, variant?: string): Promise<Image> =>
    imageOf([{ a: architecture }], { config: { architecture, variant } });
  const arm = await of('arm', 'v7');
  const amd = await of('amd64');
  const inner = makeIndex([{ image: arm }], { mediaTypes: 'oci' });
  const index = makeIndex(
    [
      { image: amd, annotations: { note: '1' } },
      { image: inner, platform: { os: 'linux', architecture: 'arm', variant: 'v7' } },
    ],
    { mediaTypes: 'oci', annotations: { k: 'v' } },
  );
  const [first] = (await indexManifestOf(index)).manifests;
  assert.deepEqual(first?.platform, { architecture: 'amd64', os: 'linux' });
  const again = await stored(index);
  const chosen = await chooseImage(again, { os: 'linux', architecture: 'arm' }, { what: 'x' });
  assert.equal(await imageId(chosen.image), await imageId(arm));
  assert.equal(chosen.descriptor?.digest, (await descriptorOf(arm)).digest);
  await assert.rejects(
    chooseImage(again, { os: 'linux', architecture: 's390x' }, { what: 'x' }),
    /"x" for linux\/s390x: it is there for linux\/amd64, linux\/arm\/v7/,
  );
  assert.equal((await chooseImage(amd, { os: 'linux', architecture: 's390x' }, { what: 'x' })).image, amd);
});

test('contents come once each, what is named before what names it; parts can be left out', async () => {
  const blobs = new MemoryBlobStore();
  const shared = await layerOf(blobs, { a: '1' });
  const one = makeImage({ config: CONFIG, layers: [shared], mediaTypes: 'oci' });
  const two = makeImage({ config: { ...CONFIG, architecture: 'arm64' }, layers: [shared, shared], mediaTypes: 'oci' });
  const index = makeIndex([{ image: one }, { image: two }], { mediaTypes: 'oci' });
  const roles = (await contentsOf(index)).map((content) => content.role);
  assert.deepEqual(roles, ['layer', 'config', 'manifest', 'config', 'manifest', 'index']);
  const sparse = await contentsOf(index, { members: (member) => member.platform?.architecture === 'arm64' });
  assert.deepEqual(
    sparse.map((content) => content.role),
    ['layer', 'config', 'manifest', 'index'],
  );
});

test('an artifact and a member of unknown type can be copied', async () => {
  const artifact = makeImage({
    config: Buffer.from('{}'),
    configType: MEDIA.ociEmpty,
    artifactType: 'application/x.thing',
    layers: [layerFromBytes(Buffer.from('hello'), { mediaType: 'text/plain', annotations: { title: 'a.txt' } })],
    mediaTypes: 'oci',
  });
  assert.deepEqual(await validateImage(artifact, { layers: true }), []);
  const again = (await stored(artifact)) as Image;
  const [layer] = await again.layers();
  assert.equal(Buffer.from(await collect(await layer!.uncompressed())).toString(), 'hello');
  await assert.rejects(configOf(again), (error) => hasCode(error, 'CONFIG_INVALID'));

  const blobs = new MemoryBlobStore();
  const odd = await blobs.put(bytesOf(Buffer.from('anything')), { mediaType: 'x/odd' });
  const manifest = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: MEDIA.ociIndex, manifests: [odd] }));
  const index = indexFrom({ blobs, manifest: async () => manifest });
  const contents = await contentsOf(index);
  assert.deepEqual(
    contents.map((content) => content.role),
    ['other', 'index'],
  );
  assert.equal(Buffer.from(await collect(await contents[0]!.open())).toString(), 'anything');
});

test('what is wrong with an image is found', async () => {
  const blobs = new MemoryBlobStore();
  const good = await layerOf(blobs, { a: '1' });
  const other = await layerOf(blobs, { b: '2' });
  const noTar = await blobs.put(bytesOf(Buffer.alloc(2048, 'x')), { mediaType: MEDIA.ociLayer });
  const find = async (image: Image): Promise<string> => (await validateImage(image, { layers: true })).join('; ');
  const wrongDiffId = makeImage({
    config: CONFIG,
    layers: [{ ...good, diffId: async () => other.id }],
    mediaTypes: 'oci',
  });
  assert.match(await find(wrongDiffId), /layer 1: its content has digest/);
  const wrongBlob = makeImage({
    config: CONFIG,
    layers: [{ ...good, compressed: (w) => other.compressed(w) }],
    mediaTypes: 'oci',
  });
  assert.match(await find(wrongBlob), /its digest is .* its descriptor says/);
  const garbage = imageFrom({
    blobs,
    manifest: async () =>
      Buffer.from(
        JSON.stringify({
          schemaVersion: 2,
          mediaType: MEDIA.ociManifest,
          config: await blobs.put(
            bytesOf(Buffer.from(JSON.stringify({ ...CONFIG, rootfs: { diff_ids: [noTar.digest] } }))),
            { mediaType: MEDIA.ociConfig },
          ),
          layers: [noTar],
        }),
      ),
  });
  assert.match(await find(garbage), /layer 1: read layer: not a tar/);
  const history = withConfig(makeImage({ config: CONFIG, layers: [good], mediaTypes: 'oci' }), (config) => ({
    ...config,
    history: [{}, {}],
  }));
  assert.match(await find(history), /history makes 2 layers/);
  const cutGzip = await blobs.put(bytesOf((await collect(await good.compressed())).subarray(0, 30)), {
    mediaType: MEDIA.ociLayerGzip,
  });
  const cut = makeImage({
    config: CONFIG,
    layers: [{ ...good, descriptor: async () => cutGzip, compressed: () => blobs.open(cutGzip) }],
    mediaTypes: 'oci',
  });
  assert.match(await find(cut), /damaged or cut short/);
});
