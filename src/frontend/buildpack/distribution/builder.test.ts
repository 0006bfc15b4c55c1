import assert from 'node:assert/strict';
import { test } from 'node:test';
import { append, chooseImage, configOf, type Image } from '../../../image/index.ts';
import { file, folder, layerDigest } from '../export/ustar.suite.ts';
import { STRAKE_APIS } from '../model/index.ts';
import type { GroupEntry } from '../model/types.ts';
import { bench, buildImage, buildpackFiles, type Bench } from './bench.suite.ts';
import { parseBuilderConfig } from './builder-config.ts';
import { builderFacts, orderTree } from './inspect.ts';
import { lifecycleOfImage, lifecycleOfTree, ownLifecycle, type Lifecycle } from './lifecycle-source.ts';
import { makeBuilder, type BuilderParts } from './make-builder.ts';
import { makePackage } from './make-package.ts';
import type { Module } from './module.ts';
import { packageAtPath, packageOfImage } from './read-package.ts';
import { memoryTree, walkFolder } from '../../../tree/index.ts';
import { layerOfTree } from './workshop.ts';

const PLATFORM = { os: 'linux', architecture: 'amd64' };
const EMPTY = 'sha256:5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef';

async function made(b: Bench, id: string, o: Parameters<typeof buildpackFiles>[1] = {}): Promise<Module> {
  const name = `${id.replaceAll('/', '-')}-${o.version ?? ''}-${o.more?.length ?? 0}`;
  return (await packageAtPath(b.files(name, buildpackFiles(id, o)), b.reading)).main;
}

function entry(id: string, version = '', optional = false): GroupEntry {
  return { kind: 'buildpack', id, version, optional, execEnv: [] };
}

const OWN = await ownLifecycle({ version: '9.9.9' });

function parts(base: Image, modules: readonly Module[], more: Partial<BuilderParts> = {}): BuilderParts {
  return {
    base,
    baseName: 'build',
    description: 'for tests',
    modules,
    order: [
      modules.filter(({ descriptor }) => descriptor.kind === 'buildpack').map(({ descriptor }) => entry(descriptor.id)),
    ],
    orderExtensions: [],
    system: { pre: [], post: [] },
    runImages: [{ image: 'run', mirrors: ['mirror.example/run'] }],
    lifecycle: OWN,
    buildEnv: new Map(),
    flatten: [],
    labels: {},
    createdBy: { name: 'strake', version: '9.9.9' },
    ...more,
  };
}

const quiet = (b: Bench): { shop: Bench['shop']; warn: (text: string) => void } => ({
  shop: b.shop,
  warn: (text) => assert.fail(text),
});

