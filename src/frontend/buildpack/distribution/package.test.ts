import assert from 'node:assert/strict';
import { chmodSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { spawnSync } from 'node:child_process';
import { systemRandom } from '../../../base/index.ts';
import { configOf, makeIndex, openArchive, writeLayout, withMediaTypes, type Image } from '../../../image/index.ts';
import { file, folder, layerDigest, type Member } from '../export/ustar.suite.ts';
import { bench, buildpackFiles, type Bench } from './bench.suite.ts';
import { makePackage } from './make-package.ts';
import type { Module, ModulePackage } from './module.ts';
import { packageAtPath, packageOfImage } from './read-package.ts';
import { parseTargets } from './targets.ts';

const PLATFORM = { os: 'linux', architecture: 'amd64' };

async function labelsOf(image: Image): Promise<Readonly<Record<string, string>>> {
  return (await configOf(image)).config?.Labels ?? {};
}

async function made(b: Bench, id: string, o: Parameters<typeof buildpackFiles>[1] = {}): Promise<Module> {
  const { main } = await packageAtPath(
    b.files(`${id.replaceAll('/', '-')}-${o.version ?? ''}-${o.more?.length ?? 0}`, buildpackFiles(id, o)),
    b.reading,
  );
  return main;
}

const names = ({ main, others }: ModulePackage): readonly string[] =>
  [main, ...others].map(({ descriptor }) => `${descriptor.id}@${descriptor.version}`);

test('the layer of a buildpack has its two folders and its files, modes made plain, as pack writes it', async () => {
  using b = bench();
  const root = b.files('bp', {
    'buildpack.toml': { text: 'api = "0.10"\n[buildpack]\nid = "acme/tool"\nversion = "1.2.3"\n', mode: 0o600 },
    'bin/detect': { text: 'detect', mode: 0o600 },
    'bin/build': { text: 'build', mode: 0o700 },
    'lib/helper': { text: 'helper', mode: 0o711 },
    'lib/data.txt': { text: 'data', mode: 0o640 },
  });
  symlinkSync('helper', join(root, 'lib/link'));
  chmodSync(join(root, 'lib'), 0o700);
  const { main } = await packageAtPath(root, b.reading);
  const at = '/cnb/buildpacks/acme_tool/1.2.3';
  const members: readonly Member[] = [
    folder('/cnb/buildpacks/acme_tool'),
    folder(at),
    folder(`${at}/bin`),
    file(`${at}/bin/build`, 'build', 0, 0, 0o755),
    file(`${at}/bin/detect`, 'detect', 0, 0, 0o755),
    file(`${at}/buildpack.toml`, 'api = "0.10"\n[buildpack]\nid = "acme/tool"\nversion = "1.2.3"\n'),
    folder(`${at}/lib`),
    file(`${at}/lib/data.txt`, 'data'),
    file(`${at}/lib/helper`, 'helper', 0, 0, 0o755),
    { name: `${at}/lib/link`, type: 'link', mode: 0o755, uid: 0, gid: 0, target: 'helper' },
  ];
  assert.equal(await main.layer.diffId(), layerDigest(members));
});

test('labels of a composite, its parts sorted', async () => {
  using b = bench();
  const parts = [await made(b, 'acme/b', { version: '2.0.0' }), await made(b, 'acme/a')];
  const meta = await made(b, 'acme/meta', {
    order: ['acme/a@1.0.0', 'acme/b@2.0.0'],
    more: 'description = "a <b> & c"\n',
  });
  const image = await makePackage(meta, parts, { shop: b.shop, platform: PLATFORM, labels: { extra: 'yes' } });
  const [bId, aId, metaId] = await Promise.all([...parts, meta].map(({ layer }) => layer.diffId()));
  assert.deepEqual(await labelsOf(image), {
    extra: 'yes',
    'io.buildpacks.buildpackage.metadata':
      '{"id":"acme/meta","name":"The acme/meta","version":"1.0.0","description":"a \\u003cb\\u003e \\u0026 c","stacks":[{"id":"*"}]}',
    'io.buildpacks.buildpack.layers': `{"acme/a":{"1.0.0":{"api":"0.10","layerDiffID":"${aId}","name":"The acme/a"}},"acme/b":{"2.0.0":{"api":"0.10","layerDiffID":"${bId}","name":"The acme/b"}},"acme/meta":{"1.0.0":{"api":"0.10","order":[{"group":[{"id":"acme/a","version":"1.0.0"},{"id":"acme/b","version":"2.0.0"}]}],"layerDiffID":"${metaId}","name":"The acme/meta"}}}`,
  });
  const { rootfs, created, os, architecture } = await configOf(image);
  assert.deepEqual(rootfs.diff_ids, [aId, bId, metaId]);
  assert.deepEqual([created, os, architecture], ['1980-01-01T00:00:01Z', 'linux', 'amd64']);
});

test('a .cnb file twice: the same bytes, whatever the order, the folder and its modes; headed as pack does', async () => {
  using one = bench();
  using two = bench();
  const write = async (b: Bench, ids: readonly string[]): Promise<Buffer> => {
    const parts: Module[] = [];
    for (const id of ids) parts.push(await made(b, id));
    const meta = await made(b, 'acme/meta', { order: ['acme/a@1.0.0', 'acme/b@1.0.0'] });
    return b.cnb(await makePackage(meta, parts, { shop: b.shop, platform: PLATFORM }));
  };
  const bytes = await write(one, ['acme/a', 'acme/b']);
  assert.ok(bytes.equals(await write(two, ['acme/b', 'acme/a'])));
  const heads: string[] = [];
  for (let at = 0; bytes[at] !== 0;) {
    const field = (from: number, length: number): string =>
      bytes.toString('latin1', at + from, at + from + length).replace(/\0.*$/s, '');
    heads.push([field(0, 100).replace(/[0-9a-f]{64}/, 'HEX'), field(156, 1), field(100, 8), field(136, 12)].join(' '));
    at += 512 + Math.ceil(Number.parseInt(field(124, 12), 8) / 512) * 512;
  }
  assert.deepEqual(heads.slice(0, 3), [
    '/blobs 5 0000755 02263523001',
    '/blobs/sha256 5 0000755 02263523001',
    '/blobs/sha256/HEX 0 0000755 02263523001',
  ]);
  assert.deepEqual(heads.slice(-2), ['/index.json 0 0000755 02263523001', '/oci-layout 0 0000755 02263523001']);
});

test('read again: from a .cnb file of either family, a layout, an index, an archive of a folder', async () => {
  using b = bench();
  const source = b.files('plain', buildpackFiles('acme/a'));
  const plain = await packageAtPath(source, b.reading);
  const meta = await made(b, 'acme/meta', { order: ['acme/a@1.0.0'] });
  const image = await makePackage(meta, [plain.main], { shop: b.shop, platform: PLATFORM });
  const expected = ['acme/meta@1.0.0', 'acme/a@1.0.0'];
  for (const family of ['oci', 'docker'] as const) {
    const path = join(b.folder, `${family}.cnb`);
    await b.cnb(withMediaTypes(image, family), path);
    const back = await packageAtPath(path, b.reading);
    assert.deepEqual(names(back), expected);
    assert.equal(await back.others[0]?.layer.diffId(), await plain.main.layer.diffId());
    assert.equal(back.main.descriptor.order[0]?.[0]?.id, 'acme/a');
  }
  const layout = join(b.folder, 'layout');
  await writeLayout(layout, [{ image }], { random: systemRandom });
  assert.deepEqual(names(await packageAtPath(layout, b.reading)), expected);
  const other = await makePackage(plain.main, [], { shop: b.shop, platform: { os: 'linux', architecture: 'arm64' } });
  const index = makeIndex([{ image }, { image: other }], { mediaTypes: 'oci' });
  const [target] = parseTargets('linux/arm64');
  assert.deepEqual(names(await packageOfImage(index, { ...b.reading, target })), ['acme/a@1.0.0']);
  assert.deepEqual(names(await packageOfImage(index, b.reading)), expected);
  for (const [flag, name] of [
    ['-czf', 'bp.tgz'],
    ['-cf', 'bp.tar'],
  ] as const) {
    const path = join(b.folder, name);
    assert.equal(spawnSync('tar', ['-C', source, flag, path, '.']).status, 0);
    const back = await packageAtPath(path, b.reading);
    assert.equal(await back.main.layer.diffId(), await plain.main.layer.diffId());
  }
});

test('files of a target come from its innermost folder, the descriptor from the root', async () => {
  using b = bench();
  const root = b.files('multi', {
    'buildpack.toml': 'api = "0.10"\n[buildpack]\nid = "acme/m"\nversion = "1.0.0"\n',
    'bin/build': 'any',
    'linux/amd64/bin/build': 'amd64',
    'linux/amd64/buildpack.toml': 'stale',
    'linux/amd64/ubuntu@24.04/bin/build': 'noble',
    'linux/arm64/v8/bin/build': 'v8',
  });
  const at = '/cnb/buildpacks/acme_m/1.0.0';
  const expected = (text: string, ...more: Member[]): string =>
    layerDigest([
      folder('/cnb/buildpacks/acme_m'),
      folder(at),
      folder(`${at}/bin`),
      file(`${at}/bin/build`, text, 0, 0, 0o755),
      file(`${at}/buildpack.toml`, 'api = "0.10"\n[buildpack]\nid = "acme/m"\nversion = "1.0.0"\n'),
      ...more,
    ]);
  const noble = [
    folder(`${at}/ubuntu@24.04`),
    folder(`${at}/ubuntu@24.04/bin`),
    file(`${at}/ubuntu@24.04/bin/build`, 'noble'),
  ];
  for (const [text, digest] of [
    ['linux/amd64', expected('amd64', ...noble)],
    ['linux/amd64:ubuntu@24.04', expected('noble')],
    ['linux/arm64/v8', expected('v8')],
    ['linux/amd64:debian@12', expected('amd64', ...noble)],
  ] as const) {
    const { main } = await packageAtPath(root, { ...b.reading, target: parseTargets(text)[0] });
    assert.equal(await main.layer.diffId(), digest, text);
  }
});

test('what does not go together is refused', async () => {
  using b = bench();
  const a = await made(b, 'acme/a');
  const meta = await made(b, 'acme/meta', { order: ['acme/a@1.0.0'] });
  const o = { shop: b.shop, platform: PLATFORM };
  await assert.rejects(makePackage(meta, [], o), /references buildpack "acme\/a@1\.0\.0" which is not present/);
  await assert.rejects(
    makePackage(meta, [a, await made(b, 'acme/c')], o),
    /buildpack "acme\/c@1\.0\.0" is not used by it/,
  );
  const loose = await made(b, 'acme/loose', { order: ['acme/a'] });
  await assert.rejects(makePackage(loose, [a], o), /names buildpack "acme\/a" without a version/);
  const stacked = async (id: string, stack: string): Promise<Module> =>
    (
      await packageAtPath(
        b.files(id, {
          ...buildpackFiles(id),
          'buildpack.toml': `api = "0.9"\n[buildpack]\nid = "${id}"\nversion = "1.0.0"\n[[stacks]]\nid = "${stack}"\n`,
        }),
        b.reading,
      )
    ).main;
  // What is the package's own is taken from its own files, also where a dependency brings it.
  const twice = await makePackage(
    meta,
    [a, await made(b, 'acme/meta', { order: ['acme/a@1.0.0'], more: 'description = "old"\n' })],
    o,
  );
  assert.deepEqual((await configOf(twice)).rootfs.diff_ids, [await a.layer.diffId(), await meta.layer.diffId()]);
  const both = await made(b, 'acme/both', { order: ['x@1.0.0', 'y@1.0.0'] });
  await assert.rejects(
    makePackage(both, [await stacked('x', 'one'), await stacked('y', 'two')], o),
    /no compatible stacks among provided buildpacks/,
  );
  const image = await makePackage(both, [await stacked('x', 'one'), await stacked('y', '*')], o);
  assert.match((await labelsOf(image))['io.buildpacks.buildpackage.metadata'] ?? '', /"stacks":\[\{"id":"one"\}\]/);
});

test('flattened: one layer, each module with the same diffID; some left out', async () => {
  using b = bench();
  const parts = [await made(b, 'a'), await made(b, 'b'), await made(b, 'c')];
  const meta = await made(b, 'meta', { order: ['a@1.0.0', 'b@1.0.0', 'c@1.0.0'] });
  const image = await makePackage(meta, parts, { shop: b.shop, platform: PLATFORM, flatten: { except: ['c@1.0.0'] } });
  const { rootfs } = await configOf(image);
  assert.equal(rootfs.diff_ids.length, 2);
  assert.equal(rootfs.diff_ids[1], await parts[2]?.layer.diffId());
  const back = await packageOfImage(image, b.reading);
  const ids = new Map<string, string>();
  for (const { descriptor, layer } of [back.main, ...back.others]) ids.set(descriptor.id, await layer.diffId());
  assert.equal(ids.get('a'), ids.get('b'));
  assert.equal(ids.get('a'), ids.get('meta'));
  assert.notEqual(ids.get('a'), ids.get('c'));
  // Packed again without flattening, a shared layer stays what it is.
  const again = await makePackage(back.main, back.others, { shop: b.shop, platform: PLATFORM });
  assert.deepEqual((await configOf(again)).rootfs, rootfs);
});

test('an extension package has no stacks', async () => {
  using b = bench();
  const root = b.files('ext', {
    'extension.toml': 'api = "0.9"\n[extension]\nid = "acme/tree"\nversion = "0.0.1"\n',
    'bin/generate': 'x',
  });
  const { main } = await packageAtPath(root, b.reading);
  const at = '/cnb/extensions/acme_tree/0.0.1';
  const diffId = layerDigest([
    folder('/cnb/extensions/acme_tree'),
    folder(at),
    folder(`${at}/bin`),
    file(`${at}/bin/generate`, 'x', 0, 0, 0o755),
    file(`${at}/extension.toml`, 'api = "0.9"\n[extension]\nid = "acme/tree"\nversion = "0.0.1"\n'),
  ]);
  const image = await makePackage(main, [], { shop: b.shop, platform: PLATFORM });
  assert.deepEqual(await labelsOf(image), {
    'io.buildpacks.buildpackage.metadata': '{"id":"acme/tree","version":"0.0.1","stacks":null}',
    'io.buildpacks.extension.layers': `{"acme/tree":{"0.0.1":{"api":"0.9","layerDiffID":"${diffId}"}}}`,
  });
  assert.equal((await packageOfImage(image, b.reading)).main.descriptor.kind, 'extension');
});

test('what is no package says so', async () => {
  using b = bench();
  const inner = b.files('outer', { 'bp/buildpack.toml': 'x' });
  await assert.rejects(packageAtPath(inner, b.reading), /no buildpack\.toml or extension\.toml in it/);
  await assert.rejects(packageAtPath(join(b.folder, 'nothing'), b.reading), /there is no such file or folder/);
  await assert.rejects(
    packageAtPath(join(b.files('text', { 'a.txt': 'hello' }), 'a.txt'), b.reading),
    /neither a tar archive nor a \.cnb file/,
  );
  await assert.rejects(
    packageAtPath(join(b.files('zip', { 'a.zip': 'PK\u0003\u0004....' }), 'a.zip'), b.reading),
    /it is no zip archive/,
  );
  const image = await makePackage(await made(b, 'acme/a'), [], { shop: b.shop, platform: PLATFORM });
  await assert.rejects(packageOfImage(image, { ...b.reading, kind: 'extension' }), /it is no extension package/);
  using archive = await openArchive(
    (async function* () {
      yield await b.cnb(image);
    })(),
    { temp: b.folder, random: systemRandom },
  );
  assert.equal(archive.images.length, 1);
});
