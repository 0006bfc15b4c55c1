import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { parseDigest, type Digest } from '../../../blob/index.ts';
import type { ImageConfig, RunConfig } from '../../../image/index.ts';
import { LABELS } from '../model/index.ts';
import type { BuildMetadata, BuiltBuildpack, LayerPlan, Process } from '../model/types.ts';
import { appConfig, type AppConfigInput } from './app-config.ts';
import { exportLog } from './export-log.ts';

const digest = (n: number): Digest => parseDigest(`sha256:${String(n).padStart(64, '0')}`);
const plan = (key: string, createdBy = `made ${key}`): LayerPlan => ({
  key,
  createdBy,
  content: [],
  dialect: 'lifecycle',
});

const PLANS = ['a/one:deps', 'a/one:tools', 'sbom', 'app:0', 'app:1', 'launcher', 'config', 'process-types'].map(
  (key) => plan(key),
);
const DIGESTS = new Map(PLANS.map(({ key }, at) => [key, digest(10 + at)]));

const process = (type: string): Process => ({
  type,
  command: ['node'],
  args: ['main.js'],
  direct: true,
  isDefault: true,
  workingDir: '/w',
  buildpackId: 'a/one',
  execEnv: [],
});

const ONE: BuiltBuildpack = {
  element: { kind: 'buildpack', id: 'a/one', version: '1.2.3', api: '0.12' },
  layers: [
    {
      name: 'deps',
      hasFolder: true,
      toml: { launch: true, build: false, cache: true, metadata: { z: 1, a: 'x' }, execEnv: [] },
    },
    { name: 'tools', hasFolder: true, toml: { launch: true, build: true, cache: false, metadata: {}, execEnv: [] } },
    {
      name: 'only-build',
      hasFolder: true,
      toml: { launch: false, build: true, cache: true, metadata: {}, execEnv: [] },
    },
  ],
  launch: { labels: [], processes: [], slices: [] },
  unmet: [],
  store: { kept: true },
};

const metadata = (more: Partial<BuildMetadata> = {}): BuildMetadata => ({
  buildpacks: [{ ...ONE.element, homepage: 'https://one.example' }],
  extensions: [],
  processes: [process('web')],
  slices: [],
  labels: [],
  defaultProcess: 'web',
  ...more,
});

const RUN: ImageConfig & Record<string, unknown> = {
  architecture: 'arm64',
  os: 'linux',
  variant: 'v8',
  author: 'somebody',
  created: '2024-01-01T00:00:00Z',
  container: 'abc',
  docker_version: '20',
  config: {
    User: '1000:1000',
    Env: ['PATH=/bin', 'A=b', 'CNB_APP_DIR=/old'],
    Cmd: ['sh'],
    Entrypoint: ['old'],
    WorkingDir: '/old',
    Labels: { 'io.buildpacks.base.id': 'base', own: 'kept' },
  },
  rootfs: { type: 'layers', diff_ids: [digest(1), digest(2)] },
  history: [
    { created: '2020-01-01T00:00:00Z', created_by: 'first' },
    { created: '2020-01-01T00:00:00Z', created_by: 'ENV', empty_layer: true },
    { created: '2020-01-01T00:00:00Z', created_by: 'second', comment: 'c' },
  ],
};

const input = (more: Partial<AppConfigInput> = {}): AppConfigInput => ({
  platformApi: '0.15',
  appDir: '/workspace',
  layersDir: '/layers',
  uid: 1000,
  gid: 1000,
  buildpacks: [ONE],
  metadata: metadata(),
  plans: PLANS,
  runImage: {
    config: RUN,
    diffIds: [digest(1), digest(2)],
    reference: 'reg.example/run@sha256:12',
    image: 'reg.example/run:1',
    mirrors: ['mirror.example/run:1'],
  },
  launcher: { version: '1.0.0', repository: 'r', commit: 'c' },
  ...more,
});

const run = (more: Partial<AppConfigInput> = {}): RunConfig => appConfig(input(more), DIGESTS).config!;
const label = (key: string, more: Partial<AppConfigInput> = {}): string | undefined => run(more).Labels?.[key];