test('a builder: its layers in order, its labels, its config', async () => {
  using b = bench();
  const modules = [await made(b, 'acme/z'), await made(b, 'acme/a', { more: 'homepage = "https://a.example"\n' })];
  const image = await makeBuilder(
    parts(buildImage(), modules, {
      labels: { mine: 'yes' },
      buildEnv: new Map([
        ['JAVA.append', 'x'],
        ['JAVA.delim', ':'],
      ]),
      system: { pre: [entry('acme/a')], post: [] },
    }),
    quiet(b),
  );
  const config = await configOf(image);
  const [zId, aId] = await Promise.all(modules.map(({ layer }) => layer.diffId()));
  const owned = [folder('/layers', 1001, 1002)];
  assert.deepEqual(config.rootfs.diff_ids, [
    layerDigest([
      ...['/cnb', '/cnb/build-config', '/cnb/build-config/env', '/cnb/buildpacks', '/cnb/extensions'].map((path) =>
        folder(path),
      ),
      ...owned,
      ...['/platform', '/platform/env'].map((path) => folder(path)),
      folder('/workspace', 1001, 1002),
    ]),
    config.rootfs.diff_ids[1],
    aId,
    zId,
    layerDigest([
      file(
        '/cnb/order.toml',
        '[[order]]\n\n  [[order.group]]\n    id = "acme/z"\n    version = "1.0.0"\n\n  [[order.group]]\n    id = "acme/a"\n    version = "1.0.0"\n',
      ),
    ]),
    layerDigest([
      file(
        '/cnb/system.toml',
        '[system]\n  [system.pre]\n\n    [[system.pre.buildpacks]]\n      id = "acme/a"\n      version = "1.0.0"\n',
      ),
    ]),
    layerDigest([file('/cnb/stack.toml', '[run-image]\n  image = "run"\n  mirrors = ["mirror.example/run"]\n')]),
    layerDigest([file('/cnb/run.toml', '[[images]]\n  image = "run"\n  mirrors = ["mirror.example/run"]\n')]),
    layerDigest([file('/cnb/build-config/env/JAVA.append', 'x'), file('/cnb/build-config/env/JAVA.delim', ':')]),
    EMPTY,
  ]);
  assert.equal(config.created, '1980-01-01T00:00:01Z');
  assert.equal(config.config?.WorkingDir, '/layers');
  assert.equal(config.config?.User, '1001:1002');
  const { 'io.buildpacks.builder.metadata': metadata, ...labels } = config.config?.Labels ?? {};
  assert.deepEqual(labels, {
    mine: 'yes',
    'io.buildpacks.buildpack.layers': `{"acme/a":{"1.0.0":{"api":"0.10","layerDiffID":"${aId}","homepage":"https://a.example","name":"The acme/a"}},"acme/z":{"1.0.0":{"api":"0.10","layerDiffID":"${zId}","name":"The acme/z"}}}`,
    'io.buildpacks.extension.layers': '{}',
    'io.buildpacks.buildpack.order': '[{"group":[{"id":"acme/z"},{"id":"acme/a"}]}]',
    'io.buildpacks.buildpack.order-extensions': 'null',
    'io.buildpacks.buildpack.system': '{"pre":{"buildpacks":[{"id":"acme/a"}]},"post":{}}',
  });
  assert.deepEqual(JSON.parse(metadata ?? ''), {
    description: 'for tests',
    buildpacks: [
      { id: 'acme/z', name: 'The acme/z', version: '1.0.0' },
      { id: 'acme/a', name: 'The acme/a', version: '1.0.0', homepage: 'https://a.example' },
    ],
    extensions: null,
    stack: { runImage: { image: 'run', mirrors: ['mirror.example/run'] } },
    lifecycle: {
      version: '9.9.9',
      api: { buildpack: STRAKE_APIS.buildpack.supported[0], platform: STRAKE_APIS.platform.supported[0] },
      apis: STRAKE_APIS,
    },
    createdBy: { name: 'strake', version: '9.9.9' },
    images: [{ image: 'run', mirrors: ['mirror.example/run'] }],
  });
  const facts = await builderFacts(image, { what: 'builder' });
  assert.deepEqual(
    facts.buildpacks.map(({ id, api }) => [id, api]),
    [
      ['acme/z', '0.10'],
      ['acme/a', '0.10'],
    ],
  );
  assert.deepEqual(
    facts.system.pre.map(({ id }) => id),
    ['acme/a'],
  );
  assert.equal(facts.lifecycle?.version, '9.9.9');
  const again = await makeBuilder(
    parts(buildImage(), modules.toReversed(), { order: [[entry('acme/z'), entry('acme/a')]], labels: { mine: 'yes' } }),
    quiet(b),
  );
  assert.deepEqual((await configOf(again)).rootfs.diff_ids.slice(2, 4), [aId, zId]);
});

