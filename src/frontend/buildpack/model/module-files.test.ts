import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hasCode } from '../../../base/index.ts';
import { encodeModuleDescriptor, parseModuleDescriptor } from './descriptor.ts';
import { parseExtendConfig } from './extend-config.ts';
import { encodeGroup, parseGroup } from './group.ts';
import { encodeOrder, encodeSystem, parseOrder, parseSystem } from './order.ts';
import { refuses } from './refuses.suite.ts';

const BUILDPACK = `api = "0.12"

[buildpack]
  id = "a/b"
  name = "B"
  version = "1.2.3"
  homepage = "https://example.com"
  clear-env = true
  description = "d"
  keywords = ["k"]
  sbom-formats = ["application/spdx+json"]
  exec-env = ["test"]

  [[buildpack.licenses]]
    type = "MIT"

[[order]]

  [[order.group]]
    id = "c"
    version = "1.0.0"
    optional = true
    exec-env = ["*"]

[[targets]]
  os = "linux"
  arch = "arm64"

  [[targets.distros]]
    name = "debian"
    version = "12"

[[stacks]]
  id = "s"
  mixins = ["m"]

[metadata]
  [metadata.own]
    n = 1
`;

test('buildpack.toml: every key, and back', () => {
  const read = parseModuleDescriptor(BUILDPACK, { kind: 'buildpack', file: 'f' });
  assert.deepEqual(read, {
    kind: 'buildpack',
    id: 'a/b',
    version: '1.2.3',
    api: '0.12',
    name: 'B',
    homepage: 'https://example.com',
    description: 'd',
    keywords: ['k'],
    licenses: [{ type: 'MIT', uri: undefined }],
    clearEnv: true,
    sbomFormats: ['application/spdx+json'],
    execEnv: ['test'],
    order: [[{ kind: 'buildpack', id: 'c', version: '1.0.0', optional: true, execEnv: ['*'] }]],
    targets: [{ os: 'linux', arch: 'arm64', variant: '', distros: [{ name: 'debian', version: '12' }] }],
    stacks: [{ id: 's', mixins: ['m'] }],
    metadata: { own: { n: 1 } },
  });
  assert.equal(encodeModuleDescriptor(read), BUILDPACK);
});

test('buildpack.toml: execution environments in both shapes', () => {
  const of = (text: string): readonly string[] =>
    parseModuleDescriptor(`api = "0.12"\n[buildpack]\nid = "x"\nversion = "1.0.0"\n${text}`, {
      kind: 'buildpack',
      file: 'f',
    }).execEnv;
  assert.deepEqual(of('exec-env = ["test", "*"]'), ['test', '*']);
  assert.deepEqual(of('[[buildpack.exec-env]]\nname = "test"\n[[buildpack.exec-env]]\nname = "production"'), [
    'test',
    'production',
  ]);
});

test('buildpack.toml: what may not be is refused, with its place', () => {
  const of = (text: string) => () => parseModuleDescriptor(text, { kind: 'buildpack', file: 'buildpack.toml' });
  refuses(of('[buildpack]\nid = "x"\nversion = "1"\n'), undefined, '"api" is missing');
  refuses(of('api = "nine"\n[buildpack]\nid = "x"\nversion = "1"\n'), 1, '"nine", which is no version');
  refuses(of('api = "0.9"\n'), undefined, '"buildpack" is missing');
  refuses(of('api = "0.9"\n[buildpack]\nversion = "1"\n'), 2, '"buildpack.id" is missing');
  refuses(of('api = "0.9"\n[buildpack]\nid = "app"\nversion = "1"\n'), 3, 'reserved');
  refuses(of('api = "0.9"\n[buildpack]\nid = "../x"\nversion = "1"\n'), 3, 'plain path');
  refuses(of('api = "0.9"\n[buildpack]\nid = "x"\nversion = "../1"\n'), 4, '"../1"');
  refuses(of('api = "0.9"\n[buildpack]\nid = "x"\nversion = "1"\nclear-env = "yes"\n'), 5, 'not true or false');
  refuses(
    of('api = "0.9"\n[buildpack]\nid = "x"\nversion = "1"\n[[order]]\n[[order.group]]\nversion = "1"\n'),
    6,
    '"order[0].group[0].id" is missing',
  );
  refuses(
    () =>
      parseModuleDescriptor('api = "0.9"\n[extension]\nid = "x"\nversion = "1"\n[[order]]\n', {
        kind: 'extension',
        file: 'f',
      }),
    5,
    'may not be in an extension',
  );
  assert.throws(of('api = = 1'), (error) => hasCode(error, 'INVALID_TOML'));
});

const ORDER = `[[order]]

  [[order.group]]
    id = "a"
    version = "1.0.0"
    optional = true

  [[order.group]]
    id = "b"
    version = "2.0.0"

[[order]]

  [[order.group]]
    id = "b"
    version = "2.0.0"

[[order-extensions]]

  [[order-extensions.group]]
    id = "x"
    version = "0.0.1"
`;

test('order.toml: extensions are always optional; a version must be there', () => {
  const orders = parseOrder(ORDER, 'f');
  assert.deepEqual(
    orders.order.map((group) => group.map(({ id, optional }) => [id, optional])),
    [
      [
        ['a', true],
        ['b', false],
      ],
      [['b', false]],
    ],
  );
  assert.deepEqual(orders.extensions, [
    [{ kind: 'extension', id: 'x', version: '0.0.1', optional: true, execEnv: [] }],
  ]);
  assert.equal(encodeOrder(orders), ORDER);
  refuses(() => parseOrder('[[order]]\n[[order.group]]\nid = "a"\n', 'order.toml'), 2, 'version" is missing');
});

test('system.toml: what goes before and after, optional kept', () => {
  const text = `[system]
  [system.pre]

    [[system.pre.buildpacks]]
      id = "a"
      version = "1.0.0"
  [system.post]

    [[system.post.buildpacks]]
      id = "b"
      version = "1.0.0"
      optional = true
`;
  const system = parseSystem(text, 'f');
  assert.deepEqual(
    system.pre.map(({ id, optional }) => [id, optional]),
    [['a', false]],
  );
  assert.deepEqual(
    system.post.map(({ id, optional }) => [id, optional]),
    [['b', true]],
  );
  assert.deepEqual(parseSystem(encodeSystem(system), 'f'), system);
  assert.deepEqual(parseSystem('', 'f'), { pre: [], post: [] });
});

test('group.toml', () => {
  const text = `[[group]]
  id = "a"
  version = "1.0.0"
  api = "0.10"
  homepage = "h"

[[group-extensions]]
  id = "x"
  version = "1.0.0"
  api = "0.9"
`;
  const group = parseGroup(text, 'f');
  assert.deepEqual(group.extensions, [
    { kind: 'extension', id: 'x', version: '1.0.0', api: '0.9', homepage: undefined },
  ]);
  assert.equal(encodeGroup(group), text);
  refuses(() => parseGroup('[[group]]\nid = "a"\nversion = "1"\n', 'f'), 1, '"group[0].api" is missing');
});

test('extend-config.toml: the arguments that are given may not be set', () => {
  assert.deepEqual(parseExtendConfig('[[build.args]]\nname = "a"\nvalue = "b"\n[[run.args]]\nname = "c"\n', 'f'), {
    build: [{ name: 'a', value: 'b' }],
    run: [{ name: 'c', value: '' }],
  });
  for (const name of ['build_id', 'user_id', 'group_id'])
    refuses(() => parseExtendConfig(`[[run.args]]\nname = "${name}"\n`, 'f'), 2, name);
});
