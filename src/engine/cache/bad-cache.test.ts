import assert from 'node:assert/strict';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { bytesOf, collect } from '../../base/index.ts';
import { digestOf, type Descriptor, type Digest } from '../../blob/index.ts';
import { openLayout } from '../../image/index.ts';
import { registryOf } from '../../registry/testing/world.ts';
import { EngineRig, type Built } from '../engine-rig.suite.ts';
import { CACHE_CONFIG_TYPE } from './document.ts';

const FILES = { Dockerfile: 'FROM scratch\nCOPY a /a\nRUN write /b b\nRUN cat /a\n', a: 'aaa' };
const STEPS = ['[1/3] COPY a /a', '[2/3] RUN write /b b', '[3/3] RUN cat /a'];

type Registry = Awaited<ReturnType<typeof registryOf>>;

/** A store with the steps done, and a cache of them in the registry. */
async function cached(registry: Registry): Promise<{ ref: string; id: string | undefined; manifest: Manifest }> {
  await using rig = await EngineRig.open();
  const ref = `${registry.server.host}/cache`;
  const built = await rig.build(FILES, { cacheTo: [{ type: 'registry', ref, mode: 'max' }] });
  assert.equal(built.error, undefined);
  return { ref, id: built.id, manifest: await manifestOf(registry) };
}

interface Manifest {
  readonly config: Descriptor;
  readonly layers: readonly Descriptor[];
}

async function manifestOf(registry: Registry): Promise<Manifest> {
  const stored = await registry.manifests.get('cache', 'latest');
  return JSON.parse(Buffer.from(stored?.content ?? '').toString()) as Manifest;
}

/** Puts another manifest, with other blobs, under the cache's name. */
async function replace(
  registry: Registry,
  o: { config: unknown; type?: string; layers?: readonly Descriptor[] },
): Promise<void> {
  const content = Buffer.from(typeof o.config === 'string' ? o.config : JSON.stringify(o.config));
  const config = await registry.blobs.put(bytesOf(content), { mediaType: o.type ?? CACHE_CONFIG_TYPE });
  await registry.manifests.link('cache', config.digest);
  const mediaType = 'application/vnd.oci.image.manifest.v1+json';
  const bytes = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType, config, layers: o.layers ?? [] }));
  await registry.manifests.put('cache', { mediaType, digest: digestOf(bytes), content: bytes }, { tags: ['latest'] });
}

/** The build must do everything by itself, and say why in one warning that names the cache. */
function ignored(built: Built, ref: string, why: RegExp): void {
  assert.equal(built.error, undefined);
  assert.deepEqual(built.ran, STEPS);
  assert.equal(built.warnings.length, 1, built.warnings.join('\n'));
  assert.ok(built.warnings[0]?.includes(`"${ref}"`), built.warnings.join(' '));
  assert.match(built.warnings[0] ?? '', why);
}

async function buildWith(ref: string): Promise<Built> {
  await using rig = await EngineRig.open();
  return await rig.build(FILES, { cacheFrom: [{ type: 'registry', ref }] });
}

test('a cache that is not there, not to be reached or not to be read is left out with one warning', async () => {
  await using registry = await registryOf();
  const { host } = registry.server;
  ignored(await buildWith(`${host}/none:x`), `${host}/none:x`, /not|no /);
  await using locked = await registryOf({ access: { kind: 'basic', check: () => false } });
  ignored(await buildWith(`${locked.server.host}/c`), `${locked.server.host}/c`, /login/);
  const closed = await registryOf();
  const gone = `${closed.server.host}/c`;
  await closed[Symbol.asyncDispose]();
  ignored(await buildWith(gone), gone, /reach|refused|connect/);
});

test('a foreign, another kind of, a broken and a truncated cache are left out with one warning', async () => {
  await using registry = await registryOf();
  const { ref, manifest } = await cached(registry);
  const { digest } = manifest.config;
  const config = Buffer.from(await collect(await registry.blobs.open(manifest.config))).toString();
  await replace(registry, { config: { layers: [], records: [{ digest: digestOf('x'), layers: [{ layer: 0 }] }] } });
  ignored(await buildWith(ref), ref, /another builder/);
  await replace(registry, {
    config: { os: 'linux', architecture: 'amd64', rootfs: { type: 'layers', diff_ids: [] } },
    type: 'application/vnd.oci.image.config.v1+json',
  });
  ignored(await buildWith(ref), ref, /there is none/);
  await replace(registry, { config: config.slice(0, -20), layers: manifest.layers });
  ignored(await buildWith(ref), ref, /not JSON/);
  await replace(registry, { config, layers: [] });
  ignored(await buildWith(ref), ref, /not as the manifest has it/);
  await replace(registry, { config, layers: manifest.layers });
  await registry.blobs.delete(digest);
  ignored(await buildWith(ref), ref, /blob/);
});