test('140 buildpacks in one builder, by flattening: each in its label, below the limit of layers', async () => {
  using b = bench();
  const ids = Array.from({ length: 140 }, (_, at) => `bulk/b${String(at).padStart(3, '0')}`);
  const modules: Module[] = [];
  for (const id of ids) modules.push(await made(b, id));
  const flatten = [ids.slice(0, 70), ids.slice(70)].map((group) => group.map((id) => `${id}@1.0.0`));
  const image = await makeBuilder(parts(buildImage(), modules, { flatten }), quiet(b));
  const { rootfs, config } = await configOf(image);
  assert.equal(rootfs.diff_ids.length, 2 + 2 + 4);
  const layers = JSON.parse(config?.Labels?.['io.buildpacks.buildpack.layers'] ?? '') as Record<
    string,
    Record<string, { layerDiffID: string }>
  >;
  assert.deepEqual(Object.keys(layers), ids);
  assert.deepEqual(
    ids.map((id) => layers[id]?.['1.0.0']?.layerDiffID),
    ids.map((_, at) => rootfs.diff_ids[at < 70 ? 2 : 3]),
  );
  const [first] = flatten;
  const members = first?.flatMap((name) => {
    const id = name.slice(0, -'@1.0.0'.length).replace('/', '_');
    const at = `/cnb/buildpacks/${id}/1.0.0`;
    const real = id.replace('_', '/');
    return [
      folder(`/cnb/buildpacks/${id}`),
      folder(at),
      folder(`${at}/bin`),
      file(`${at}/bin/build`, `#!/bin/sh\necho ${real}\n`, 0, 0, 0o755),
      file(`${at}/bin/detect`, '#!/bin/sh\n', 0, 0, 0o755),
      file(
        `${at}/buildpack.toml`,
        `api = "0.10"\n[buildpack]\nid = "${real}"\nversion = "1.0.0"\nname = "The ${real}"\n`,
      ),
    ];
  });
  assert.equal(rootfs.diff_ids[2], layerDigest(members ?? []));
});

test('on a builder: what it has is kept, another of the same name takes its place after a whiteout', async () => {
  using b = bench();
  const [a, z] = [await made(b, 'acme/a'), await made(b, 'acme/z')];
  const below = await makeBuilder(parts(buildImage(), [a, z]), quiet(b));
  const other = await made(b, 'acme/a', { more: 'description = "new"\n' });
  const image = await makeBuilder(parts(below, [other, z], { order: [[entry('acme/a'), entry('acme/z')]] }), quiet(b));
  const added = (await configOf(image)).rootfs.diff_ids.slice((await configOf(below)).rootfs.diff_ids.length);
  assert.equal(added.length, 2 + 2 + 4);
  assert.equal(added[3], await other.layer.diffId());
  const chunks: Buffer[] = [];
  const whiteout = (await image.layers()).at(-6);
  for await (const chunk of (await whiteout?.uncompressed()) ?? []) chunks.push(Buffer.from(chunk));
  assert.equal(
    Buffer.concat(chunks).toString('latin1', 0, 100).replace(/\0.*/s, ''),
    'cnb/buildpacks/acme_a/.wh.1.0.0',
  );
  const { buildpacks } = await builderFacts(image, { what: 'builder' });
  assert.deepEqual(
    buildpacks.map(({ id }) => id),
    ['acme/a', 'acme/z'],
  );
});

test('of two of one name the last is taken, also out of a layer it shares', async () => {
  using b = bench();
  const meta = await made(b, 'meta', { order: ['a@1.0.0', 'b@1.0.0'] });
  const flat = await makePackage(meta, [await made(b, 'a'), await made(b, 'b')], {
    shop: b.shop,
    platform: PLATFORM,
    flatten: { except: [] },
  });
  const back = await packageOfImage(flat, b.reading);
  const other = await made(b, 'a', { more: 'description = "other"\n' });
  const warnings: string[] = [];
  const image = await makeBuilder(
    parts(buildImage(), [back.main, ...back.others, other], { order: [[entry('meta')]] }),
    { shop: b.shop, warn: (text) => void warnings.push(text) },
  );
  assert.deepEqual(warnings, ['buildpack "a@1.0.0" is given twice with other contents: the last one is taken']);
  const { rootfs } = await configOf(image);
  assert.deepEqual(rootfs.diff_ids.slice(2, 5), [
    await other.layer.diffId(),
    await (await made(b, 'b')).layer.diffId(),
    await meta.layer.diffId(),
  ]);
});

