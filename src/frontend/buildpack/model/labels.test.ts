import assert from 'node:assert/strict';
import { test } from 'node:test';
import { encodeLifecycleApis, lifecycleApisOf, STRAKE_APIS } from './apis.ts';
import { encodeBuildMetadataLabel, parseBuildMetadataLabel } from './build-metadata-label.ts';
import { encodeBuildMetadata, encodeLegacyBom, parseBuildMetadata } from './build-metadata.ts';
import {
  EMPTY_CACHE_METADATA,
  encodeCacheMetadata,
  encodeLifecycleMetadata,
  parseCacheMetadata,
  parseLifecycleMetadata,
} from './lifecycle-metadata.ts';
import { encodeProjectMetadataLabel, parseProjectMetadata, parseProjectMetadataLabel } from './project-metadata.ts';
import type { BuildMetadata, LifecycleMetadata } from './types.ts';

const METADATA: BuildMetadata = {
  buildpacks: [
    { kind: 'buildpack', id: 'a/b', version: '1.0.0', api: '0.10', homepage: 'https://x.example/?a&b' },
    { kind: 'buildpack', id: 'c', version: '2.0.0', api: '0.8', homepage: undefined },
  ],
  extensions: [],
  processes: [
    {
      type: 'web',
      command: ['sh', '-c', 'a && b <c'],
      args: ['x "y"'],
      direct: true,
      isDefault: false,
      workingDir: '/w',
      buildpackId: 'a/b',
      execEnv: ['test'],
    },
    {
      type: 'worker',
      command: ['run'],
      args: [],
      direct: false,
      isDefault: false,
      workingDir: '',
      buildpackId: 'c',
      execEnv: [],
    },
  ],
  slices: [{ paths: ['a', 'b/*'] }],
  labels: [{ key: 'k', value: 'v' }],
  defaultProcess: 'web',
};

// Worked out by hand from BurntSushi/toml's rules and the lifecycle's struct tags (platform/files/metadata.go, launch/launch.go): the members of a struct that are no tables come first; a command is
// written by encoding/json, so that it has \u0026.
const TOML_0_10 = `buildpack-default-process-type = "web"

[[buildpacks]]
  id = "a/b"
  version = "1.0.0"
  api = "0.10"
  homepage = "https://x.example/?a&b"

[[buildpacks]]
  id = "c"
  version = "2.0.0"
  api = "0.8"

[[labels]]
  key = "k"
  value = "v"

[[processes]]
  type = "web"
  command = ["sh", "-c", "a \\u0026\\u0026 b \\u003cc"]
  args = ["x \\"y\\""]
  direct = true
  buildpack-id = "a/b"
  working-dir = "/w"
  exec-env = ["test"]

[[processes]]
  type = "worker"
  command = ["run"]
  direct = false
  buildpack-id = "c"

[[slices]]
  paths = ["a", "b/*"]
`;

test('metadata.toml is what the lifecycle writes', () => {
  assert.equal(encodeBuildMetadata(METADATA, '0.15'), TOML_0_10);
  assert.deepEqual(parseBuildMetadata(TOML_0_10, 'f'), { ...METADATA, bom: undefined });
  assert.equal(
    encodeBuildMetadata(
      { ...METADATA, buildpacks: [], processes: [], slices: [], labels: [], defaultProcess: undefined },
      '0.12',
    ),
    'buildpacks = []\nprocesses = []\n',
  );
});

test('metadata.toml may leave out a version and an API, as group.toml may not', () => {
  const [found] = parseBuildMetadata('[[buildpacks]]\nid = "a"\n', 'f').buildpacks;
  assert.deepEqual([found?.version, found?.api], ['', '']);
});

test('metadata.toml before Platform API 0.10: one text of command, the rest of it before the arguments', () => {
  const text = encodeBuildMetadata(METADATA, '0.9');
  assert.ok(text.includes('  command = "sh"\n  args = ["-c", "a && b <c", "x \\"y\\""]\n'), text);
  assert.deepEqual(parseBuildMetadata(text, 'f').processes[1]?.command, ['run']);
});