test('a cache of 500 steps is read by two requests', async () => {
  await using registry = await registryOf();
  const { ref, id, manifest } = await cached(registry);
  const config = JSON.parse(Buffer.from(await collect(await registry.blobs.open(manifest.config))).toString()) as {
    strake: { records: unknown[] };
  };
  for (let n = 0; n < 500; n++)
    config.strake.records.push({
      id: digestOf(`id ${n}`),
      keys: [{ digest: digestOf(`key ${n}`), inputs: [digestOf(`id ${n - 1}`)] }],
      outputs: [n % manifest.layers.length],
    });
  await replace(registry, { config, layers: manifest.layers });
  const { digest } = (await manifestOf(registry)).config;
  const asked: string[] = [];
  const open = registry.blobs.open.bind(registry.blobs);
  registry.blobs.open = (...args) => {
    asked.push(`read ${args[0].digest}`);
    return open(...args);
  };
  const get = registry.manifests.get.bind(registry.manifests);
  registry.manifests.get = (repository, reference) => {
    asked.push(`manifest ${reference}`);
    return get(repository, reference);
  };
  await using rig = await EngineRig.open();
  const built = await rig.build(FILES, { cacheFrom: [{ type: 'registry', ref }] });
  assert.deepEqual([built.id, built.ran, built.warnings], [id, [], []]);
  assert.deepEqual(asked, ['manifest latest', `read ${digest}`]);
});

test('one cache of two that is broken does not keep the other from being used', async () => {
  await using registry = await registryOf();
  const { ref, id } = await cached(registry);
  await using rig = await EngineRig.open();
  const bad = `${registry.server.host}/none`;
  const built = await rig.build(FILES, { cacheFrom: [bad, ref].map((one) => ({ type: 'registry', ref: one })) });
  assert.deepEqual([built.error, built.id, built.ran, built.warnings.length], [undefined, id, [], 1]);
});

test('a layer that is gone from the cache: the steps that need it run', async () => {
  await using registry = await registryOf();
  const { ref, manifest } = await cached(registry);
  // The layer of COPY: all results have it.
  await registry.blobs.delete((manifest.layers[0] as Descriptor).digest);
  ignored(await buildWith(ref), ref, /not there/);
});

test('a layer that is not what the cache says: found out when it is seen, forgotten, and its steps run', async () => {
  await using registry = await registryOf();
  const { ref, manifest } = await cached(registry);
  const first = manifest.layers[0] as Descriptor;
  // The registry has other bytes under that name, of the same length.
  const wrong = Buffer.alloc(first.size, 7);
  const open = registry.blobs.open.bind(registry.blobs);
  registry.blobs.open = async (descriptor, o) =>
    descriptor.digest === first.digest ? bytesOf(wrong) : open(descriptor, o);
  await using rig = await EngineRig.open();
  const changed = { ...FILES, Dockerfile: FILES.Dockerfile.replace('RUN cat /a', 'RUN cat /a && cat /b') };
  const built = await rig.build(changed, { names: ['x'], cacheFrom: [{ type: 'registry', ref }] });
  assert.equal(built.error, undefined);
  assert.match(built.log, /aaa\nb\n$/);
  assert.equal(built.warnings.length, 1, built.warnings.join('\n'));
  assert.ok(built.warnings[0]?.includes(`"${ref}"`), built.warnings.join(' '));
  assert.deepEqual(await Array.fromAsync(rig.engine.store.check()), []);
  // What was made then has nothing of the cache.
  const again = await rig.build(changed, {});
  assert.deepEqual([again.id, again.ran], [built.id, []]);
});

test('a layer whose diffID is a lie is noticed, and its steps run', async () => {
  await using registry = await registryOf();
  const { ref, manifest } = await cached(registry);
  const chunks = await Array.fromAsync(await registry.blobs.open(manifest.config));
  const config = JSON.parse(Buffer.concat(chunks).toString()) as { layers: { annotations: { diffID: Digest } }[] };
  for (const { annotations } of config.layers) annotations.diffID = digestOf(annotations.diffID);
  await replace(registry, { config, layers: manifest.layers });
  await using rig = await EngineRig.open();
  const changed = { ...FILES, Dockerfile: FILES.Dockerfile.replace('RUN cat /a', 'RUN cat /a && cat /b') };
  const built = await rig.build(changed, { cacheFrom: [{ type: 'registry', ref }] });
  assert.deepEqual([built.error, built.warnings.length], [undefined, 1]);
  assert.match(built.log, /aaa\nb\n$/);
});