test('what cannot be used on the builder is refused', async () => {
  using b = bench();
  const a = await made(b, 'a');
  const o = { shop: b.shop, warn: (): void => undefined };
  const refuses = async (
    more: Partial<BuilderParts>,
    message: RegExp,
    base = buildImage(),
    modules = [a],
  ): Promise<void> => assert.rejects(makeBuilder(parts(base, modules, more), o), message);
  await refuses({ order: [[entry('b')]] }, /no versions of buildpack "b" were found on the builder/);
  await refuses({ order: [[entry('a', '2.0.0')]] }, /buildpack "a" with version "2\.0\.0" was not found/);
  await refuses({}, /several versions of buildpack "a"/, buildImage(), [a, await made(b, 'a', { version: '2.0.0' })]);
  await refuses({}, /does not set CNB_USER_ID/, buildImage({ env: [] }));
  await refuses(
    {},
    /its CNB_GROUP_ID is "x", which is no number/,
    buildImage({ env: ['CNB_USER_ID=1', 'CNB_GROUP_ID=x'] }),
  );
  await refuses({}, /it runs as user 5, but its CNB_USER_ID is 1001/, buildImage({ user: '5' }));
  await refuses({ stackId: 's' }, /stack "s" is incompatible with stack ""/);
  await refuses({ flatten: [['b@1.0.0']], order: [[entry('b')]] }, /no versions of buildpack "b"/);
  const old: Lifecycle = {
    ...(await ownLifecycle({ version: '0.1.0' })),
    apis: { buildpack: { deprecated: [], supported: ['0.7'] }, platform: { deprecated: [], supported: ['0.12'] } },
  };
  await refuses({ lifecycle: old }, /Buildpack API 0\.10 is incompatible with lifecycle 0\.1\.0/);
  await refuses({}, /of its order is not found on the builder/, buildImage(), [
    await made(b, 'meta', { order: ['gone@1.0.0'] }),
  ]);
  const arm = await made(b, 'arm', { more: '[[targets]]\nos = "linux"\narch = "arm64"\n' });
  await refuses({}, /it is for linux\/arm64, the build image is linux\/amd64/, buildImage(), [arm]);
  const stacked = await made(b, 'stacked', { more: '[[stacks]]\nid = "s"\nmixins = ["git", "run:curl"]\n' });
  await refuses({}, /does not support stack "t"/, buildImage({ labels: { 'io.buildpacks.stack.id': 't' } }), [stacked]);
  await refuses({}, /requires missing mixins: git/, buildImage({ labels: { 'io.buildpacks.stack.id': 's' } }), [
    stacked,
  ]);
  const labels = { 'io.buildpacks.stack.id': 's', 'io.buildpacks.stack.mixins': '["git"]' };
  await makeBuilder(parts(buildImage({ labels }), [stacked], { stackId: 's' }), o);
});

test('a lifecycle from a folder or an image: its programs and the link', async () => {
  using b = bench();
  const programs = ['analyzer', 'builder', 'creator', 'detector', 'exporter', 'launcher', 'restorer'];
  const toml =
    '[lifecycle]\nversion = "0.20.1"\n[apis.buildpack]\ndeprecated = ["0.7"]\nsupported = ["0.8", "0.10"]\n[apis.platform]\nsupported = ["0.13"]\n';
  const root = b.files('lifecycle', {
    'lifecycle.toml': toml,
    ...Object.fromEntries(programs.map((name) => [`lifecycle/${name}`, { text: name, mode: 0o755 }])),
  });
  const lifecycle = await lifecycleOfTree(await walkFolder(root), { what: root });
  assert.equal(lifecycle.version, '0.20.1');
  assert.deepEqual(lifecycle.apis.buildpack, { deprecated: ['0.7'], supported: ['0.8', '0.10'] });
  const layer = layerOfTree(async () => lifecycle.tree, b);
  assert.equal(
    await layer.diffId(),
    layerDigest([
      folder('/cnb/lifecycle'),
      ...programs.map((name) => file(`/cnb/lifecycle/${name}`, name, 0, 0, 0o755)),
      { name: '/lifecycle', type: 'link', mode: 0o644, uid: 0, gid: 0, target: '/cnb/lifecycle' },
    ]),
  );
  const released = layerOfTree(
    () =>
      walkFolder(
        b.files('image', {
          'cnb/lifecycle.toml': toml,
          ...Object.fromEntries(programs.map((name) => [`cnb/lifecycle/${name}`, { text: name, mode: 0o755 }])),
        }),
      ),
    b,
  );
  const { image } = await chooseImage(append(buildImage(), released), PLATFORM, { what: 'lifecycle' });
  const fromImage = await lifecycleOfImage(image, { what: 'lifecycle', shop: b.shop });
  assert.equal(await layerOfTree(async () => fromImage.tree, b).diffId(), await layer.diffId());
  const lacking = b.files('lacking', { 'lifecycle.toml': toml, 'lifecycle/builder': 'x' });
  await assert.rejects(lifecycleOfTree(await walkFolder(lacking), { what: lacking }), /no program "analyzer"/);
  await assert.rejects(lifecycleOfImage(buildImage(), { what: 'plain', shop: b.shop }), /it is no lifecycle image/);
});