test('io.buildpacks.build.metadata', () => {
  const launcher = { version: '1', repository: 'r', commit: 'c' };
  assert.equal(
    encodeBuildMetadataLabel(METADATA, { api: '0.12', launcher }),
    '{"buildpacks":[{"id":"a/b","version":"1.0.0","homepage":"https://x.example/?a\\u0026b","api":"0.10"},{"id":"c","version":"2.0.0","api":"0.8"}],' +
      '"launcher":{"version":"1","source":{"git":{"repository":"r","commit":"c"}}},' +
      '"processes":[{"type":"web","command":["sh","-c","a \\u0026\\u0026 b \\u003cc"],"args":["x \\"y\\""],"direct":true,"buildpackID":"a/b","working-dir":"/w","exec-env":["test"]},' +
      '{"type":"worker","command":["run"],"args":null,"direct":false,"buildpackID":"c"}],"buildpack-default-process-type":"web"}',
  );
  const old = encodeBuildMetadataLabel({ ...METADATA, processes: [] }, { api: '0.8', launcher });
  assert.ok(old.startsWith('{"bom":null,"buildpacks":['), old);
  const bom = [{ name: 'n', metadata: { v: '1' }, buildpack: { id: 'a/b', version: '1.0.0' } }];
  assert.ok(
    encodeBuildMetadataLabel({ ...METADATA, bom }, { api: '0.7', launcher }).startsWith(
      '{"bom":[{"name":"n","metadata":{"v":"1"},"buildpack":{"id":"a/b","version":"1.0.0"}}],',
    ),
  );
  assert.equal(encodeLegacyBom([]), 'null\n');
  assert.equal(
    encodeLegacyBom(bom),
    '[{"name":"n","metadata":{"v":"1"},"buildpack":{"id":"a/b","version":"1.0.0"}}]\n',
  );
});

const LIFECYCLE: LifecycleMetadata = {
  app: [{ sha: 'sha256:1' }, { sha: 'sha256:2' }],
  sbom: { sha: 'sha256:3' },
  buildpacks: [
    {
      key: 'a/b',
      version: '1.0.0',
      layers: {
        z: { sha: 'sha256:4', data: { url: 'a&b', n: 1 }, build: false, launch: true, cache: true },
        a: { sha: 'sha256:5', data: undefined, build: true, launch: true, cache: false },
      },
      store: { metadata: { k: 'v' } },
    },
    { key: 'c', version: '2.0.0', layers: {}, store: undefined },
  ],
  config: { sha: 'sha256:6' },
  execEnv: undefined,
  launcher: { sha: 'sha256:7' },
  processTypes: { sha: 'sha256:8' },
  runImage: { topLayer: 'sha256:9', reference: 'r@sha256:10', image: 'r', mirrors: ['m'] },
  stack: { runImage: { image: 'r', mirrors: ['m'] } },
};

test('io.buildpacks.lifecycle.metadata', () => {
  const text =
    '{"app":[{"sha":"sha256:1"},{"sha":"sha256:2"}],"sbom":{"sha":"sha256:3"},"buildpacks":[{"key":"a/b","version":"1.0.0","layers":{' +
    '"a":{"sha":"sha256:5","data":null,"build":true,"launch":true,"cache":false},' +
    '"z":{"sha":"sha256:4","data":{"n":1,"url":"a\\u0026b"},"build":false,"launch":true,"cache":true}},"store":{"metadata":{"k":"v"}}},' +
    '{"key":"c","version":"2.0.0","layers":{}}],"config":{"sha":"sha256:6"},"launcher":{"sha":"sha256:7"},"process-types":{"sha":"sha256:8"},' +
    '"runImage":{"topLayer":"sha256:9","reference":"r@sha256:10","image":"r","mirrors":["m"]},"stack":{"runImage":{"image":"r","mirrors":["m"]}}}';
  assert.equal(encodeLifecycleMetadata(LIFECYCLE), text);
  assert.deepEqual(parseLifecycleMetadata(text), LIFECYCLE);
  assert.ok(encodeLifecycleMetadata({ ...LIFECYCLE, execEnv: 'test' }).includes('"exec-env":"test"'));
});

