import assert from 'node:assert/strict';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { systemRandom } from '../base/index.ts';
import { openArchive, manifestOf, parsePlatform, type Image } from '../image/index.ts';
import { registryOf } from '../registry/testing/world.ts';
import { EngineRig } from './engine-rig.suite.ts';

test('push-by-digest pushes no tag; a name with one is refused', async () => {
  await using registry = await registryOf();
  await using rig = await EngineRig.open();
  const name = `${registry.server.host}/x`;
  const files = { Dockerfile: 'FROM scratch\nCOPY a /\n', a: 'a' };
  const { result, error } = await rig.build(files, { exports: [{ type: 'registry', names: [name], byDigest: true }] });
  assert.equal(error, undefined);
  const digest = result?.metadata['containerimage.digest'] as string;
  assert.equal((await registry.manifests.get('x', digest))?.digest, digest);
  assert.equal(await registry.manifests.get('x', 'latest'), undefined);
  assert.equal(result?.metadata['image.name'], name);
  const tagged = await rig.build(files, { exports: [{ type: 'registry', names: [`${name}:1`], byDigest: true }] });
  assert.match(String(tagged.error), /can't push tagged ref .*\/x:1 by digest/);
});

test('force-compression compresses the layers of a base anew, and without it they stay', async () => {
  await using registry = await registryOf();
  const base = `${registry.server.host}/base:1`;
  await using maker = await EngineRig.open();
  await maker.build(
    { Dockerfile: 'FROM scratch\nCOPY a /\n', a: 'a'.repeat(3000) },
    { exports: [{ type: 'registry', names: [base] }] },
  );
  await using rig = await EngineRig.open();
  const zstd = { name: 'zstd' } as const;
  const { error } = await rig.build(
    { Dockerfile: `FROM ${base}\nCOPY b /\n`, b: 'b' },
    {
      exports: [
        { type: 'oci', sink: 'kept', tar: true, names: [], compression: zstd },
        { type: 'oci', sink: 'forced', tar: true, names: [], compression: { ...zstd, force: true } },
        { type: 'oci', sink: 'docker', tar: true, names: [], docker: true },
      ],
    },
  );
  assert.equal(error, undefined);
  const types = async (sink: string): Promise<readonly string[]> => {
    writeFileSync(rig.path(sink), rig.streams.get(sink) ?? '');
    using archive = await openArchive(rig.path(sink), { temp: rig.path('.'), random: systemRandom });
    const image = (await archive.images[0]?.open()) as Image;
    return (await manifestOf(image)).layers.map(({ mediaType }) => mediaType.split('.').slice(-2).join('.'));
  };
  assert.deepEqual(await types('kept'), ['v1.tar+gzip', 'v1.tar+zstd']);
  assert.deepEqual(await types('forced'), ['v1.tar+zstd', 'v1.tar+zstd']);
  assert.deepEqual(await types('docker'), ['tar.gzip', 'tar.gzip']);
  const conflict = await rig.build(
    { Dockerfile: 'FROM scratch\n' },
    { exports: [{ type: 'registry', names: [base], docker: true, compression: zstd }] },
  );
  assert.match(String(conflict.error), /"compression=zstd" conflicts with "oci-mediatypes=false"/);
});

test('the store says what a manifest will be, where that is asked', async () => {
  await using registry = await registryOf();
  await using rig = await EngineRig.open();
  const name = `${registry.server.host}/x:1`;
  const { result } = await rig.build(
    { Dockerfile: 'FROM scratch\nCOPY a /\n', a: 'a' },
    { exports: [{ type: 'store', names: [name], describe: {} }] },
  );
  const digest = result?.metadata['containerimage.digest'];
  assert.equal(
    (await rig.engine.images.push(name, name, { host: { credentials: async () => undefined } })).digest,
    digest,
  );
});

test('files of several platforms lie in one folder where they are not to be split; one alone is split where asked', async () => {
  await using rig = await EngineRig.open();
  const platforms = ['linux/amd64', 'linux/arm64'].map((text) => parsePlatform(text));
  const exports = (sink: string, split: boolean) => [{ type: 'local', sink, split } as const];
  const Dockerfile = 'FROM scratch\nARG TARGETARCH\nCOPY a /dir/$TARGETARCH\n';
  const merged = await rig.build({ Dockerfile, a: 'a' }, { platforms, exports: exports('folder-one', false) });
  assert.equal(merged.error, undefined);
  for (const arch of ['amd64', 'arm64']) assert.equal(readFileSync(rig.path(`folder-one/dir/${arch}`), 'utf8'), 'a');
  const clash = await rig.build(
    { Dockerfile: 'FROM scratch\nCOPY a /a\n', a: 'a' },
    { platforms, exports: exports('folder-two', false) },
  );
  assert.match(
    String(clash.error),
    /cannot overwrite a from linux\/amd64 with linux\/arm64 when split option is disabled/,
  );
  const [first] = platforms;
  const alone = await rig.build(
    { Dockerfile, a: 'a' },
    { platforms: [first!], exports: exports('folder-three', true) },
  );
  assert.equal(alone.error, undefined);
  assert.ok(existsSync(rig.path('folder-three/linux_amd64/dir/amd64')));
});
