import assert from 'node:assert/strict';
import { after, suite, test } from 'node:test';
import type { MemoryFile } from '../../../tree/index.ts';
import type {
  BuildMetadata,
  BuiltBuildpack,
  BuiltLayer,
  LayerPlan,
  LifecycleMetadata,
  Process,
} from '../model/types.ts';
import { planLayers, type PlanLayersInput } from './plan-layers.ts';
import { memoryFiles, PlanWriter, type PlannedFrom } from './plan-tree.suite.ts';
import { file, folder, layerDigest } from './ustar.suite.ts';

const writer = new PlanWriter();
after(() => writer[Symbol.dispose]());

const process = (type: string): Process => ({
  type,
  command: ['run'],
  args: [],
  direct: true,
  isDefault: false,
  workingDir: '',
  buildpackId: 'a/b',
  execEnv: [],
});

const layer = (name: string, types: Partial<BuiltLayer['toml']> = {}, hasFolder = true): BuiltLayer => ({
  name,
  hasFolder,
  toml: { launch: true, build: false, cache: false, metadata: {}, execEnv: [], ...types },
});

const built = (id: string, layers: readonly BuiltLayer[]): BuiltBuildpack => ({
  element: { kind: 'buildpack', id, version: '1.2.3', api: '0.12' },
  layers,
  launch: { labels: [], processes: [], slices: [] },
  unmet: [],
});

const metadata = (more: Partial<BuildMetadata> = {}): BuildMetadata => ({
  buildpacks: [],
  extensions: [],
  processes: [],
  slices: [],
  labels: [],
  ...more,
});

const previous = (key: string, layers: Record<string, string>): LifecycleMetadata => ({
  app: [],
  buildpacks: [
    {
      key,
      version: '1.0.0',
      layers: Object.fromEntries(
        Object.entries(layers).map(([name, sha]) => [name, { sha, build: false, launch: true, cache: false }]),
      ),
    },
  ],
  config: { sha: '' },
  launcher: { sha: '' },
  processTypes: { sha: '' },
  runImage: { topLayer: '', reference: '' },
});

const input = (more: Partial<PlanLayersInput> = {}): PlanLayersInput => ({
  platformApi: '0.15',
  appDir: '/workspace',
  layersDir: '/layers',
  uid: 1234,
  gid: 1000,
  buildpacks: [],
  metadata: metadata(),
  ...more,
});

async function plan(
  record: Readonly<Record<string, MemoryFile>>,
  more: Partial<PlanLayersInput> = {},
): Promise<{ plans: LayerPlan[]; from: PlannedFrom }> {
  const from = await memoryFiles(record);
  return { plans: await planLayers(input(more), { files: from.files }), from };
}

async function diffIds(record: Readonly<Record<string, MemoryFile>>, more: Partial<PlanLayersInput> = {}) {
  const { plans, from } = await plan(record, more);
  const found: Record<string, string> = {};
  for (const one of plans) found[one.key] = await writer.diffId(one, { view: from.view, launcher: 'launcher-content' });
  return found;
}

const EMPTY = 'sha256:5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef';

