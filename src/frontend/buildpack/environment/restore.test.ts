import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { EMPTY_LIFECYCLE_METADATA } from '../model/lifecycle-metadata.ts';
import type { LayerMetadata } from '../model/types.ts';
import { planSbomRestore } from './restore-sbom.ts';
import { planRestore, type RestoreInput, type RestorePlan } from './restore.ts';
import { element, treeOf } from './tree.suite.ts';

type Flags = 'l' | 'b' | 'c';

/** `lc:1`: launch and cache, of sha 1. */
function layer(text: string): LayerMetadata {
  const [flags = '', sha = ''] = text.split(':');
  const has = (flag: Flags): boolean => flags.includes(flag);
  return { sha, data: { sha }, launch: has('l'), build: has('b'), cache: has('c') };
}

function restored(
  app: string | LayerMetadata | undefined,
  cache: string | LayerMetadata | undefined,
  over: Partial<RestoreInput> & { api?: string } = {},
): RestorePlan {
  const one = (given: string | LayerMetadata | undefined): RestoreInput['cache']['buildpacks'] =>
    given === undefined
      ? []
      : [{ key: 'a/b', version: '1.0.0', layers: { x: typeof given === 'string' ? layer(given) : given } }];
  return planRestore({
    group: [element('a/b', over.api)],
    app: { ...EMPTY_LIFECYCLE_METADATA, buildpacks: one(app) },
    cache: { buildpacks: one(cache) },
    platformApi: '0.15',
    execEnv: 'production',
    ...over,
  });
}

