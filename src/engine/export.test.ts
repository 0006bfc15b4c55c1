import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { CodedError, systemRandom } from '../base/index.ts';
import type { Digest } from '../blob/index.ts';
import { openArchive, openImageOrIndex, openLayout, parseConfig, type Image } from '../image/index.ts';
import { registryOf } from '../registry/testing/world.ts';
import { tarFileTree } from '../tree/index.ts';
import { EngineRig, type Built } from './engine-rig.suite.ts';
import { fileSink, type ExportRequest } from './index.ts';

const FILES = {
  Dockerfile: 'FROM scratch\nCOPY a /dir/a\nRUN write /b b\nLABEL x=y\n',
  a: 'content of a',
};

function done(built: Built): string {
  if (built.error !== undefined) throw built.error as Error;
  return built.id ?? assert.fail('no image');
}

async function configOf(image: Image): Promise<string> {
  const { created, rootfs } = parseConfig(await image.config());
  return JSON.stringify([created, rootfs.diff_ids]);
}

test('one build fills every kind of target, all with the same image', async () => {
  await using registry = await registryOf();
  const name = `${registry.server.host}/x:1`;
  await using rig = await EngineRig.open();
  const exports: ExportRequest[] = [
    { type: 'store', names: ['x'] },
    { type: 'oci', sink: 'oci', tar: true, names: ['x:1'] },
    { type: 'docker', sink: 'docker', tar: true, names: ['x:1'] },
    { type: 'oci', sink: 'folder-layout', tar: false, names: ['x:1'] },
    { type: 'oci', sink: 'zstd', tar: true, names: [], compression: { name: 'zstd' } },
    { type: 'registry', names: [name] },
    { type: 'local', sink: 'folder-files' },
    { type: 'tar', sink: 'tar' },
  ];
  const built = await rig.build(FILES, { exports });
  const id = done(built);
  const stored = await rig.engine.images.inspect('x');
  assert.equal(stored.id, id);
  const wanted = JSON.stringify([stored.config.created, stored.config.rootfs.diff_ids]);
  for (const sink of ['oci', 'docker', 'zstd']) {
    writeFileSync(rig.path(sink), rig.streams.get(sink) ?? '');
    using archive = await openArchive(rig.path(sink), { temp: rig.path('.'), random: systemRandom });
    const [only, ...more] = archive.images;
    assert.ok(only && more.length === 0);
    assert.equal(await configOf((await only.open()) as Image), wanted);
  }
  const layout = openLayout(rig.path('folder-layout'));
  assert.equal(await configOf((await layout.images[0]?.open()) as Image), wanted);
  assert.equal(readFileSync(rig.path('folder-files/dir/a'), 'utf8'), FILES.a);
  assert.equal(readFileSync(rig.path('folder-files/b'), 'utf8'), 'b');
  writeFileSync(rig.path('root.tar'), rig.streams.get('tar') ?? '');
  const entries = await (await tarFileTree(rig.path('root.tar'))).entries();
  assert.deepEqual(
    entries.map(({ path }) => path).filter((path) => path !== ''),
    ['b', 'dir', 'dir/a'],
  );
  const manifests = built.result?.images[0]?.manifests ?? [];
  assert.deepEqual(
    manifests.map((manifest) => manifest.export),
    [1, 2, 3, 4, 5],
  );
  assert.equal((await registry.manifests.get('x', '1'))?.digest, manifests.at(-1)?.descriptor.digest);
  assert.equal(manifests[0]?.descriptor.digest, manifests[2]?.descriptor.digest);
  const told = built.events.flatMap((event) =>
    event.kind === 'vertex' && event.id.startsWith('export') ? [event.id] : [],
  );
  assert.equal(new Set(told).size, exports.length);
  // What was pushed is what the store would push and save, byte for byte.
  const pushed = await rig.engine.images.push('x', name, { host: { credentials: async () => undefined } });
  assert.equal(pushed.digest, manifests.at(-1)?.descriptor.digest);
});