suite('the layers of an app image', () => {
  test('lie in the order of the specification', async () => {
    const { plans } = await plan(
      { 'layers/sbom/launch/sbom.legacy.json': '[]', 'workspace/a': '', 'workspace/b': '' },
      {
        buildpacks: [
          built('z/two', [layer('b'), layer('a'), layer('build-only', { launch: false, build: true })]),
          built('a/one', [layer('x-y'), layer('x')]),
        ],
        metadata: metadata({ slices: [{ paths: ['a'] }], processes: [process('web')] }),
      },
    );
    assert.deepEqual(
      plans.map(({ key, createdBy }) => `${key}: ${createdBy}`),
      [
        "z/two:a: Layer: 'a', Created by buildpack: z/two@1.2.3",
        "z/two:b: Layer: 'b', Created by buildpack: z/two@1.2.3",
        "a/one:x: Layer: 'x', Created by buildpack: a/one@1.2.3",
        "a/one:x-y: Layer: 'x-y', Created by buildpack: a/one@1.2.3",
        'sbom: Software Bill-of-Materials',
        'app:0: Application Slice: 1',
        'app:1: Application Slice: 2',
        'launcher: Buildpacks Application Launcher',
        'config: Buildpacks Launcher Config',
        'process-types: Buildpacks Process Types',
      ],
    );
  });

  test('are fewer where there is no SBOM and no process, or the Platform API knows none', async () => {
    const keys = async (record: Record<string, MemoryFile>, more: Partial<PlanLayersInput>) =>
      (await plan(record, more)).plans.map(({ key }) => key);
    assert.deepEqual(await keys({}, {}), ['app:0', 'launcher', 'config']);
    const sbom = { 'layers/sbom/launch/': '' };
    assert.deepEqual(await keys(sbom, { platformApi: '0.8' }), ['sbom', 'app:0', 'launcher', 'config']);
    assert.deepEqual(await keys(sbom, { platformApi: '0.7' }), ['app:0', 'launcher', 'config']);
    assert.equal((await plan({})).plans[0]?.createdBy, 'Application Layer');
  });
});

suite('golden diffIDs', () => {
  test("of a layer folder: that of the lifecycle's own acceptance test", async () => {
    const owner = { uid: 1234, gid: 1000 };
    const { 'corrupted_buildpack:corrupted-layer': found } = await diffIds(
      {
        'layers/': owner,
        'layers/corrupted_buildpack/': owner,
        'layers/corrupted_buildpack/corrupted-layer/': {},
        'layers/corrupted_buildpack/corrupted-layer/data': 'digest-not-match-data\n',
        'workspace/': {},
        'layers/config/': {},
      },
      { buildpacks: [built('corrupted_buildpack', [layer('corrupted-layer', { cache: true })])] },
    );
    assert.equal(found, 'sha256:258dfa0cc987efebc17559694866ebc91139e7c0e574f60d1d4092f53d7dff59');
  });

  test('of the launcher, process types, configuration, SBOM and app: by the rules', async () => {
    const found = await diffIds(
      {
        'layers/': { mode: 0o777, uid: 5, gid: 6 },
        'layers/sbom/': { uid: 7 },
        'layers/sbom/launch/sbom.legacy.json': '[]',
        'workspace/': { uid: 9, mode: 0o700 },
        'workspace/a-b': 'one',
        'workspace/a/c': { content: 'two', mode: 0o4755, uid: 3 },
        'workspace/a/link': { link: '../a-b' },
      },
      {
        metadata: metadata({ processes: [process('a.b'), process('web')] }),
        metadataToml: 'processes = []\n',
      },
    );
    const link = (name: string) => ({
      name,
      type: 'link' as const,
      mode: 0o755,
      uid: 0,
      gid: 0,
      target: '/cnb/lifecycle/launcher',
    });
    assert.deepEqual(found, {
      sbom: layerDigest([
        folder('/layers', 5, 6, 0o777),
        folder('/layers/sbom', 7, 0),
        folder('/layers/sbom/launch', 1234, 1000),
        file('/layers/sbom/launch/sbom.legacy.json', '[]', 1234, 1000),
      ]),
      'app:0': layerDigest([
        folder('/workspace', 1234, 1000, 0o700),
        folder('/workspace/a', 1234, 1000),
        file('/workspace/a-b', 'one', 1234, 1000),
        file('/workspace/a/c', 'two', 1234, 1000, 0o4755),
        { ...link('/workspace/a/link'), mode: 0o777, uid: 1234, gid: 1000, target: '../a-b' },
      ]),
      launcher: layerDigest([
        folder('/cnb'),
        folder('/cnb/lifecycle'),
        file('/cnb/lifecycle/launcher', 'launcher-content', 0, 0, 0o755),
      ]),
      config: layerDigest([
        folder('/layers', 5, 6, 0o777),
        folder('/layers/config', 1234, 1000),
        file('/layers/config/metadata.toml', 'processes = []\n', 1234, 1000),
      ]),
      'process-types': layerDigest([
        folder('/cnb'),
        folder('/cnb/process'),
        link('/cnb/process/a.b'),
        link('/cnb/process/web'),
      ]),
    });
  });

  test('of slices: sorted by the whole path, each with the folders that lead there; none: the empty layer', async () => {
    const found = await diffIds(
      {
        'srv/': { uid: 7, mode: 0o711 },
        'srv/app/a/x.txt': 'x',
        'srv/app/a/y.md': 'y',
        'srv/app/a-b.txt': 'ab',
        'srv/app/c/z.txt': 'z',
        'layers/config/': '',
      },
      {
        appDir: '/srv/app',
        metadata: metadata({ slices: [{ paths: ['*/x.txt', 'a-b.txt', 'c'] }, { paths: ['a/x.txt', 'none'] }] }),
      },
    );
    const own = (name: string) => folder(name, 1234, 1000);
    assert.equal(
      found['app:0'],
      layerDigest([
        folder('/srv', 7, 0, 0o711),
        own('/srv/app'),
        own('/srv/app/a'),
        file('/srv/app/a-b.txt', 'ab', 1234, 1000),
        file('/srv/app/a/x.txt', 'x', 1234, 1000),
        own('/srv/app/c'),
        file('/srv/app/c/z.txt', 'z', 1234, 1000),
      ]),
    );
    assert.equal(found['app:1'], EMPTY);
    assert.equal(
      found['app:2'],
      layerDigest([
        folder('/srv', 7, 0, 0o711),
        own('/srv/app'),
        own('/srv/app/a'),
        file('/srv/app/a/y.md', 'y', 1234, 1000),
      ]),
    );
  });

  test('of an app whose files are all in slices: the rest is the empty layer', async () => {
    const found = await diffIds(
      { 'workspace/a/one': '1', 'workspace/a/two': '2', 'layers/config/': '' },
      { metadata: metadata({ slices: [{ paths: ['a/one'] }, { paths: ['/workspace/*/two'] }] }) },
    );
    assert.notEqual(found['app:1'], EMPTY);
    assert.equal(found['app:2'], EMPTY);
  });
});