suite('what a build starts with', () => {
  // app image, cache, Platform API, what is done, where the metadata is from (its sha)
  const table: readonly [string | undefined, string | undefined, string, string, string?][] = [
    ['l:1', undefined, '0.15', 'metadata', '1'],
    ['l:1', 'l:1', '0.15', 'metadata', '1'],
    [':1', undefined, '0.15', 'nothing'],
    ['b:1', undefined, '0.15', 'nothing'],
    ['c:1', undefined, '0.15', 'nothing'],
    ['lb:1', undefined, '0.15', 'nothing'],
    ['lb:1', 'lbc:1', '0.15', 'nothing'],
    ['lc:1', undefined, '0.15', 'nothing'],
    ['lc:1', 'l:1', '0.15', 'nothing'],
    ['lc:1', 'lc:1', '0.15', 'contents', '1'],
    ['lc:1', 'lc:2', '0.15', 'remove'],
    ['lbc:1', 'lbc:1', '0.15', 'contents', '1'],
    ['lbc:1', 'lbc:2', '0.15', 'remove'],
    ['l:1', 'lc:1', '0.15', 'contents', '1'],
    ['l:1', 'lc:2', '0.15', 'remove'],
    [undefined, 'c:2', '0.15', 'contents', '2'],
    [undefined, 'bc:2', '0.15', 'contents', '2'],
    [undefined, 'bc:2', '0.7', 'contents', '2'],
    [undefined, 'l:2', '0.15', 'nothing'],
    [undefined, 'b:2', '0.15', 'nothing'],
    [undefined, 'lc:2', '0.15', 'contents', '2'],
    [undefined, 'lc:2', '0.14', 'contents', '2'],
    [undefined, 'lc:2', '0.13', 'nothing'],
    [undefined, 'lbc:2', '0.13', 'nothing'],
    ['lb:1', 'c:2', '0.15', 'contents', '2'],
    ['l:1', 'c:1', '0.15', 'contents', '1'],
    [':1', 'lc:2', '0.15', 'nothing'],
  ];
  for (const [app, cache, platformApi, action, from] of table)
    test(`image ${app ?? '-'}, cache ${cache ?? '-'}, Platform API ${platformApi}: ${action}`, () => {
      const { layers } = restored(app, cache, { platformApi });
      assert.equal(layers.length, 1);
      const [found] = layers;
      assert.equal(found?.action, action);
      if (found?.action === 'metadata' || found?.action === 'contents') assert.deepEqual(found.metadata, { sha: from });
      if (found?.action === 'contents') assert.equal(found.sha, cache?.split(':')[1]);
    });

  test('the lines of the lifecycle', () => {
    const lines = (plan: RestorePlan): string[] => plan.lines.map(({ level, text }) => `${level} ${text}`);
    assert.deepEqual(lines(restored('l:1', undefined)), ['info Restoring metadata for "a/b:x" from app image']);
    assert.deepEqual(lines(restored(undefined, 'c:1')), [
      'info Restoring metadata for "a/b:x" from cache',
      'info Restoring data for "a/b:x" from cache',
    ]);
    assert.deepEqual(lines(restored('lc:1', 'lc:2')), [
      'info Restoring metadata for "a/b:x" from app image',
      'info Removing "a/b:x", wrong sha',
      'debug Layer sha: "1", cache sha: "2"',
    ]);
    assert.deepEqual(lines(restored('b:1', undefined)), [
      'debug Not restoring metadata for "a/b:x", marked as launch=false',
    ]);
    assert.deepEqual(lines(restored(undefined, 'b:1')), [
      'debug Not restoring "a/b:x" from cache, marked as cache=false',
    ]);
  });

  test('store.toml of every buildpack of the group that had one, also without layers', () => {
    const app = {
      ...EMPTY_LIFECYCLE_METADATA,
      buildpacks: [
        { key: 'a/b', version: '9', layers: {}, store: { metadata: { k: 1 } } },
        { key: 'gone', version: '1', layers: { x: layer('l:1') }, store: { metadata: { k: 2 } } },
      ],
    };
    for (const skipLayers of [false, true]) {
      const plan = restored(undefined, undefined, { app, skipLayers });
      assert.deepEqual(
        plan.stores.map(({ buildpack, metadata }) => [buildpack.id, metadata]),
        [['a/b', { k: 1 }]],
      );
      assert.deepEqual(plan.layers, []);
    }
  });

  test('skip-layers restores no layer', () => {
    const plan = restored('lc:1', 'lc:1', { skipLayers: true });
    assert.deepEqual(plan.layers, []);
    assert.deepEqual(plan.lines, [{ level: 'info', text: 'Skipping buildpack layer analysis' }]);
  });

  test('an image of another execution environment gives no layers', () => {
    const action = (over: Partial<RestoreInput>): string | undefined =>
      restored('l:1', undefined, over).layers[0]?.action;
    assert.equal(action({ execEnv: 'test', previousExecEnv: 'test' }), 'metadata');
    assert.equal(action({ execEnv: 'test' }), undefined);
    assert.equal(action({ execEnv: 'test', previousExecEnv: 'production' }), undefined);
    assert.equal(action({ execEnv: 'test', previousExecEnv: 'production', platformApi: '0.14' }), 'metadata');
  });

  test('a layer for other execution environments is not restored', () => {
    const only = (text: string): LayerMetadata => ({ ...layer(text), data: { 'exec-env': ['test'] } });
    assert.equal(restored(only('l:1'), undefined).layers[0]?.action, 'nothing');
    assert.equal(restored(undefined, only('c:1')).layers[0]?.action, 'nothing');
    assert.equal(
      restored(only('l:1'), undefined, { execEnv: 'test', previousExecEnv: 'test' }).layers[0]?.action,
      'metadata',
    );
    assert.equal(restored(only('l:1'), undefined, { api: '0.11' }).layers[0]?.action, 'metadata');
    assert.equal(restored(only('l:1'), undefined, { platformApi: '0.14' }).layers[0]?.action, 'metadata');
  });

  test('SBOM files go beside the layers of buildpacks that have a folder, those of the image last', async () => {
    const files = await treeOf({
      'layers/a_b/x.toml': '',
      'layers/sbom/cache/a_b/x/sbom.cdx.json': '1',
      'layers/sbom/launch/a_b/x/sbom.cdx.json': '2',
      'layers/sbom/launch/a_b/y/sbom.spdx.json': '3',
      'layers/sbom/launch/a_b/sbom.cdx.json': 'not of a layer',
      'layers/sbom/launch/a_b/y/notes.txt': '4',
      'layers/sbom/launch/c/z/sbom.cdx.json': 'no folder',
      'layers/sbom/launch/d/z/sbom.cdx.json': 'not of the group',
      'layers/sbom/launch/sbom.legacy.json': 'null',
      'layers/d/x.toml': '',
    });
    assert.deepEqual(await planSbomRestore(files, { layersDir: '/layers', group: [element('a/b'), element('c')] }), [
      { from: '/layers/sbom/cache/a_b/x/sbom.cdx.json', to: '/layers/a_b/x.sbom.cdx.json' },
      { from: '/layers/sbom/launch/a_b/x/sbom.cdx.json', to: '/layers/a_b/x.sbom.cdx.json' },
      { from: '/layers/sbom/launch/a_b/y/sbom.spdx.json', to: '/layers/a_b/y.sbom.spdx.json' },
    ]);
  });
});