suite('the config of an app image', () => {
  test("is the run image's but for what the launcher needs", () => {
    const config = appConfig(input(), DIGESTS);
    const { Labels, ...rest } = config.config!;
    assert.deepEqual(rest, {
      User: '1000:1000',
      Env: [
        'PATH=/cnb/process:/cnb/lifecycle:/bin',
        'A=b',
        'CNB_APP_DIR=/workspace',
        'CNB_LAYERS_DIR=/layers',
        'CNB_PLATFORM_API=0.15',
        'CNB_DEPRECATION_MODE=quiet',
      ],
      WorkingDir: '/workspace',
      Entrypoint: ['/cnb/process/web'],
    });
    assert.equal(Labels?.['own'], 'kept');
    const { config: _run, rootfs, history: _history, ...top } = config;
    assert.deepEqual(top, {
      architecture: 'arm64',
      os: 'linux',
      variant: 'v8',
      author: 'somebody',
      created: '1980-01-01T00:00:01Z',
    });
    assert.deepEqual(rootfs.diff_ids, [digest(1), digest(2), ...DIGESTS.values()]);
  });

  test('has no PATH of the run image where that has none', () => {
    const config = { ...RUN, config: {} };
    assert.deepEqual(
      run({ runImage: { ...input().runImage, config } }).Env?.at(-1),
      'PATH=/cnb/process:/cnb/lifecycle',
    );
  });

  test('is of the time that is asked for, since Platform API 0.9', () => {
    const created = (platformApi: string) => appConfig(input({ platformApi, epoch: 86_400 }), DIGESTS).created;
    assert.equal(created('0.9'), '1970-01-02T00:00:00Z');
    assert.equal(created('0.8'), '1980-01-01T00:00:01Z');
  });

  test('has the entry point that was asked for, that of the buildpacks, or the launcher', () => {
    const both = metadata({ processes: [process('web'), process('worker')] });
    assert.deepEqual(run({ metadata: both, processType: 'worker' }).Entrypoint, ['/cnb/process/worker']);
    assert.deepEqual(run({ metadata: both }).Entrypoint, ['/cnb/process/web']);
    const none = metadata({ defaultProcess: undefined });
    assert.deepEqual(run({ metadata: none }).Entrypoint, ['/cnb/lifecycle/launcher']);
    assert.throws(() => run({ processType: 'none' }), {
      code: 'CNB_EXPORT_FAILED',
      message: /tried to set none to default but it doesn't exist/,
      remedy: 'Choose one of "web".',
    });
  });
});

suite('its history', () => {
  const history = (more: Partial<AppConfigInput> = {}) => appConfig(input(more), DIGESTS).history;
  const at = { created: '1980-01-01T00:00:01Z' };

  test('has one entry for each layer, all of one time', () => {
    assert.deepEqual(history(), [
      { created_by: 'first', ...at },
      { created_by: 'second', comment: 'c', ...at },
      ...PLANS.map(({ createdBy }) => ({ created_by: createdBy, ...at })),
    ]);
  });

  test('has those of extensions below those of buildpacks', () => {
    const extensions = [{ diffId: digest(5), createdBy: 'by an extension' }];
    const config = appConfig(input({ extensions }), DIGESTS);
    assert.deepEqual(config.history?.[2], { created_by: 'by an extension', ...at });
    assert.equal(config.rootfs.diff_ids[2], digest(5));
    assert.match(config.config?.Labels?.[LABELS.lifecycleMetadata] ?? '', new RegExp(`"topLayer":"${digest(2)}"`));
  });

  test('says nothing of a base whose own does not fit its layers', () => {
    const runImage = { ...input().runImage, config: { ...RUN, history: [{ created_by: 'only' }] } };
    assert.deepEqual(history({ runImage })?.slice(0, 3), [at, at, { created_by: PLANS[0]?.createdBy, ...at }]);
  });

  test('is blank before Platform API 0.12', () => {
    const blank = history({ platformApi: '0.11' });
    assert.equal(blank?.length, 10);
    assert.deepEqual(
      new Set(blank?.map((entry) => JSON.stringify(entry))),
      new Set(['{"created":"0001-01-01T00:00:00Z"}']),
    );
  });
});

