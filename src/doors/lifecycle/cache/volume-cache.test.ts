import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { hasCode } from '../../../base/index.ts';
import { digestOf } from '../../../blob/index.ts';
import { LABELS, type CacheMetadata } from '../../../frontend/buildpack/index.ts';
import { layerTar } from '../../../snapshot/layer-tar.suite.ts';
import type { CachedLayer } from './build-cache.ts';
import { VolumeCache } from './volume-cache.ts';

interface Volume extends Disposable {
  readonly folder: string;
  /** A tar that holds one file of that name. */
  layer(name: string): CachedLayer;
}

function volume(): Volume {
  const at = mkdtempSync(join(tmpdir(), 'strake-volume-'));
  const folder = join(at, 'cache');
  mkdirSync(folder);
  return {
    folder,
    layer: (name) => {
      const tar = layerTar([{ name, text: name }]);
      writeFileSync(join(at, name), tar);
      return { diffId: digestOf(tar), size: tar.length, tar: join(at, name) };
    },
    [Symbol.dispose]: () => rmSync(at, { recursive: true, force: true }),
  };
}

const metadataOf = (layers: readonly CachedLayer[]): CacheMetadata => ({
  buildpacks: [
    {
      key: 'a/b',
      version: '1',
      layers: Object.fromEntries(
        layers.map(({ diffId }, at) => [`l${at}`, { sha: diffId, build: false, launch: false, cache: true }]),
      ),
    },
  ],
});

const shas = ({ buildpacks }: CacheMetadata): readonly string[] =>
  buildpacks.flatMap(({ layers }) => Object.values(layers).map(({ sha }) => sha));

suite('a cache in a folder', () => {
  test('has the files that the lifecycle has, and gives back what went in', async () => {
    using v = volume();
    const layers = [v.layer('one'), v.layer('two')];
    assert.deepEqual(shas(await new VolumeCache(v.folder).metadata()), []);
    await new VolumeCache(v.folder).replace(metadataOf(layers), { layers });
    assert.deepEqual(readdirSync(v.folder), ['committed']);
    assert.deepEqual(
      readdirSync(join(v.folder, 'committed')).sort(),
      [LABELS.cacheMetadata, ...layers.map(({ diffId }) => `${diffId}.tar`)].sort(),
    );
    const cache = new VolumeCache(v.folder);
    assert.deepEqual(
      shas(await cache.metadata()),
      layers.map(({ diffId }) => diffId),
    );
    const entries = await (await cache.layer(layers[1]!.diffId)).entries();
    assert.deepEqual(
      entries.map(({ path }) => path),
      ['two'],
    );
  });

  test('the next one takes its place; a layer that stays is linked, not written', async () => {
    using v = volume();
    const [one, two] = [v.layer('one'), v.layer('two')];
    const at = (layer: CachedLayer): string => join(v.folder, 'committed', `${layer.diffId}.tar`);
    const cache = new VolumeCache(v.folder);
    await cache.replace(metadataOf([one]), { layers: [one] });
    const { ino } = statSync(at(one));
    await cache.replace(metadataOf([one, two]), { layers: [one, two] });
    assert.equal(statSync(at(one)).ino, ino);
    await cache.replace(metadataOf([two]), { layers: [two] });
    assert.equal(statSync(at(one), { throwIfNoEntry: false }), undefined);
    assert.deepEqual(readdirSync(v.folder), ['committed']);
  });

  test('wherever a machine went down, the next one finds a whole cache', async () => {
    using v = volume();
    const [one, two] = [v.layer('one'), v.layer('two')];
    await new VolumeCache(v.folder).replace(metadataOf([one]), { layers: [one] });
    // Between the two renames, with something half made.
    renameSync(join(v.folder, 'committed'), join(v.folder, 'committed-backup'));
    mkdirSync(join(v.folder, 'staging'));
    writeFileSync(join(v.folder, 'staging/rubbish'), 'x');
    const cache = new VolumeCache(v.folder);
    assert.deepEqual(shas(await cache.metadata()), [one.diffId]);
    // After them, before the old one was removed.
    mkdirSync(join(v.folder, 'committed-backup'));
    await cache.replace(metadataOf([two]), { layers: [two] });
    assert.deepEqual(readdirSync(v.folder), ['committed']);
    assert.equal(readdirSync(join(v.folder, 'committed')).length, 2);
  });

  test('a layer that cannot be had leaves the old cache as it was', async () => {
    using v = volume();
    const one = v.layer('one');
    const cache = new VolumeCache(v.folder);
    await cache.replace(metadataOf([one]), { layers: [one] });
    const gone = { ...v.layer('two'), tar: join(v.folder, 'gone') };
    await assert.rejects(cache.replace(metadataOf([gone]), { layers: [gone] }), (error) =>
      hasCode(error, 'LIFECYCLE_CACHE_FAILED'),
    );
    assert.deepEqual(shas(await cache.metadata()), [one.diffId]);
    assert.ok(await cache.layer(one.diffId));
  });

  test('what is damaged or missing is found out, and made whole by the next build', async () => {
    using v = volume();
    const one = v.layer('one');
    const cache = new VolumeCache(v.folder);
    await cache.replace(metadataOf([one]), { layers: [one] });
    const tar = join(v.folder, 'committed', `${one.diffId}.tar`);
    for (const damaged of ['short', 'x'.repeat(one.size)]) {
      rmSync(tar);
      writeFileSync(tar, damaged);
      await assert.rejects(cache.layer(one.diffId), /its content has digest sha256:/);
      await cache.replace(metadataOf([one]), { layers: [one] });
      assert.ok(await cache.layer(one.diffId));
    }
    await assert.rejects(cache.layer(v.layer('two').diffId), /there is no such file/);
    writeFileSync(join(v.folder, 'committed', LABELS.cacheMetadata), '{"buildpacks": [');
    assert.deepEqual(shas(await cache.metadata()), []);
    assert.throws(
      () => new VolumeCache(join(v.folder, 'none')),
      (error: unknown) => hasCode(error, 'LIFECYCLE_CACHE_FAILED'),
    );
  });
});