test('what goes to another machine: blobs that it lacks, a tree, and what is said of a stream', async () => {
  await using rig = await EngineRig.open();
  const exports: ExportRequest[] = [
    { type: 'oci', sink: 'blobs-export', tar: false, names: ['x:1'] },
    { type: 'local', sink: 'tree-out' },
    { type: 'oci', sink: 'oci', tar: true, names: ['x:1'] },
  ];
  const cacheTo = [{ type: 'local', sink: 'blobs-cache', name: 'cache', tag: 'latest', mode: 'max' }] as const;
  const built = await rig.build(FILES, { exports, cacheTo });
  const id = done(built);
  const [first, second] = built.result?.images[0]?.manifests ?? [];
  assert.ok(first && second);
  assert.equal(first.descriptor.digest, second.descriptor.digest);
  const image = (await openImageOrIndex(first.descriptor, { blobs: rig.blobs })) as Image;
  for (const layer of await image.layers()) assert.ok(await rig.blobs.has(await layer.descriptor()));
  assert.ok(await rig.blobs.has({ mediaType: '', digest: id as Digest, size: 0 }));
  assert.deepEqual(rig.trees.get('tree-out'), { 'dir/a': FILES.a, b: 'b' });
  const said = rig.said.get('oci') ?? {};
  assert.deepEqual(
    JSON.parse(Buffer.from(said['containerimage.descriptor'] ?? '', 'base64').toString()),
    second.descriptor,
  );
  assert.deepEqual(
    [said['containerimage.digest'], said['containerimage.config.digest'], said['image.name']],
    [second.descriptor.digest, id, 'x:1'],
  );
  const caches = built.events.flatMap((event) =>
    event.kind === 'note' && event.text.includes('manifest cache@') ? [event.text] : [],
  );
  const digest = caches[0]?.split('@')[1] as Digest;
  assert.ok(await rig.blobs.has({ mediaType: '', digest, size: 0 }));
  let count = 0;
  for await (const _ of rig.blobs.list()) count += 1;
  assert.equal(done(await rig.build(FILES, { exports, cacheTo })), id);
  for await (const _ of rig.blobs.list()) count -= 1;
  assert.equal(count, 0);
});

test('a build with no target gives its image ID and keeps results only', async () => {
  await using rig = await EngineRig.open();
  const built = await rig.build(FILES, { exports: [] });
  assert.match(done(built), /^sha256:/);
  assert.equal((await rig.engine.store.usage()).images, 0);
  assert.equal(done(await rig.build(FILES, { exports: [] })), built.id);
});

test('an export that fails says so at its own vertex and leaves no half file', async () => {
  await using rig = await EngineRig.open();
  const host = rig.host(FILES);
  const target = rig.path('out.tar');
  const exports = [{ type: 'oci', sink: 'out', tar: true, names: [] }] as const;
  const request = { frontend: 'dockerfile', options: {}, platforms: [], exports, allow: [], annotations: [] };
  let written = 0;
  const sink = {
    kind: 'stream',
    open: async () => {
      const file = fileSink(target, systemRandom);
      return {
        ...file,
        write: async (chunk: Uint8Array) => {
          await file.write(chunk);
          if (++written === 3) throw new Error('the disk is gone');
        },
      };
    },
  } as const;
  const failed: string[] = [];
  const before = readdirSync(rig.path('.'));
  await assert.rejects(async () => {
    for await (const event of rig.engine.build(request, { ...host, sink: () => sink }))
      if (event.kind === 'completed' && event.error !== undefined) failed.push(event.id);
  }, /the disk is gone/);
  assert.deepEqual(failed, ['export 1 oci']);
  assert.deepEqual(
    readdirSync(rig.path('.')).filter((name) => !before.includes(name)),
    [],
  );
});

