import assert from 'node:assert/strict';
import { test } from 'node:test';
import { collect, drain } from '../base/index.ts';
import { MemoryBlobStore, type Descriptor } from '../blob/index.ts';
import { contentsOf } from './contents.ts';
import { descriptorOf, imageId, indexManifestOf } from './image-from.ts';
import type { Image, Index } from './image.ts';
import { makeImage } from './make-image.ts';
import { makeIndex } from './make-index.ts';
import { CONFIG, imageOf, layerOf } from './samples.suite.ts';
import { validateImage } from './validate.ts';

/**
 * What holds of every place an image can be kept: what comes back is the same bytes. `keep` stores an image or index and gives it back as read from there; `keeps: 'images'` is for places that hold no index, `config-and-layers` for those that keep no manifest.
 */
export function imageSuite(
  name: string,
  keep: (x: Image | Index) => Promise<{ readonly x: Image | Index } & AsyncDisposable>,
  o: { keeps: 'all' | 'images' | 'config-and-layers' },
): void {
  const same = async (given: Image): Promise<void> => {
    await using kept = await keep(given);
    assert.ok(kept.x.kind === 'image');
    const image = kept.x;
    if (o.keeps !== 'config-and-layers') assert.deepEqual(await descriptorOf(image), await descriptorOf(given));
    assert.equal(await imageId(image), await imageId(given));
    assert.deepEqual(Buffer.from(await image.config()), Buffer.from(await given.config()));
    assert.deepEqual(await validateImage(image, { layers: true }), []);
    const layers = await given.layers();
    for (const [at, layer] of (await image.layers()).entries())
      assert.deepEqual(
        await collect(await layer.uncompressed()),
        await collect(await (layers[at] as (typeof layers)[number]).uncompressed()),
      );
  };

  for (const family of ['oci', 'docker'] as const)
    for (const compression of ['none', 'gzip', 'zstd'] as const)
      test(`${name}: an image comes back as it was (${family}, ${compression})`, async () => {
        await same(await imageOf([{ 'etc/': '', 'etc/a': 'one' }, { b: 'two' }], { family, compression }));
      });

  test(`${name}: an image without layers, and one with the same layer twice`, async () => {
    await same(await imageOf([]));
    const layer = await layerOf(new MemoryBlobStore(), { a: '1' });
    await same(makeImage({ config: { ...CONFIG, history: [{}, {}] }, layers: [layer, layer], mediaTypes: 'oci' }));
  });

  test(`${name}: a config's bytes are kept, whatever their form`, async () => {
    const layer = await layerOf(new MemoryBlobStore(), { a: '1' });
    const text = JSON.stringify({ ...CONFIG, extra: '<&>', rootfs: { type: 'layers', diff_ids: [layer.id] } }, null, 4);
    await same(makeImage({ config: Buffer.from(text), layers: [layer], mediaTypes: 'oci' }));
  });

  if (o.keeps !== 'all') return;
  test(`${name}: an index comes back as it was, nested too`, async () => {
    const members = await Promise.all(
      ['amd64', 'arm64', 's390x'].map((architecture) =>
        imageOf([{ shared: '1' }, { own: architecture }], { config: { architecture } }),
      ),
    );
    const [one, two, three] = members as [Image, Image, Image];
    const inner = makeIndex([{ image: two }, { image: three }], { mediaTypes: 'oci' });
    const index = makeIndex([{ image: one }, { image: inner }], { mediaTypes: 'oci', annotations: { k: 'v' } });
    await using kept = await keep(index);
    assert.ok(kept.x.kind === 'index');
    const again = kept.x;
    assert.deepEqual(await again.manifest(), Buffer.from(await index.manifest()));
    const ids = async (x: Index): Promise<readonly Descriptor[]> =>
      (await contentsOf(x)).map((content) => content.descriptor);
    assert.deepEqual(
      (await ids(again)).map((descriptor) => descriptor.digest),
      (await ids(index)).map((descriptor) => descriptor.digest),
    );
    for (const content of await contentsOf(again))
      assert.equal(await drain(await content.open()), content.descriptor.size);
    const [first] = (await indexManifestOf(again)).manifests;
    assert.deepEqual(await validateImage((await again.member(first as Descriptor)) as Image, { layers: true }), []);
  });
}
