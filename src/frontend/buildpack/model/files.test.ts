import assert from 'node:assert/strict';
import { test } from 'node:test';
import { encodeAnalyzed, parseAnalyzed, type Analyzed } from './analyzed.ts';
import { parseBuildToml, parseLaunchToml, parseStoreToml } from './launch.ts';
import { encodeLayerToml, encodeStoreToml, parseLayerToml } from './layer.ts';
import { encodeBuildpackPlan, encodePlan, parseBuildpackPlan, parseDetectPlan, parsePlan } from './plan.ts';
import { encodeProjectMetadata, parseProjectMetadata } from './project-metadata.ts';
import { encodeReport, parseReport } from './report.ts';
import { encodeRunToml, encodeStackToml, parseRunToml, parseStackToml } from './run-images.ts';
import type { GroupElement } from './types.ts';
import { refuses } from './refuses.suite.ts';

const element = (api: string): GroupElement => ({ kind: 'buildpack', id: 'a/b', version: '1.0.0', api });

test('plan.toml and the plan of a buildpack', () => {
  const text = `[[entries]]

  [[entries.providers]]
    id = "a"
    version = "1.0.0"

  [[entries.providers]]
    id = "x"
    version = "1.0.0"
    extension = true

  [[entries.requires]]
    name = "node"
    [entries.requires.metadata]
      a = 1
      version = "22"
`;
  const plan = parsePlan(text, 'f');
  assert.deepEqual(
    plan[0]?.providers.map(({ kind }) => kind),
    ['buildpack', 'extension'],
  );
  assert.equal(encodePlan(plan), text);
  assert.equal(encodePlan([]), 'entries = []\n');
  const own = '[[entries]]\n  name = "node"\n  [entries.metadata]\n    version = "22"\n';
  assert.deepEqual(parseBuildpackPlan(own, 'f'), [{ name: 'node', metadata: { version: '22' } }]);
  assert.equal(encodeBuildpackPlan(parseBuildpackPlan(own, 'f')), own);
  assert.equal(encodeBuildpackPlan([]), '');
});

test('the plan of bin/detect: the main one and the alternatives; no top-level version; an extension requires nothing', () => {
  const text =
    '[[provides]]\nname = "a"\n[[requires]]\nname = "a"\n[requires.metadata]\nv = 1\n[[or]]\n[[or.requires]]\nname = "b"\n';
  const module = { kind: 'buildpack', id: 'x', version: '1' } as const;
  assert.deepEqual(parseDetectPlan(text, { module, file: 'f' }), [
    { provides: ['a'], requires: [{ name: 'a', metadata: { v: 1 } }] },
    { provides: [], requires: [{ name: 'b', metadata: {} }] },
  ]);
  assert.deepEqual(parseDetectPlan('', { module, file: 'f' }), [{ provides: [], requires: [] }]);
  refuses(() => parseDetectPlan('[[requires]]\nname = "a"\nversion = "1"\n', { module, file: 'f' }), 3, 'version');
  refuses(
    () => parseDetectPlan('[[or]]\n[[or.requires]]\nname = "a"\nversion = "1"\n', { module, file: 'f' }),
    4,
    'version',
  );
  refuses(() => parseDetectPlan(text, { module: { ...module, kind: 'extension' }, file: 'f' }), 4, 'may only provide');
});

test('run.toml and stack.toml', () => {
  const text = '[[images]]\n  image = "r/run:1"\n  mirrors = ["m/run:1"]\n\n[[images]]\n  image = "r/other"\n';
  assert.deepEqual(parseRunToml(text, 'f'), [
    { image: 'r/run:1', mirrors: ['m/run:1'] },
    { image: 'r/other', mirrors: [] },
  ]);
  assert.equal(encodeRunToml(parseRunToml(text, 'f')), text);
  refuses(() => parseRunToml('[[images]]\nmirrors = ["a"]\n', 'f'), 2, 'without an "image"');
  const stack = '[run-image]\n  image = "r/run"\n  mirrors = ["m"]\n';
  assert.equal(encodeStackToml(parseStackToml(stack, 'f')!), stack);
  assert.equal(parseStackToml('', 'f'), undefined);
});

test('launch.toml: the newer shape', () => {
  const text = `[[labels]]
key = "k"
value = "v"
[[processes]]
type = "web"
command = ["node", "app.js"]
args = ["--x"]
default = true
working-dir = "/w"
exec-env = ["test"]
[[processes]]
type = "job"
command = ["true"]
[[slices]]
paths = ["a/*", "b"]
`;
  const launch = parseLaunchToml(text, { buildpack: element('0.12'), file: 'f' });
  assert.deepEqual(launch.labels, [{ key: 'k', value: 'v' }]);
  assert.deepEqual(launch.processes[0], {
    type: 'web',
    command: ['node', 'app.js'],
    args: ['--x'],
    direct: true,
    isDefault: true,
    workingDir: '/w',
    buildpackId: 'a/b',
    execEnv: ['test'],
  });
  assert.deepEqual(launch.slices, [{ paths: ['a/*', 'b'] }]);
});

test('launch.toml: before Buildpack API 0.9 a command is one text, and a shell runs it unless it is direct', () => {
  const text =
    '[[processes]]\ntype = "web"\ncommand = "a b"\n[[processes]]\ntype = "job"\ncommand = "c"\ndirect = true\n';
  const { processes } = parseLaunchToml(text, { buildpack: element('0.8'), file: 'f' });
  assert.deepEqual(
    processes.map(({ command, direct }) => [command, direct]),
    [
      [['a b'], false],
      [['c'], true],
    ],
  );
});

