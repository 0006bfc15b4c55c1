import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { createServer as createHttpServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { parseLocator, type Locator } from './locator.ts';
import { parsePackageConfig } from './package-config.ts';
import {
  compareVersions,
  encodeEntry,
  indexPath,
  resolveRegistered,
  searchRegistry,
  type RegistryEntry,
} from './registry-index.ts';
import { folderIndex } from './folder-index.ts';
import { httpIndex } from './http-index.ts';
import { scaffold } from './scaffold.ts';
import { expandTargets, formatTarget, parseTargets, targetFolders, targetSuffix } from './targets.ts';

test('locators, tried in their order', () => {
  const o = {
    exists: (path: string): boolean => ['./dir', 'acme/local', '/abs.tgz'].includes(path),
    builder: [
      { id: 'acme/own', version: '1.0.0' },
      { id: 'acme/local', version: '1.0.0' },
    ],
  };
  const table: readonly (readonly [string, Locator])[] = [
    ['from=builder', { kind: 'builder-order' }],
    ['from=builder:acme/own', { kind: 'builder', id: 'acme/own', version: '' }],
    ['urn:cnb:builder:acme/own@1.0.0', { kind: 'builder', id: 'acme/own', version: '1.0.0' }],
    ['urn:cnb:registry:acme/java@1.2.3', { kind: 'registry', namespace: 'acme', name: 'java', version: '1.2.3' }],
    ['urn:cnb:registry:acme/java', { kind: 'registry', namespace: 'acme', name: 'java', version: '' }],
    ['docker://registry.example/a/b:1', { kind: 'image', reference: 'registry.example/a/b:1' }],
    ['docker:/a/b', { kind: 'image', reference: 'a/b' }],
    ['https://host.example/bp.tgz', { kind: 'url', url: 'https://host.example/bp.tgz' }],
    ['file:///abs%20path/bp', { kind: 'path', path: '/abs path/bp' }],
    ['file://rel/bp', { kind: 'path', path: 'rel/bp' }],
    ['./dir', { kind: 'path', path: './dir' }],
    ['/abs.tgz', { kind: 'path', path: '/abs.tgz' }],
    ['acme/local', { kind: 'path', path: 'acme/local' }],
    ['acme/own', { kind: 'builder', id: 'acme/own', version: '' }],
    ['acme/own@1.0.0', { kind: 'builder', id: 'acme/own', version: '1.0.0' }],
    ['acme/own@2.0.0', { kind: 'registry', namespace: 'acme', name: 'own', version: '2.0.0' }],
    ['acme/java', { kind: 'registry', namespace: 'acme', name: 'java', version: '' }],
    ['acme/java@1.0.0-rc.1+b', { kind: 'registry', namespace: 'acme', name: 'java', version: '1.0.0-rc.1+b' }],
    ['acme/java:1.0', { kind: 'image', reference: 'acme/java:1.0' }],
    ['registry.example/a/b', { kind: 'image', reference: 'registry.example/a/b' }],
    ['java', { kind: 'image', reference: 'java' }],
  ];
  for (const [text, expected] of table) assert.deepEqual(parseLocator(text, o), expected, text);
  for (const text of [
    '',
    'urn:cnb:builder:gone',
    'urn:cnb:other:x',
    'ftp://x/y',
    'Not A Thing',
    './gone',
    'urn:cnb:registry:x',
    '/gone.tgz',
  ])
    assert.throws(() => parseLocator(text, o), { code: 'CNB_LOCATOR_INVALID' }, text);
});

test('targets on a command line', () => {
  const shown = (text: string): readonly string[] => parseTargets(text).map((one) => formatTarget(one));
  assert.deepEqual(shown('linux'), ['linux']);
  assert.deepEqual(shown('linux/x86_64'), ['linux/amd64']);
  assert.deepEqual(shown('linux/arm/v6:ubuntu@14.04@16.04'), ['linux/arm/v6:ubuntu@14.04;ubuntu@16.04']);
  assert.deepEqual(shown('linux/amd64:ubuntu@22.04;debian@12,linux/arm64'), [
    'linux/amd64:ubuntu@22.04;debian@12',
    'linux/arm64',
  ]);
  assert.deepEqual(shown('linux/amd64:ubuntu@22.04,debian@12'), ['linux/amd64:ubuntu@22.04;debian@12']);
  assert.deepEqual(
    expandTargets(parseTargets('linux/amd64:a@1;b@2')).map((one) => targetSuffix(one)),
    ['-linux-amd64-a-1', '-linux-amd64-b-2'],
  );
  assert.deepEqual(targetFolders(parseTargets('linux/amd64:a@1')[0] ?? assert.fail()), ['linux', 'amd64', 'a@1']);
  for (const text of ['', '/amd64', 'linux/a/b/c', 'linux:a:b', 'linux/amd64:@1'])
    assert.throws(() => parseTargets(text), { code: 'CNB_TARGET_INVALID' }, text);
});

test('package.toml', () => {
  const read = (text: string): ReturnType<typeof parsePackageConfig> => parsePackageConfig(text, 'package.toml');
  assert.deepEqual(read(''), { kind: 'buildpack', uri: '.', dependencies: [], targets: [] });
  assert.deepEqual(read('[extension]\nuri = "e"\n').kind, 'extension');
  assert.deepEqual(read('[[dependencies]]\nuri = "a"\n[[dependencies]]\nimage = "b"\n').dependencies, [
    'a',
    'docker://b',
  ]);
  assert.deepEqual(read('[platform]\nos = "windows"\n').targets, [
    { os: 'windows', arch: '', variant: '', distros: [] },
  ]);
  for (const [text, message] of [
    ['[buildpack]\nurl = "."\n', /unknown key "buildpack\.url"/],
    ['[buildpack]\n', /"buildpack\.uri" is missing/],
    ['[buildpack]\nuri = "."\n[extension]\nuri = "."\n', /both a buildpack and an extension/],
    ['[[dependencies]]\nuri = "a"\nimage = "b"\n', /both "uri" and "image"/],
    ['[platform]\nos = "plan9"\n', /"platform\.os" is "plan9"/],
    ['[[dependencies]]\nuri = 3\n', /must be a string/],
  ] as const)
    assert.throws(() => read(text), { code: 'CNB_FILE_INVALID', message });
});

test('where an index has a buildpack', () => {
  assert.equal(indexPath('acme', 'x'), '1/acme_x');
  assert.equal(indexPath('acme', 'go'), '2/acme_go');
  assert.equal(indexPath('acme', 'npm'), '3/np/acme_npm');
  assert.equal(indexPath('acme', 'java'), 'ja/va/acme_java');
  assert.equal(indexPath('acme', 'nodejs'), 'no/de/acme_nodejs');
  for (const [ns, name] of [
    ['', 'a'],
    ['a', 'B'],
    ['a/b', 'c'],
    ['a', 'x'.repeat(254)],
  ] as const)
    assert.throws(() => indexPath(ns, name), { code: 'CNB_REGISTRY_INVALID' });
});

test('versions by their precedence', () => {
  const order = [
    'nonsense',
    '0.9.0',
    '1.0.0-alpha',
    '1.0.0-alpha.1',
    '1.0.0-alpha.beta',
    '1.0.0-beta.2',
    '1.0.0-beta.11',
    '1.0.0',
    '1.2.0',
    '1.10.0',
    '2.0.0',
  ];
  assert.deepEqual(order.toReversed().toSorted(compareVersions), order);
});

const DIGEST = `sha256:${'a'.repeat(64)}`;

function registered(version: string, name = 'java', yanked = false): RegistryEntry {
  return { namespace: 'acme', name, version, yanked, address: `registry.example/${name}@${DIGEST}` };
}

test('an index in a folder: register, resolve, yank, undo, search', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'strake-registry-'));
  try {
    const index = folderIndex(folder, 'mine');
    const wanted = { namespace: 'acme', name: 'java', version: '' };
    for (const version of ['1.9.0', '1.10.0', '2.0.0-rc.1']) index.register(registered(version));
    index.register(registered('3.0.0', 'go'));
    assert.equal(
      readFileSync(join(folder, 'ja/va/acme_java'), 'utf8').split('\n')[0],
      `{"ns":"acme","name":"java","version":"1.9.0","yanked":false,"addr":"registry.example/java@${DIGEST}"}`,
    );
    const resolved = async (version = ''): Promise<string> =>
      (await resolveRegistered({ ...wanted, version }, [index])).version;
    assert.equal(await resolved(), '2.0.0-rc.1');
    index.yank({ ...wanted, version: '2.0.0-rc.1' }, true);
    assert.equal(await resolved(), '1.10.0');
    assert.equal(await resolved('2.0.0-rc.1'), '2.0.0-rc.1');
    index.yank({ ...wanted, version: '2.0.0-rc.1' }, false);
    assert.equal(await resolved(), '2.0.0-rc.1');
    assert.throws(() => index.register(registered('1.9.0')), { code: 'CNB_REGISTRY_CONFLICT' });
    assert.throws(() => index.yank({ ...wanted, version: '9.0.0' }, true), /There is 1\.9\.0|does not have it/);
    await assert.rejects(resolved('9.0.0'), { code: 'CNB_REGISTRY_MISSING' });
    await assert.rejects(resolveRegistered(wanted, []), /none is configured/);
    await assert.rejects(folderIndex(join(folder, 'gone'), 'gone').lines('a', 'b'), {
      code: 'CNB_REGISTRY_UNAVAILABLE',
    });
    assert.deepEqual(
      (await searchRegistry(index, 'acme')).map(({ name, version }) => `${name} ${version}`),
      ['go 3.0.0', 'java 2.0.0-rc.1'],
    );
    assert.deepEqual(
      (await searchRegistry(index, 'Jav')).map(({ name }) => name),
      ['java'],
    );
    index.register({ ...registered('4.0.0', 'tagged'), address: 'registry.example/tagged:1' });
    await assert.rejects(resolveRegistered({ ...wanted, name: 'tagged' }, [index]), /has no digest/);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('an index over HTTP; the first registry that knows it wins', async () => {
  const served = new Map([
    ['/index/ja/va/acme_java', encodeEntry(registered('1.0.0'))],
    ['/index/ba/d-/acme_bad-one', 'not json\n'],
  ]);
  const server = createHttpServer((request, response) => {
    const text = served.get(request.url ?? '');
    if (request.url?.includes('broken')) response.writeHead(500).end();
    else if (text === undefined) response.writeHead(404).end();
    else response.end(text);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/index/`;
  try {
    const index = httpIndex(url, { name: 'web' });
    const empty = { name: 'empty', lines: async (): Promise<undefined> => undefined };
    const wanted = { namespace: 'acme', name: 'java', version: '' };
    assert.deepEqual(await resolveRegistered(wanted, [empty, index]), { ...registered('1.0.0'), registry: 'web' });
    await assert.rejects(
      resolveRegistered({ ...wanted, name: 'gone' }, [empty, index]),
      /in registry "empty", "web": it is not there/,
    );
    await assert.rejects(index.lines('acme', 'broken'), /status 500/);
    await assert.rejects(resolveRegistered({ ...wanted, name: 'bad-one' }, [index]), { code: 'CNB_REGISTRY_INVALID' });
    await assert.rejects(searchRegistry(index, 'x'), /cannot be listed/);
  } finally {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
  const closed = createServer();
  await new Promise<void>((resolve) => closed.listen(0, '127.0.0.1', resolve));
  const port = (closed.address() as AddressInfo).port;
  await new Promise((resolve) => closed.close(resolve));
  await assert.rejects(httpIndex(`http://127.0.0.1:${port}/`, { name: 'off' }).lines('a', 'b'));
});

test('a new buildpack, a new extension', () => {
  const [toml, detect, build] = scaffold({
    kind: 'buildpack',
    id: 'acme/new',
    version: '0.1.0',
    api: '0.10',
    targets: parseTargets('linux/amd64:ubuntu@24.04'),
    stacks: [],
  });
  assert.equal(
    toml?.text,
    'api = "0.10"\n\n[buildpack]\n  id = "acme/new"\n  version = "0.1.0"\n\n[[targets]]\n  os = "linux"\n  arch = "amd64"\n\n  [[targets.distros]]\n    name = "ubuntu"\n    version = "24.04"\n',
  );
  assert.deepEqual([detect?.path, detect?.mode, build?.path], ['bin/detect', 0o755, 'bin/build']);
  const extension = scaffold({ kind: 'extension', id: 'e', version: '1.0.0', api: '0.12', targets: [], stacks: [] });
  assert.deepEqual(
    extension.map(({ path }) => path),
    ['extension.toml', 'bin/detect', 'bin/generate'],
  );
  for (const wrong of [{ id: 'sbom' }, { version: '1' }, { api: 'x' }])
    assert.throws(
      () => scaffold({ kind: 'buildpack', id: 'a', version: '1.0.0', api: '0.10', targets: [], stacks: [], ...wrong }),
      { code: 'CNB_MODULE_INVALID' },
    );
});