suite('a launch layer without a folder', () => {
  const sha = `sha256:${'ab'.repeat(32)}`;
  const buildpacks = [built('a/one', [layer('deps', {}, false)])];

  test('is the one of the previous image', async () => {
    const { plans } = await plan({}, { buildpacks, previous: previous('a/one', { deps: sha }) });
    assert.deepEqual(plans[0], {
      key: 'a/one:deps',
      createdBy: "Layer: 'deps', Created by buildpack: a/one@1.2.3",
      content: [],
      dialect: 'lifecycle',
      reuse: sha,
    });
  });

  test('that no previous image has is an error', async () => {
    const failure = {
      code: 'CNB_EXPORT_FAILED',
      message: /cannot reuse it, the previous image has no metadata for layer "a\/one:deps"/,
    };
    await assert.rejects(plan({}, { buildpacks }), failure);
    await assert.rejects(plan({}, { buildpacks, previous: previous('a/one', { other: sha }) }), failure);
    await assert.rejects(plan({}, { buildpacks, previous: previous('a/two', { deps: sha }) }), failure);
  });

  test('that is to be cached is an error', async () => {
    const cached = [built('a/one', [layer('deps', { cache: true }, false)])];
    await assert.rejects(plan({}, { buildpacks: cached, previous: previous('a/one', { deps: sha }) }), {
      code: 'CNB_EXPORT_FAILED',
      message: /layer "a\/one:deps": it is cache=true but has no contents/,
    });
  });
});

test('a process type that can be no file name is an error', async () => {
  for (const type of ['', 'a/b', 'a>b', 'a|b'])
    await assert.rejects(plan({}, { metadata: metadata({ processes: [process(type)] }) }), {
      code: 'CNB_EXPORT_FAILED',
      message: new RegExp(`export process type "${type.replace('|', '\\|')}"`),
    });
});