test('launch.toml: what may not be is refused, with its place', () => {
  const of =
    (text: string, api = '0.9') =>
    () =>
      parseLaunchToml(text, { buildpack: element(api), file: 'launch.toml' });
  refuses(of('[[processes]]\ntype = "a"\ncommand = ["x"]\ndirect = true\n'), 4, 'not supported');
  refuses(of('[[processes]]\ntype = "a/b"\ncommand = ["x"]\n'), 2, '"a/b"');
  refuses(of('[[processes]]\ntype = ".."\ncommand = ["x"]\n'), 2, '".."');
  refuses(of('[[processes]]\ntype = "a"\n'), 1, 'command" is missing');
  refuses(of('[[processes]]\ntype = "a"\ncommand = "x"\n'), 3, 'not a list');
  refuses(of('[[processes]]\ntype = "a"\ncommand = []\n'), 3, 'is empty');
  refuses(of('[[processes]]\ntype = "a"\ncommand = ["x"]\n', '0.8'), 3, 'not a text');
  refuses(
    of(
      '[[processes]]\ntype = "a"\ncommand = ["x"]\ndefault = true\n[[processes]]\ntype = "b"\ncommand = ["x"]\ndefault = true\n',
    ),
    8,
    'second process',
  );
  refuses(of('[[bom]]\nname = "a"\nversion = "1"\n'), 3, 'not supported');
});

test('build.toml and store.toml', () => {
  assert.deepEqual(parseBuildToml('[[unmet]]\nname = "a"\n', 'f'), { unmet: ['a'], bom: undefined });
  refuses(() => parseBuildToml('[[unmet]]\nname = ""\n', 'f'), 2, 'is empty');
  assert.deepEqual(parseStoreToml('[metadata]\na = [1]\n', 'f'), { a: [1] });
  assert.equal(
    encodeStoreToml({ b: 1, a: { y: 1, x: 2 } }),
    '[metadata]\n  b = 1\n  [metadata.a]\n    x = 2\n    y = 1\n',
  );
});

test('<layer>.toml: types in their table, before API 0.6 at the top', () => {
  const text = '[types]\nlaunch = true\ncache = true\n[metadata]\nsha = "1"\nexec-env = ["test"]\n';
  assert.deepEqual(parseLayerToml(text, { api: '0.10', file: 'f' }), {
    launch: true,
    build: false,
    cache: true,
    metadata: { sha: '1', 'exec-env': ['test'] },
    execEnv: ['test'],
  });
  refuses(() => parseLayerToml('build = true\n', { api: '0.7', file: 'f' }), 1, 'at the top');
  assert.equal(parseLayerToml('build = true\n', { api: '0.5', file: 'f' }).build, true);
  refuses(() => parseLayerToml('[types]\nbuild = 1\n', { api: '0.7', file: 'f' }), 2, 'not true or false');
  assert.equal(encodeLayerToml({ b: 1, a: 'x' }), '[metadata]\n  a = "x"\n  b = 1\n');
  assert.equal(encodeLayerToml(undefined), '');
});

test('analyzed.toml: both names of the variant are read and written, and both of a layer’s data', () => {
  const analyzed: Analyzed = {
    previousImage: 'r/app@sha256:1',
    buildImage: undefined,
    metadata: {
      app: [{ sha: 's1' }],
      sbom: { sha: 's2' },
      buildpacks: [
        {
          key: 'a/b',
          version: '1.0.0',
          layers: { l: { sha: 's3', data: { v: 'x' }, build: false, launch: true, cache: true } },
          store: { metadata: { k: 1 } },
        },
      ],
      config: { sha: 's4' },
      execEnv: undefined,
      launcher: { sha: 's5' },
      processTypes: { sha: 's6' },
      runImage: { topLayer: 't', reference: 'r', image: 'r/run', mirrors: ['m'] },
      stack: { runImage: { image: 'r/run', mirrors: ['m'] } },
    },
    runImage: {
      reference: 'r/run@sha256:2',
      image: 'r/run',
      extend: true,
      target: { id: 'i', os: 'linux', arch: 'arm', variant: 'v7', distro: { name: 'debian', version: '12' } },
    },
  };
  const text = encodeAnalyzed(analyzed);
  assert.deepEqual(parseAnalyzed(text, 'f'), analyzed);
  assert.ok(text.includes('    variant = "v7"\n    arch-variant = "v7"\n'));
  assert.ok(text.includes('        [metadata.buildpacks.layers.l.metadata]\n'));
  assert.deepEqual(parseAnalyzed(text.replace('    variant = "v7"\n', ''), 'f'), analyzed);
  assert.deepEqual(parseAnalyzed(text.replace('layers.l.metadata]', 'layers.l.data]'), 'f'), analyzed);
  assert.equal(parseAnalyzed('', 'f').runImage, undefined);
});

test('report.toml', () => {
  const text = '[image]\n  tags = ["a:1", "a:2"]\n  digest = "sha256:1"\n  manifest-size = 12\n';
  assert.equal(encodeReport(parseReport(text, 'f')), text);
  assert.equal(
    encodeReport({ tags: ['a'], imageId: 'sha256:2' }),
    '[image]\n  tags = ["a"]\n  image-id = "sha256:2"\n',
  );
});

test('project-metadata.toml', () => {
  const text =
    '[source]\n  type = "git"\n  [source.version]\n    commit = "1"\n  [source.metadata]\n    refs = ["main"]\n';
  assert.equal(encodeProjectMetadata(parseProjectMetadata(text, 'f')), text);
  assert.deepEqual(parseProjectMetadata('', 'f'), {});
});