test("strake's own lifecycle: a mark, a launcher, and its programs by links to one", async () => {
  using b = bench();
  const { tree } = await ownLifecycle({ version: '9.9.9', launcher: Buffer.from('program') });
  const toml = tree.read((await tree.entries()).filter(({ path }) => path.endsWith('.toml')));
  let text = '';
  for await (const chunk of toml) text += Buffer.from(chunk).toString();
  assert.match(text, /\[lifecycle\]\n {2}version = "9\.9\.9"\n/);
  assert.equal(
    await layerOfTree(async () => tree, b).diffId(),
    layerDigest([
      folder('/cnb/lifecycle'),
      file('/cnb/lifecycle/launcher', 'program', 0, 0, 0o755),
      file('/cnb/lifecycle/lifecycle.toml', text),
      { name: '/lifecycle', type: 'link', mode: 0o644, uid: 0, gid: 0, target: '/cnb/lifecycle' },
    ]),
  );
});

test('builder.toml: read whole; what may not be said, with its line', () => {
  const warnings: string[] = [];
  const read = (text: string): ReturnType<typeof parseBuilderConfig> =>
    parseBuilderConfig(text, { file: 'builder.toml', warn: (one) => void warnings.push(one) });
  const config = read(`
description = "d"
[[buildpacks]]
uri = "./a"
id = "a"
[[buildpacks]]
image = "registry.example/b"
[[extensions]]
uri = "e.cnb"
[[order]]
[[order.group]]
id = "a"
optional = true
[[order-extensions]]
[[order-extensions.group]]
id = "e"
version = "1.0.0"
[build]
image = "build"
[[build.env]]
name = "X"
value = "1"
suffix = "append"
delim = ":"
[[run.images]]
image = "run"
mirrors = ["m"]
[[targets]]
os = "linux"
arch = "arm64"
[[targets.distros]]
name = "ubuntu"
version = "24.04"
[[system.pre.buildpacks]]
id = "s"
`);
  assert.deepEqual(
    config.modules.map(({ kind, uri }) => [kind, uri]),
    [
      ['buildpack', './a'],
      ['buildpack', 'docker://registry.example/b'],
      ['extension', 'e.cnb'],
    ],
  );
  assert.deepEqual(
    [...config.buildEnv],
    [
      ['X.append', '1'],
      ['X.delim', ':'],
    ],
  );
  assert.deepEqual(config.order, [[entry('a', '', true)]]);
  assert.deepEqual(config.runImages, [{ image: 'run', mirrors: ['m'] }]);
  assert.deepEqual(config.targets[0]?.distros, [{ name: 'ubuntu', version: '24.04' }]);
  assert.deepEqual(
    config.system.pre.map(({ id }) => id),
    ['s'],
  );
  const least = '[build]\nimage = "b"\n[[run.images]]\nimage = "r"\n';
  const legacy = read('[stack]\nid = "s"\nbuild-image = "b"\nrun-image = "r"\nrun-image-mirrors = ["m"]\n');
  assert.deepEqual([legacy.buildImage, legacy.stackId, legacy.runImages], ['b', 's', [{ image: 'r', mirrors: ['m'] }]]);
  assert.deepEqual(warnings, ['"builder.toml" has no order: nothing will be detected']);
  const refuses = (text: string, message: RegExp, line?: number): void => {
    assert.throws(
      () => read(text),
      (error: Error & { place?: { line: number } }) => {
        assert.match(error.message, message);
        if (line !== undefined) assert.equal(error.place?.line, line, error.message);
        return true;
      },
    );
  };
  refuses(`${least}[[order]]\n[[order.group]]\nid = "a"\nversions = "1"\n`, /unknown key "order\.group\.versions"/, 8);
  refuses(`colour = 1\n${least}`, /unknown key "colour"/, 1);
  refuses(`${least}[lifecycle]\nuri = "x"\nversion = "1"\n`, /both "uri" and "version"/);
  refuses('[[run.images]]\nimage = "r"\n', /build\.image is required/);
  refuses('[build]\nimage = "b"\n', /run\.images are required/);
  refuses(`[build]\nimage = "b"\nx = 1\n[[run.images]]\nimage = "r"\n`, /unknown key "build\.x"/, 3);
  refuses(`${least}[stack]\nbuild-image = "c"\n`, /do not match/);
  refuses(`${least}[[buildpacks]]\nid = "a"\n`, /a buildpack has no "uri"/);
  refuses(`${least}[[build.env]]\nname = "X"\nvalue = "1"\nsuffix = "sideways"\n`, /suffix "sideways" is not known/);
  refuses(`${least}[[build.env]]\nname = "X"\nvalue = "1"\nsuffix = "append"\n`, /has no "delim"/);
  refuses(`${least}description = 4\n`, /unknown key "run\.images\.description"/);
});