suite('its labels', () => {
  test('say what it is made of, members in the order of the lifecycle', () => {
    const sha = (n: number) => `{"sha":"${digest(n)}"}`;
    const layer = (n: number, rest: string) => `{"sha":"${digest(n)}",${rest}}`;
    assert.equal(
      label(LABELS.lifecycleMetadata, { platformApi: '0.14' }),
      `{"app":[${sha(13)},${sha(14)}],"sbom":${sha(12)},"buildpacks":[{"key":"a/one","version":"1.2.3","layers":{` +
        `"deps":${layer(10, '"data":{"a":"x","z":1},"build":false,"launch":true,"cache":true')},` +
        `"tools":${layer(11, '"data":null,"build":true,"launch":true,"cache":false')}},"store":{"metadata":{"kept":true}}}],` +
        `"config":${sha(16)},"launcher":${sha(15)},"process-types":${sha(17)},` +
        `"runImage":{"topLayer":"${digest(2)}","reference":"reg.example/run@sha256:12","image":"reg.example/run:1","mirrors":["mirror.example/run:1"]},` +
        `"stack":{"runImage":{"image":"reg.example/run:1","mirrors":["mirror.example/run:1"]}}}`,
    );
  });

  test('name the run image in "stack" only before Platform API 0.12', () => {
    const text = label(LABELS.lifecycleMetadata, { platformApi: '0.11' }) ?? '';
    assert.match(text, /"runImage":\{"topLayer":"[^"]*","reference":"[^"]*"\},"stack":\{"runImage":\{"image"/);
  });

  test('say what was built', () => {
    assert.deepEqual(JSON.parse(label(LABELS.buildMetadata) ?? ''), {
      buildpacks: [{ id: 'a/one', version: '1.2.3', homepage: 'https://one.example', api: '0.12' }],
      launcher: { version: '1.0.0', source: { git: { repository: 'r', commit: 'c' } } },
      processes: [
        { type: 'web', command: ['node'], args: ['main.js'], direct: true, buildpackID: 'a/one', 'working-dir': '/w' },
      ],
      'buildpack-default-process-type': 'web',
    });
    assert.equal(label(LABELS.projectMetadata), '{}');
    assert.equal(
      label(LABELS.projectMetadata, { project: { source: { type: 'git', version: { commit: 'abc' } } } }),
      '{"source":{"type":"git","version":{"commit":"abc"}}}',
    );
  });

  test('of buildpacks stand beside them, the last of a key', () => {
    const labels = [
      { key: 'own', value: 'first' },
      { key: 'own', value: 'last' },
    ];
    assert.equal(label('own', { metadata: metadata({ labels }) }), 'last');
    assert.equal(label('io.buildpacks.base.id'), 'base');
  });

  test('say the execution environment since Platform API 0.15', () => {
    assert.equal(label(LABELS.execEnv, { execEnv: 'test' }), 'test');
    assert.match(label(LABELS.lifecycleMetadata, { execEnv: 'test' }) ?? '', /"exec-env":"test"/);
    assert.equal(label(LABELS.execEnv, { execEnv: 'test', platformApi: '0.14' }), undefined);
    assert.doesNotMatch(label(LABELS.lifecycleMetadata, { execEnv: 'test', platformApi: '0.14' }) ?? '', /exec-env/);
  });
});

test('what is said of an export is what the lifecycle says', () => {
  const previous = {
    app: [{ sha: digest(14) }],
    sbom: { sha: digest(12) },
    buildpacks: [
      {
        key: 'a/one',
        version: '1',
        layers: { deps: { sha: digest(10), build: false, launch: true, cache: true } },
      },
    ],
    config: { sha: digest(99) },
    launcher: { sha: digest(15) },
    processTypes: { sha: '' },
    runImage: { topLayer: '', reference: '' },
  };
  assert.deepEqual(exportLog({ ...input(), previous }, DIGESTS), [
    "Reusing layer 'a/one:deps'",
    "Adding layer 'a/one:tools'",
    "Reusing layer 'buildpacksio/lifecycle:launch.sbom'",
    'Reused 1/2 app layer(s)',
    'Added 1/2 app layer(s)',
    "Reusing layer 'buildpacksio/lifecycle:launcher'",
    "Adding layer 'buildpacksio/lifecycle:config'",
    "Adding layer 'buildpacksio/lifecycle:process-types'",
    `Adding label '${LABELS.lifecycleMetadata}'`,
    `Adding label '${LABELS.buildMetadata}'`,
    `Adding label '${LABELS.projectMetadata}'`,
    "Setting default process type 'web'",
  ]);
});