test('a label that is none is not read, one of an old lifecycle as far as it goes', () => {
  assert.equal(parseLifecycleMetadata('{'), undefined);
  assert.equal(parseLifecycleMetadata('[]'), undefined);
  const old = parseLifecycleMetadata('{"app":{"sha":"x"},"buildpacks":null,"runImage":{"topLayer":"t"}}');
  assert.deepEqual(old?.app, []);
  assert.equal(old?.runImage.topLayer, 't');
});

test('io.buildpacks.lifecycle.cache.metadata', () => {
  const text =
    '{"sbom":{"sha":""},"buildpacks":[{"key":"a","version":"1","layers":{"l":{"sha":"s","data":null,"build":false,"launch":false,"cache":true}}}]}';
  assert.equal(encodeCacheMetadata(parseCacheMetadata(text)), text);
  assert.deepEqual(parseCacheMetadata('not json'), EMPTY_CACHE_METADATA);
});

test('io.buildpacks.project.metadata, dates as Go writes them', () => {
  assert.equal(encodeProjectMetadataLabel({}), '{}');
  assert.equal(
    encodeProjectMetadataLabel(
      parseProjectMetadata(
        '[source]\ntype = "git"\n[source.version]\ncommit = "<1>"\nat = 2024-05-06T07:08:09Z\nday = 2024-05-06\n[source.metadata]\n',
        'f',
      ),
    ),
    '{"source":{"type":"git","version":{"at":"2024-05-06T07:08:09Z","commit":"\\u003c1\\u003e","day":"2024-05-06"}}}',
  );
});

test('io.buildpacks.lifecycle.apis', () => {
  assert.equal(
    encodeLifecycleApis(STRAKE_APIS),
    '{"buildpack":{"deprecated":[],"supported":["0.7","0.8","0.9","0.10","0.11","0.12"]},' +
      '"platform":{"deprecated":[],"supported":["0.7","0.8","0.9","0.10","0.11","0.12","0.13","0.14","0.15"]}}',
  );
  assert.deepEqual(lifecycleApisOf(JSON.parse(encodeLifecycleApis(STRAKE_APIS))), STRAKE_APIS);
});

test('the labels of an image are read as far as they go', () => {
  const launcher = { version: '1', repository: 'r', commit: 'c' };
  const { buildpacks, extensions, processes, defaultProcess } = METADATA;
  assert.deepEqual(parseBuildMetadataLabel(encodeBuildMetadataLabel(METADATA, { api: '0.12', launcher })), {
    buildpacks,
    extensions,
    processes,
    defaultProcess,
    launcher,
  });
  // As the lifecycle writes it with Platform API 0.9: no API, a command as one text.
  const old = parseBuildMetadataLabel(
    '{"bom":null,"buildpacks":[{"id":"a","version":"1"}],"launcher":{"version":"","source":{"git":{"repository":"","commit":""}}},"processes":[{"type":"web","command":"x","args":null,"direct":false,"buildpackID":"a"}]}',
  );
  assert.deepEqual(old?.buildpacks, [{ kind: 'buildpack', id: 'a', version: '1', api: '', homepage: undefined }]);
  assert.deepEqual(old?.processes[0]?.command, ['x']);
  assert.equal(parseBuildMetadataLabel('no'), undefined);
  assert.deepEqual(parseProjectMetadataLabel('{"source":{"type":"git","version":{"commit":"1"}}}'), {
    source: { type: 'git', version: { commit: '1' }, metadata: undefined },
  });
  assert.deepEqual(parseProjectMetadataLabel('no'), {});
});