test('a layer that is spoiled on its way to another registry: its steps run, and the push is whole', async () => {
  await using registry = await registryOf();
  await using other = await registryOf();
  const { ref, manifest } = await cached(registry);
  const first = manifest.layers[0] as Descriptor;
  const open = registry.blobs.open.bind(registry.blobs);
  registry.blobs.open = async (descriptor, o) =>
    descriptor.digest === first.digest ? bytesOf(Buffer.alloc(first.size, 7)) : open(descriptor, o);
  await using rig = await EngineRig.open();
  const name = `${other.server.host}/app:1`;
  const built = await rig.build(FILES, {
    exports: [{ type: 'registry', names: [name] }],
    cacheFrom: [{ type: 'registry', ref }],
  });
  assert.equal(built.error, undefined);
  assert.equal(built.warnings.length, 1, built.warnings.join('\n'));
  await using third = await EngineRig.open();
  assert.equal((await third.build({ Dockerfile: `FROM ${name}\nRUN cat /b\n` })).log, 'b\n');
});

test('a folder whose blobs are damaged or gone: the steps that need them run', async () => {
  await using here = await EngineRig.open();
  const folder = here.path('folder-cache');
  const built = await here.build(FILES, {
    cacheTo: [{ type: 'local', sink: 'folder-cache', name: 'cache', tag: 'latest', mode: 'max' }],
  });
  assert.equal(built.error, undefined);
  const manifest = openLayout(folder).images[0]?.descriptor as Descriptor;
  const blobs = join(folder, 'blobs/sha256');
  const layers = (JSON.parse(readFileSync(join(blobs, manifest.digest.slice(7)), 'utf8')) as Manifest).layers;
  for (const name of readdirSync(blobs))
    if (layers.some(({ digest }) => digest.endsWith(name))) writeFileSync(join(blobs, name), 'damaged');
  await using rig = await EngineRig.open();
  const again = await rig.build(FILES, { cacheFrom: [{ type: 'local', store: folder, name: 'cache', manifest }] });
  ignored(again, 'cache', /blob|digest|bytes/);
  assert.deepEqual(await Array.fromAsync(rig.engine.store.check()), []);
});

test('a cache that cannot be written fails the build, unless that is to be ignored', async () => {
  await using locked = await registryOf({ access: { kind: 'basic', check: () => false } });
  await using rig = await EngineRig.open();
  const to = { type: 'registry', ref: `${locked.server.host}/c`, mode: 'max' } as const;
  const failed = await rig.build(FILES, { names: ['x'], cacheTo: [to] });
  assert.match(String(failed.error), /login/);
  const ignoring = await rig.build(FILES, { names: ['x'], cacheTo: [{ ...to, ignoreError: true }] });
  assert.equal(ignoring.error, undefined);
  assert.match(ignoring.warnings[0] ?? '', /is not written.*login/);
  assert.ok(ignoring.id);
});

test('what is wrong with a cache as it is asked for is said before anything runs', async () => {
  await using rig = await EngineRig.open();
  const to = { type: 'registry', ref: 'localhost:1/c', mode: 'max' } as const;
  for (const [o, says] of [
    [{ cacheTo: [{ ...to, compression: { name: 'gzip', level: 10 } }] }, /gzip at level 10/],
    [{ cacheTo: [{ ...to, ref: 'UPPER/c' }] }, /UPPER/],
    [{ cacheFrom: [{ type: 'registry', ref: 'a b' }] }, /a b/],
  ] as const) {
    const built = await rig.build(FILES, o);
    assert.match(String(built.error), says);
    assert.deepEqual(built.ran, []);
  }
});

test('a base that its registry no longer has is no matter of caches: the build fails as it did', async () => {
  await using registry = await registryOf();
  const name = `${registry.server.host}/base:1`;
  await using maker = await EngineRig.open();
  await maker.build(
    { Dockerfile: 'FROM scratch\nCOPY a /a\n', a: 'a' },
    { exports: [{ type: 'registry', names: [name] }] },
  );
  const stored = await registry.manifests.get('base', '1');
  const { layers } = JSON.parse(Buffer.from(stored?.content ?? '').toString()) as Manifest;
  await using rig = await EngineRig.open();
  await registry.blobs.delete((layers[0] as Descriptor).digest);
  const built = await rig.build({ Dockerfile: `FROM ${name}\nRUN cat /a\n` });
  assert.notEqual(built.error, undefined);
  assert.deepEqual(built.warnings, []);
});