test('annotations are in every manifest, also that of the store', async () => {
  await using rig = await EngineRig.open();
  const annotations = [{ level: 'manifest', key: 'a', value: 'b' }] as const;
  const exports: ExportRequest[] = [
    { type: 'oci', sink: 'oci', tar: true, names: ['x:1'] },
    { type: 'store', names: ['x'] },
  ];
  const built = await rig.build(FILES, { annotations, exports });
  done(built);
  const chunks: Buffer[] = [];
  const sink = {
    write: async (chunk: Uint8Array) => void chunks.push(Buffer.from(chunk)),
    close: async () => undefined,
    [Symbol.asyncDispose]: async () => undefined,
  };
  await rig.engine.images.save(['x'], sink, { format: 'oci' });
  writeFileSync(rig.path('saved'), Buffer.concat(chunks));
  using archive = await openArchive(rig.path('saved'), { temp: rig.path('.'), random: systemRandom });
  const saved = (await archive.images[0]?.open()) as Image;
  const manifest = JSON.parse(Buffer.from(await saved.manifest()).toString()) as { annotations: object };
  assert.deepEqual(manifest.annotations, { a: 'b' });
});

test('with SOURCE_DATE_EPOCH new layers have no later times, twice the same image from nothing, wherever it was set', async () => {
  const ids: string[] = [];
  for (const o of [{ epoch: 1000 }, { options: { 'build-arg:SOURCE_DATE_EPOCH': '1000' } }]) {
    await using rig = await EngineRig.open();
    const exports: ExportRequest[] = [
      { type: 'store', names: ['x'] },
      { type: 'tar', sink: 'tar' },
    ];
    ids.push(done(await rig.build(FILES, { ...o, exports })));
    const { config } = await rig.engine.images.inspect('x');
    assert.equal(config.created, '1970-01-01T00:16:40Z');
    writeFileSync(rig.path('root.tar'), rig.streams.get('tar') ?? '');
    const entries = await (await tarFileTree(rig.path('root.tar'))).entries();
    assert.ok(entries.every((entry) => entry.mtime <= 1000));
    // A base that was built so is a base like any other: its layers stay.
    done(await rig.build({ Dockerfile: 'FROM x\nRUN write /c c\n' }, { epoch: 5, names: ['y'] }));
    const top = await rig.engine.images.inspect('y');
    assert.deepEqual(top.config.rootfs.diff_ids.slice(0, 2), config.rootfs.diff_ids);
    assert.deepEqual((await rig.build(FILES, { ...o, exports })).ran, []);
  }
  assert.equal(new Set(ids).size, 1);
});

test('a file sink writes through links and to devices, and refuses folders', async () => {
  await using rig = await EngineRig.open();
  const write = async (path: string): Promise<void> => {
    await using sink = fileSink(path, systemRandom);
    await sink.write(Buffer.from('new'));
    await sink.close();
  };
  writeFileSync(rig.path('file'), 'old');
  symlinkSync('file', rig.path('link'));
  await write(rig.path('link'));
  assert.equal(readFileSync(rig.path('file'), 'utf8'), 'new');
  await write('/dev/null');
  assert.ok(statSync('/dev/null').isCharacterDevice());
  mkdirSync(rig.path('folder'));
  await assert.rejects(write(rig.path('folder')), { code: 'EXPORT_INVALID' });
  await assert.rejects(
    write(rig.path('none/file')),
    (error) => error instanceof CodedError && error.code === 'EXPORT_NO_FOLDER',
  );
  // What a killed command has left of the same file goes, what another one is writing stays.
  for (const name of ['.file.0123456789ab', '.file.notes', '.other.0123456789ab']) writeFileSync(rig.path(name), '');
  {
    await using busy = fileSink(rig.path('file'), systemRandom);
    await busy.write(Buffer.from('busy'));
    await write(rig.path('file'));
    await busy.close();
  }
  assert.equal(readFileSync(rig.path('file'), 'utf8'), 'busy');
  assert.deepEqual(
    readdirSync(rig.path('.'))
      .filter((name) => /^\.(file|other)/.test(name))
      .sort(),
    ['.file.notes', '.other.0123456789ab'],
  );
  {
    await using left = fileSink(rig.path('left'), systemRandom);
    await left.write(Buffer.from('half'));
  }
  assert.deepEqual(
    readdirSync(rig.path('.')).filter((name) => name.includes('left')),
    [],
  );
});
