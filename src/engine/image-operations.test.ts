import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { test } from 'node:test';
import type { CodedError } from '../base/index.ts';
import { registryOf } from '../registry/testing/world.ts';
import type { ByteSink } from '../worker/index.ts';
import { EngineRig } from './engine-rig.suite.ts';

const HOST = { credentials: async () => undefined };
const FILES = { Dockerfile: 'FROM scratch\nCOPY a /a\nCMD ["/a"]\n', a: 'a' };

function sinkTo(path: string): ByteSink {
  const chunks: Uint8Array[] = [];
  return {
    write: async (chunk) => void chunks.push(Buffer.from(chunk)),
    close: async () => writeFileSync(path, Buffer.concat(chunks)),
    [Symbol.asyncDispose]: async () => undefined,
  };
}

async function built(rig: EngineRig, names: readonly string[], files: Record<string, string> = FILES): Promise<string> {
  const { id, error } = await rig.build(files, { names });
  assert.equal(error, undefined);
  return id ?? '';
}

test('images are listed, tagged, untagged and removed by name and by ID', async () => {
  await using rig = await EngineRig.open();
  const { images } = rig.engine;
  const id = await built(rig, ['one']);
  await images.tag('one', 'two:2');
  await images.tag(id.slice('sha256:'.length, 20), 'host.example/three');
  const [listed, ...more] = await images.list();
  assert.deepEqual([listed?.id, more], [id, []]);
  assert.deepEqual(listed?.names.toSorted(), ['host.example/three:latest', 'one:latest', 'two:2']);
  assert.deepEqual(await images.remove('two:2'), { untagged: ['two:2'], deleted: [] });
  await assert.rejects(images.inspect('two:2'), { code: 'IMAGE_NOT_FOUND', kind: 'not_found' });
  const gone = await images.remove(id);
  assert.deepEqual([gone.untagged.toSorted(), gone.deleted], [['host.example/three:latest', 'one:latest'], [id]]);
  assert.deepEqual(await images.list(), []);
  const again = await built(rig, ['one']);
  assert.equal(again, id);
  assert.deepEqual(await images.remove('one'), { untagged: ['one:latest'], deleted: [id] });
});

test('an image that is saved and loaded elsewhere is the same image, from either format', async () => {
  await using rig = await EngineRig.open();
  const id = await built(rig, ['one', 'other:2']);
  for (const format of ['oci', 'docker'] as const) {
    const path = rig.path(`${format}.tar`);
    const sink = sinkTo(path);
    await rig.engine.images.save(['one', 'other:2'], sink, { format });
    await sink.close();
    await using next = await EngineRig.open();
    const loaded = await next.engine.images.load(path);
    assert.deepEqual(new Set(loaded.map((image) => image.id)), new Set([id]));
    const { names, config } = await next.engine.images.inspect('other:2');
    assert.deepEqual([names.toSorted(), config.config?.Cmd], [['one:latest', 'other:2'], ['/a']]);
    assert.deepEqual(await Array.fromAsync(next.engine.store.check()), []);
    const run = await next.build({ Dockerfile: 'FROM one\nRUN cat /a\n' });
    assert.match(run.log, /^a\n/);
  }
});

test('images are copied between store, layouts, archives and registries with the same digest', async () => {
  await using registry = await registryOf();
  await using rig = await EngineRig.open();
  const id = await built(rig, ['one']);
  const { images } = rig.engine;
  const copy = async (from: string, to: string): Promise<string> =>
    (await images.copy(from, to, { host: HOST })).digest;
  const name = `docker://${registry.server.host}/x:1`;
  const pushed = await copy('store:one', name);
  assert.equal(await copy(name, `oci:${rig.path('layout')}:v1`), pushed);
  assert.equal(await copy(`oci:${rig.path('layout')}:v1`, `oci-archive:${rig.path('archive')}:v1`), pushed);
  assert.equal(await copy(`oci-archive:${rig.path('archive')}:v1`, `docker://${registry.server.host}/y:1`), pushed);
  await copy(name, 'store:back');
  const back = await images.inspect('back');
  assert.deepEqual([back.id, back.manifestDigest], [id, pushed]);
  await assert.rejects(images.copy('ftp://x', 'one', { host: HOST }), { code: 'LOCATION_INVALID' });
});

test('a pulled image is whole; a name leads to what it led to before while a pull fails', async () => {
  await using registry = await registryOf();
  const { host } = registry.server;
  const name = `${host}/x:1`;
  await using maker = await EngineRig.open();
  await built(maker, ['one']);
  await maker.engine.images.push('one', name, { host: HOST });
  await using rig = await EngineRig.open();
  const seen: string[] = [];
  const pulled = await rig.engine.images.pull(name, {
    host: HOST,
    onProgress: ({ done }) => void (done && seen.push(done)),
  });
  assert.deepEqual([pulled.names, seen], [[name], ['moved']]);
  assert.ok(pulled.layers.every((layer) => layer.size !== undefined));
  const again: string[] = [];
  await rig.engine.images.pull(name, { host: HOST, onProgress: ({ done }) => void (done && again.push(done)) });
  assert.deepEqual(again, ['exists']);
  await built(maker, ['one'], { ...FILES, a: 'changed' });
  await maker.engine.images.push('one', name, { host: HOST });
  const changed = (await maker.engine.images.pull(name, { host: HOST })).layers[0]?.compressed?.digest;
  assert.ok(changed && (await registry.blobs.delete(changed)));
  await assert.rejects(rig.engine.images.pull(name, { host: HOST }), { kind: 'not_found' });
  const kept = await rig.engine.images.list();
  assert.deepEqual(
    kept.map((image) => [image.names, image.id]),
    [[[name], pulled.id]],
  );
});

test('pushing what was pulled gives the very manifest it came with', async () => {
  await using registry = await registryOf();
  const { host } = registry.server;
  await using rig = await EngineRig.open();
  await built(rig, ['one']);
  const first = await rig.engine.images.push('one', `${host}/x:1`, { host: HOST });
  const twice = await rig.engine.images.push('one', `${host}/x:2`, { host: HOST });
  const { manifestDigest } = await rig.engine.images.pull(`${host}/x:1`, { host: HOST });
  const third = await rig.engine.images.push(`${host}/x:1`, `${host}/y:1`, { host: HOST });
  assert.deepEqual(new Set([first.digest, twice.digest, manifestDigest, third.digest]).size, 1);
});

test('names and IDs that mean nothing or several things are said to', async () => {
  await using rig = await EngineRig.open();
  await assert.rejects(rig.engine.images.inspect('absent'), (error) => /absent/.test((error as CodedError).message));
  await assert.rejects(rig.engine.images.push('absent', 'x', { host: HOST }), { code: 'IMAGE_NOT_FOUND' });
  await assert.rejects(rig.engine.images.load(rig.path('nothing')), { code: 'LOCATION_INVALID' });
});