test('an order as a tree, composites opened, circles not', async () => {
  using b = bench();
  const modules = [
    await made(b, 'meta', { order: ['inner@1.0.0', 'leaf@1.0.0'] }),
    await made(b, 'inner', { order: ['meta@1.0.0'] }),
    await made(b, 'leaf'),
  ].map(({ descriptor }) => descriptor);
  const shape = (depth?: number): unknown =>
    JSON.parse(
      JSON.stringify(orderTree([[entry('meta')]], { modules, depth }), (key, value: unknown) =>
        ['kind', 'version', 'optional', 'execEnv'].includes(key) ? undefined : value,
      ),
    );
  assert.deepEqual(shape(), [
    [
      {
        id: 'meta',
        cyclic: false,
        groups: [
          [
            { id: 'inner', cyclic: false, groups: [[{ id: 'meta', cyclic: true, groups: [] }]] },
            { id: 'leaf', cyclic: false, groups: [] },
          ],
        ],
      },
    ],
  ]);
  assert.deepEqual(shape(1), [[{ id: 'meta', cyclic: false, groups: [] }]]);
  const phases = memoryTree({
    lib: { type: 'directory', mode: 0o700, uid: 7, gid: 7 },
    'lib/x.so': { mode: 0o600, uid: 7, content: 'x' },
    lifecycle: { mode: 0o700, content: 'all' },
  });
  const whole = await ownLifecycle({ version: '9.9.9', phases });
  assert.deepEqual(
    (await whole.tree.entries()).map(({ path, mode, uid, link }) =>
      `${path} ${mode.toString(8)} ${uid} ${link ?? ''}`.trim(),
    ),
    [
      'cnb/lifecycle 755 0',
      ...['analyzer', 'builder', 'creator', 'detector', 'exporter', 'extender'].map(
        (name) => `cnb/lifecycle/${name} 777 0 lifecycle`,
      ),
      'cnb/lifecycle/lib 755 0',
      'cnb/lifecycle/lib/x.so 644 0',
      'cnb/lifecycle/lifecycle 755 0',
      'cnb/lifecycle/lifecycle.toml 644 0',
      ...['rebaser', 'restorer'].map((name) => `cnb/lifecycle/${name} 777 0 lifecycle`),
      'lifecycle 644 0 /cnb/lifecycle',
    ],
  );
  const labels = (await configOf(await makeBuilder(parts(buildImage(), [], { lifecycle: whole, order: [] }), quiet(b))))
    .config?.Labels;
  assert.equal(labels?.['io.buildpacks.lifecycle.version'], '9.9.9');
  assert.match(labels['io.buildpacks.lifecycle.apis'] ?? '', /"platform":\{"deprecated":\[\],"supported":\["0.7"/);
});
