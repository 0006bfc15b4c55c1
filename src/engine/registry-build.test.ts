import assert from 'node:assert/strict';
import { rmSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { CodedError, systemRandom, type Bytes } from '../base/index.ts';
import { DiskBlobStore, MemoryBlobStore, type Descriptor } from '../blob/index.ts';
import { registryOf } from '../registry/testing/world.ts';
import { EngineRig } from './engine-rig.suite.ts';

/** A blob store that notes which blobs were read. */
class NotedBlobs extends MemoryBlobStore {
  readonly opened: string[] = [];

  override async open(descriptor: Descriptor, o?: Parameters<MemoryBlobStore['open']>[1]): Promise<Bytes> {
    this.opened.push(descriptor.digest);
    return super.open(descriptor, o);
  }
}

const BASE = { Dockerfile: 'FROM scratch\nCOPY a /a\nCOPY b /b\nENV X=1\n', a: 'a'.repeat(5000), b: 'b' };

/** Pushes an image of two layers as `name`, from a store of its own; gives the digests of the layers' blobs. */
async function pushBase(name: string, files: Record<string, string> = BASE): Promise<readonly string[]> {
  await using maker = await EngineRig.open();
  const { error } = await maker.build(files, { names: ['base'] });
  assert.equal(error, undefined);
  const host = { credentials: async () => undefined };
  await maker.engine.images.push('base', name, { host });
  await maker.engine.images.pull(name, { host });
  return (await maker.engine.images.inspect(name)).layers.map((layer) => layer.compressed?.digest ?? '');
}

test('a build that needs no byte of its base downloads none, and pushes by mounting', async () => {
  const blobs = new NotedBlobs();
  await using registry = await registryOf({ blobs });
  const { host } = registry.server;
  const layers = await pushBase(`${host}/base:1`);
  blobs.opened.length = 0;
  await using rig = await EngineRig.open();
  const built = await rig.build(
    { Dockerfile: `FROM ${host}/base:1\nENV Y=2\nCMD ["x"]\n` },
    {
      exports: [
        { type: 'registry', names: [`${host}/mine:1`] },
        { type: 'store', names: [] },
      ],
    },
  );
  assert.equal(built.error, undefined);
  assert.ok(!layers.some((digest) => blobs.opened.includes(digest)));
  const [manifest] = built.result?.images[0]?.manifests ?? [];
  assert.equal(built.result?.metadata['containerimage.digest'], manifest?.descriptor.digest);
  const there = await registry.manifests.get('mine', '1');
  assert.equal(there?.digest, manifest?.descriptor.digest);
  assert.ok(built.events.some((event) => event.kind === 'note' && event.text.includes('pushing manifest for')));
});

test('a step that runs fetches the layers once; the next build asks nobody', async () => {
  const blobs = new NotedBlobs();
  await using registry = await registryOf({ blobs });
  const { host } = registry.server;
  const layers = await pushBase(`${host}/base:1`);
  blobs.opened.length = 0;
  await using rig = await EngineRig.open();
  const files = {
    Dockerfile: `FROM ${host}/base:1 AS one\nRUN cat /a\nFROM ${host}/base:1\nRUN cat /b\nCOPY --from=one /a /c\n`,
  };
  const built = await rig.build(files, { names: ['x'] });
  assert.equal(built.error, undefined);
  assert.deepEqual(blobs.opened.filter((digest) => layers.includes(digest)).toSorted(), layers.toSorted());
  blobs.opened.length = 0;
  const again = await rig.build(files, { names: ['x'] });
  assert.deepEqual([again.id, again.ran, blobs.opened], [built.id, [], []]);
  const names = (await rig.engine.images.list()).flatMap((image) => image.names);
  assert.deepEqual(names.toSorted(), [`${host}/base:1`, 'x:latest'].toSorted());
});

test('what was moved meanwhile is found with --pull only', async () => {
  await using registry = await registryOf();
  const { host } = registry.server;
  await pushBase(`${host}/base:1`);
  await using rig = await EngineRig.open();
  const files = { Dockerfile: `FROM ${host}/base:1\nRUN cat /b\n` };
  assert.match((await rig.build(files)).log, /^b\n/);
  await pushBase(`${host}/base:1`, { ...BASE, b: 'new' });
  assert.deepEqual((await rig.build(files)).ran, []);
  const pulled = await rig.build(files, { options: { 'image-resolve-mode': 'pull' } });
  assert.match(pulled.log, /^new\n/);
  assert.deepEqual((await rig.build(files)).ran, []);
});

test('a private base is not to be had with what another build was allowed', async () => {
  await using maker = await registryOf();
  await pushBase(`${maker.server.host}/private:1`);
  await using registry = await registryOf({
    blobs: maker.blobs,
    manifests: maker.manifests,
    access: { kind: 'basic', check: (user, password) => user === 'me' && password === 'secret' },
  });
  const { host } = registry.server;
  const credential = { username: 'me', secret: 'secret', kind: 'password' } as const;
  await using rig = await EngineRig.open();
  const files = { Dockerfile: `FROM ${host}/private:1\nENV A=1\n` };
  const [allowed, refused] = await Promise.all([rig.build(files, { credential }), rig.build(files)]);
  assert.equal(allowed.error, undefined);
  assert.ok(refused.error instanceof CodedError);
  assert.equal(refused.error.kind, 'denied');
});

test('a layer that the registry no longer has fails the step that needs it, with its place', async () => {
  await using registry = await registryOf();
  const { host } = registry.server;
  const [layer] = await pushBase(`${host}/base:1`);
  await using rig = await EngineRig.open();
  assert.equal((await rig.build({ Dockerfile: `FROM ${host}/base:1\nENV A=1\n` })).error, undefined);
  await registry.blobs.delete(layer as `sha256:${string}`);
  const { error } = await rig.build({ Dockerfile: `FROM ${host}/base:1\nRUN cat /a\n` });
  assert.ok(error instanceof CodedError);
  assert.deepEqual([error.kind, error.place?.line], ['not_found', 2]);
});

test('a blob that the disk has spoiled is fetched again', async () => {
  await using registry = await registryOf();
  const { host } = registry.server;
  const [layer = ''] = await pushBase(`${host}/base:1`);
  await using rig = await EngineRig.open();
  assert.equal((await rig.build({ Dockerfile: `FROM ${host}/base:1\nRUN cat /a\n` })).error, undefined);
  const { layers } = await rig.engine.images.inspect(`${host}/base:1`);
  const store = new DiskBlobStore(`${rig.root}/blobs`, { clock: rig.clock, random: systemRandom });
  const path = store.pathOf(layer as `sha256:${string}`);
  rmSync(path);
  writeFileSync(path, 'spoiled');
  for (const { diffId } of layers) await store.delete(diffId);
  await using next = await EngineRig.open({ root: rig.root });
  const built = await next.build({ Dockerfile: `FROM ${host}/base:1\nRUN cat /a && echo again\n` });
  assert.equal(built.error, undefined);
  assert.deepEqual(await Array.fromAsync(next.engine.store.check()), []);
});
