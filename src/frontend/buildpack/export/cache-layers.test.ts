import assert from 'node:assert/strict';
import { after, suite, test } from 'node:test';
import { parseDigest } from '../../../blob/index.ts';
import { LABELS } from '../model/index.ts';
import type { BuiltBuildpack, LayerToml } from '../model/types.ts';
import { cacheConfig, cacheMetadata, EMPTY_CACHE_LAYER, planCacheLayers } from './cache-layers.ts';
import { cacheLog } from './export-log.ts';
import { planLayers, type Built } from './plan-layers.ts';
import { memoryFiles, PlanWriter } from './plan-tree.suite.ts';

const writer = new PlanWriter();
after(() => writer[Symbol.dispose]());

const toml = (more: Partial<LayerToml>): LayerToml => ({
  launch: false,
  build: false,
  cache: true,
  metadata: {},
  execEnv: [],
  ...more,
});

const ONE: BuiltBuildpack = {
  element: { kind: 'buildpack', id: 'a/one', version: '1.2.3', api: '0.12' },
  layers: [
    { name: 'b', hasFolder: true, toml: toml({ launch: true, metadata: { k: 'v' } }) },
    { name: 'a', hasFolder: true, toml: toml({ build: true }) },
    { name: 'gone', hasFolder: false, toml: toml({}) },
    { name: 'launched', hasFolder: true, toml: toml({ cache: false, launch: true }) },
  ],
  launch: { labels: [], processes: [], slices: [] },
  unmet: [],
  store: { kept: true },
};
const TWO: BuiltBuildpack = { ...ONE, element: { ...ONE.element, id: 'two' }, layers: [], store: undefined };
const BUILT: Built = {
  platformApi: '0.15',
  appDir: '/workspace',
  layersDir: '/layers',
  uid: 5,
  gid: 6,
  buildpacks: [ONE, TWO],
};
const TREE = {
  'layers/a_one/a/f': 'a',
  'layers/a_one/b/f': 'b',
  'layers/a_one/launched/f': 'l',
  'layers/sbom/cache/a_one/sbom.cdx.json': '{}',
  'layers/config/': '',
  'workspace/': '',
};
const digest = (n: number) => parseDigest(`sha256:${String(n).padStart(64, '0')}`);

suite('the build cache', () => {
  test('has the layers to be cached, by name, then their SBOM; what has no contents is said', async () => {
    const { files } = await memoryFiles(TREE);
    const { layers, warnings } = await planCacheLayers(BUILT, { files });
    assert.deepEqual(
      layers.map(({ key }) => key),
      ['a/one:a', 'a/one:b', 'sbom'],
    );
    assert.deepEqual(warnings, ["Failed to cache layer 'a/one:gone' because it has no contents"]);
    const old = await planCacheLayers({ ...BUILT, platformApi: '0.7' }, { files });
    assert.deepEqual(
      old.layers.map(({ key }) => key),
      ['a/one:a', 'a/one:b'],
    );
  });

  test('has a launch layer by the digest it has in the app image', async () => {
    const { files, view } = await memoryFiles(TREE);
    const buildpacks = [{ ...ONE, layers: ONE.layers.filter(({ hasFolder }) => hasFolder) }];
    const cached = await planCacheLayers({ ...BUILT, buildpacks }, { files });
    const metadata = { buildpacks: [], extensions: [], processes: [], slices: [], labels: [] };
    const launched = await planLayers({ ...BUILT, buildpacks, metadata }, { files });
    const idOf = async (plans: readonly (typeof launched)[number][]) =>
      writer.diffId(
        plans.find(({ key }) => key === 'a/one:b')!,
        { view },
      );
    assert.equal(await idOf(cached.layers), await idOf(launched));
  });

  test('says what it holds, members in the order of the lifecycle', async () => {
    const { files } = await memoryFiles(TREE);
    const { layers } = await planCacheLayers(BUILT, { files });
    const digests = new Map(layers.map(({ key }, at) => [key, digest(at + 1)]));
    const metadata = cacheMetadata(BUILT, { layers, digests });
    const config = cacheConfig(metadata, {
      platform: { os: 'linux', architecture: 'arm64', variant: 'v8' },
      diffIds: [...digests.values()],
    });
    const layer = (n: number, rest: string) => `{"sha":"${digest(n)}",${rest}}`;
    assert.equal(
      config.config?.Labels?.[LABELS.cacheMetadata],
      `{"sbom":{"sha":"${digest(3)}"},"buildpacks":[{"key":"a/one","version":"1.2.3","layers":{` +
        `"a":${layer(1, '"data":null,"build":true,"launch":false,"cache":true')},` +
        `"b":${layer(2, '"data":{"k":"v"},"build":false,"launch":true,"cache":true')}}},` +
        `{"key":"two","version":"1.2.3","layers":{}}]}`,
    );
    assert.deepEqual(
      [config.os, config.architecture, config.variant, config.rootfs.diff_ids.length, config.history?.length],
      ['linux', 'arm64', 'v8', 3, 3],
    );
    assert.deepEqual(cacheLog(layers, { digests, previous: { ...metadata, sbom: undefined } }), [
      "Reusing cache layer 'a/one:a'",
      "Reusing cache layer 'a/one:b'",
      "Adding cache layer 'buildpacksio/lifecycle:cache.sbom'",
    ]);
  });

  test('that holds nothing is an image with the empty layer', async () => {
    const { view, files } = await memoryFiles({});
    assert.deepEqual(await planCacheLayers({ ...BUILT, buildpacks: [] }, { files }), { layers: [], warnings: [] });
    assert.equal(
      await writer.diffId(EMPTY_CACHE_LAYER, { view }),
      'sha256:5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef',
    );
  });
});
