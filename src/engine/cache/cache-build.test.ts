import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HttpClient, systemClock, type Bytes } from '../../base/index.ts';
import { MemoryBlobStore, type Descriptor } from '../../blob/index.ts';
import { openCacheStore } from '../../cloud/index.ts';
import { s3StandIn } from '../../cloud/testing/s3.ts';
import { openLayout } from '../../image/index.ts';
import { registryOf } from '../../registry/testing/world.ts';
import { EngineRig, type Built } from '../engine-rig.suite.ts';
import type { CacheExport, CacheImport } from '../index.ts';

/** A blob store that notes which blobs were read and which were written. */
class NotedBlobs extends MemoryBlobStore {
  readonly opened: string[] = [];
  readonly written: string[] = [];

  override async open(descriptor: Descriptor, o?: Parameters<MemoryBlobStore['open']>[1]): Promise<Bytes> {
    this.opened.push(descriptor.digest);
    return super.open(descriptor, o);
  }

  override async put(...args: Parameters<MemoryBlobStore['put']>): Promise<Descriptor> {
    const descriptor = await super.put(...args);
    this.written.push(descriptor.digest);
    return descriptor;
  }
}

const Dockerfile = `FROM scratch AS build
COPY src /src
RUN append /src/app -built
FROM scratch
COPY other /other
COPY --from=build /src/app /app
RUN random /luck
CMD ["/app"]
`;
const FILES = { Dockerfile, 'src/app': 'program', other: 'other' };

function done(built: Built): string {
  if (built.error !== undefined) throw built.error as Error;
  return built.id ?? assert.fail('no image');
}

const layersOf = async (rig: EngineRig, name: string): Promise<readonly (string | undefined)[]> =>
  (await rig.engine.images.inspect(name)).layers.map(({ compressed }) => compressed?.digest);

for (const mode of ['min', 'max'] as const)
  test(`an empty store with a registry's cache (mode=${mode}) runs nothing, comes to the same image and pulls no layer`, async () => {
    const blobs = new NotedBlobs();
    await using registry = await registryOf({ blobs });
    const ref = `${registry.server.host}/cache:main`;
    await using here = await EngineRig.open();
    const first = await here.build(FILES, { cacheTo: [{ type: 'registry', ref, mode }] });
    const id = done(first);
    assert.ok(first.events.some((e) => e.kind === 'vertex' && e.name === 'exporting cache to registry'));
    assert.equal(
      (first.result?.metadata['cache.manifest'] as Descriptor | undefined)?.digest,
      (await registry.manifests.get('cache', 'main'))?.digest,
    );
    blobs.opened.length = 0;

    await using there = await EngineRig.open();
    const second = await there.build(FILES, { names: ['app'], cacheFrom: [{ type: 'registry', ref }] });
    assert.deepEqual([done(second), second.ran, second.warnings], [id, [], []]);
    assert.equal(blobs.opened.length, 1, "the cache's config, and no layer");
    assert.equal(there.ground.opened, 0);
    // The store knows them now, and asks nobody.
    const third = await there.build(FILES, { cacheFrom: [{ type: 'registry', ref }] });
    assert.deepEqual([done(third), third.ran], [id, []]);
    assert.ok(!third.events.some((e) => e.kind === 'vertex' && e.name.startsWith('importing cache')));
  });

test('a cache among the objects of a cloud: nothing runs in an empty store; a blob that is gone or another one runs its steps again', async () => {
  const keys = { id: 'AKID', secret: 'secret' };
  await using server = await s3StandIn(keys);
  await using http = new HttpClient({ env: {} });
  const cloud = { http, env: {}, home: '/nowhere', clock: systemClock };
  const attributes = new Map([
    ['bucket', 'b'],
    ['region', 'r'],
    ['endpoint_url', server.url],
    ['use_path_style', 'true'],
    ['access_key_id', keys.id],
    ['secret_access_key', keys.secret],
  ]);
  const objects = async () => openCacheStore('s3', attributes, cloud) ?? assert.fail();
  const cache = { type: 'objects', store: 'any', name: 's3:b' } as const;
  await using here = await EngineRig.open();
  const none = await here.build(FILES, { cacheFrom: [cache], cacheTo: [{ ...cache, mode: 'max' }], objects });
  const id = done(none);
  assert.match(none.warnings.join(), /ignoring cache "s3:b": read cache: there is none yet/);
  assert.ok(none.events.some((e) => e.kind === 'vertex' && e.name === 'exporting cache to object store'));

  await using there = await EngineRig.open();
  const second = await there.build(FILES, { names: ['app'], cacheFrom: [cache], objects });
  assert.deepEqual([done(second), second.ran, second.warnings], [id, [], []]);

  server.asked.length = 0;
  done(await there.build(FILES, { cacheTo: [{ ...cache, mode: 'max' }], objects }));
  assert.deepEqual(
    server.asked.filter((line) => line.startsWith('PUT')),
    ['PUT /b/manifests/buildkit 200'],
    'what is there is not sent again',
  );

  for (const [name, object] of server.objects) if (name.includes('/blobs/')) object.content = Buffer.from('other');
  await using elsewhere = await EngineRig.open();
  const third = await elsewhere.build(FILES, { cacheFrom: [cache], objects });
  done(third);
  assert.ok(third.ran.length > 0);
  assert.match(third.warnings.join(), /s3:b/);
});

test('with the last step changed only that runs, on top of what the cache has', async () => {
  await using registry = await registryOf();
  const ref = `${registry.server.host}/cache`;
  await using here = await EngineRig.open();
  done(await here.build(FILES, { cacheTo: [{ type: 'registry', ref, mode: 'max' }] }));
  await using there = await EngineRig.open();
  const changed = Dockerfile.replace('RUN random /luck', 'RUN cat /app && cat /other');
  const built = await there.build({ ...FILES, Dockerfile: changed }, { cacheFrom: [{ type: 'registry', ref }] });
  assert.equal(built.error, undefined);
  assert.deepEqual(built.ran, ['[stage-1 3/3] RUN cat /app && cat /other']);
  assert.match(built.log, /program-built\nother\n/);
});

test('a change below: mode=max has the stage, mode=min has not', async () => {
  await using registry = await registryOf();
  const { host } = registry.server;
  await using here = await EngineRig.open();
  const cacheTo: CacheExport[] = [
    { type: 'registry', ref: `${host}/max`, mode: 'max' },
    { type: 'registry', ref: `${host}/min`, mode: 'min' },
  ];
  done(await here.build(FILES, { cacheTo }));
  const changed = { ...FILES, Dockerfile: Dockerfile.replace('/src/app /app', '/src/app /application') };
  const ran = async (mode: string): Promise<readonly string[]> => {
    await using there = await EngineRig.open();
    const built = await there.build(changed, { cacheFrom: [{ type: 'registry', ref: `${host}/${mode}` }] });
    assert.equal(built.error, undefined);
    return built.ran.toSorted();
  };
  const after = ['[stage-1 2/3] COPY --from=build /src/app /application', '[stage-1 3/3] RUN random /luck'];
  assert.deepEqual(await ran('max'), after);
  assert.deepEqual(await ran('min'), ['[build 1/2] COPY src /src', '[build 2/2] RUN append /src/app -built', ...after]);
});

test('a result that goes to the registry of the cache is mounted there, never downloaded', async () => {
  const blobs = new NotedBlobs();
  await using registry = await registryOf({ blobs });
  const { host } = registry.server;
  await using here = await EngineRig.open();
  const pushed = { type: 'registry', names: [`${host}/app:1`] } as const;
  const first = await here.build(FILES, {
    exports: [pushed],
    cacheTo: [{ type: 'registry', ref: `${host}/cache`, mode: 'min' }],
  });
  done(first);
  await using there = await EngineRig.open();
  blobs.opened.length = 0;
  blobs.written.length = 0;
  const second = await there.build(FILES, {
    exports: [{ type: 'registry', names: [`${host}/elsewhere:1`] }],
    cacheFrom: [{ type: 'registry', ref: `${host}/cache` }],
  });
  assert.deepEqual([done(second), second.ran], [first.id, []]);
  assert.equal(
    second.result?.metadata['containerimage.digest'],
    first.result?.metadata['containerimage.digest'],
    'the manifest is the same, too',
  );
  assert.equal(blobs.opened.length, 1, "the cache's config");
  assert.deepEqual(
    blobs.written.filter((digest) => digest !== second.id),
    [],
  );
});

test('writing a cache again sends nothing that is there, also over another machine', async () => {
  const blobs = new NotedBlobs();
  await using registry = await registryOf({ blobs });
  const ref = `${registry.server.host}/cache`;
  const cacheTo: CacheExport[] = [{ type: 'registry', ref, mode: 'max' }];
  await using here = await EngineRig.open();
  done(await here.build(FILES, { cacheTo }));
  const manifest = (await registry.manifests.get('cache', 'latest'))?.digest;
  blobs.written.length = 0;
  done(await here.build(FILES, { cacheTo }));
  await using there = await EngineRig.open();
  done(await there.build(FILES, { cacheTo, cacheFrom: [{ type: 'registry', ref }] }));
  assert.deepEqual(blobs.written, []);
  assert.equal((await registry.manifests.get('cache', 'latest'))?.digest, manifest, 'no key was lost on the way');
});

test('a folder as a cache: by tag and digest, copied only where needed, whole without the folder afterwards', async () => {
  await using here = await EngineRig.open();
  const folder = here.path('folder-cache');
  const cacheTo: CacheExport[] = [
    { type: 'local', sink: 'folder-cache', name: 'cache', tag: 'main', mode: 'max', compression: { name: 'zstd' } },
  ];
  const id = done(await here.build(FILES, { cacheTo }));
  const manifest = openLayout(folder).images.find(({ refs }) => refs.includes('main'))?.descriptor;
  assert.ok(manifest);
  await using there = await EngineRig.open();
  const cacheFrom: CacheImport[] = [{ type: 'local', store: folder, name: 'cache', manifest }];
  const built = await there.build(FILES, { names: ['app'], cacheFrom });
  assert.deepEqual([done(built), built.ran, built.warnings], [id, [], []]);
  assert.equal((await layersOf(there, 'app')).length, 3);
  const usage = await there.engine.store.usage();
  // Three layers and the config; the layers of the other stage were not copied.
  assert.equal(usage.blobs, 4);
  const later = await there.build({
    Dockerfile: Dockerfile.replace('random /luck', 'cat /app'),
    'src/app': 'program',
    other: 'other',
  });
  assert.deepEqual([later.error, later.ran], [undefined, ['[stage-1 3/3] RUN cat /app']]);
});

test('inside the image: the image stays valid and is a cache of its own steps', async () => {
  const blobs = new NotedBlobs();
  await using registry = await registryOf({ blobs });
  const name = `${registry.server.host}/app:1`;
  await using here = await EngineRig.open();
  const o = { exports: [{ type: 'registry', names: [name] } as const], cacheTo: [{ type: 'inline' } as const] };
  const id = done(await here.build(FILES, o));
  await using there = await EngineRig.open();
  blobs.opened.length = 0;
  const cacheFrom: CacheImport[] = [{ type: 'registry', ref: name }];
  const again = await there.build(FILES, { ...o, cacheFrom });
  assert.deepEqual([done(again), again.ran, again.warnings], [id, [], []]);
  assert.equal(blobs.opened.length, 1, 'the config');
  await using third = await EngineRig.open();
  const host = { credentials: async () => undefined };
  assert.equal((await third.engine.images.pull(name, { host })).layers.length, 3);
});

test('older forms: Docker media types, and an index of blobs', async () => {
  await using registry = await registryOf();
  const ref = `${registry.server.host}/cache`;
  await using here = await EngineRig.open();
  const id = done(
    await here.build(FILES, { cacheTo: [{ type: 'registry', ref, mode: 'max', docker: true, asIndex: true }] }),
  );
  const stored = await registry.manifests.get('cache', 'latest');
  assert.equal(stored?.mediaType, 'application/vnd.docker.distribution.manifest.list.v2+json');
  await using there = await EngineRig.open();
  const built = await there.build(FILES, { cacheFrom: [{ type: 'registry', ref }] });
  assert.deepEqual([done(built), built.ran, built.warnings], [id, [], []]);
});

test('force-compression sends what lies there in another compression anew', async () => {
  await using registry = await registryOf();
  const { host } = registry.server;
  await using here = await EngineRig.open();
  const id = done(await here.build(FILES, { cacheTo: [{ type: 'registry', ref: `${host}/a`, mode: 'max' }] }));
  await using there = await EngineRig.open();
  const zstd = { name: 'zstd' } as const;
  const cacheTo: CacheExport[] = [
    { type: 'registry', ref: `${host}/b`, mode: 'max', compression: zstd, forceCompression: true },
  ];
  const built = await there.build(FILES, { cacheFrom: [{ type: 'registry', ref: `${host}/a` }], cacheTo });
  assert.deepEqual([done(built), built.ran], [id, []]);
  const content = Buffer.from((await registry.manifests.get('b', 'latest'))?.content ?? '').toString();
  const { layers } = JSON.parse(content) as { layers: Descriptor[] };
  assert.ok(layers.length > 0 && layers.every(({ mediaType }) => mediaType.endsWith('+zstd')), content);
});

test('with SOURCE_DATE_EPOCH the image is the same, too, though its layers must be seen for that', async () => {
  await using registry = await registryOf();
  const ref = `${registry.server.host}/cache`;
  await using here = await EngineRig.open();
  const id = done(await here.build(FILES, { epoch: 1000, cacheTo: [{ type: 'registry', ref, mode: 'min' }] }));
  await using there = await EngineRig.open();
  const built = await there.build(FILES, { epoch: 1000, cacheFrom: [{ type: 'registry', ref }] });
  assert.deepEqual([done(built), built.ran, built.warnings], [id, [], []]);
});

test('a base in another registry is part of the cache', async () => {
  await using bases = await registryOf();
  await using registry = await registryOf();
  const base = `${bases.server.host}/base:1`;
  await using maker = await EngineRig.open();
  done(
    await maker.build(
      { Dockerfile: 'FROM scratch\nCOPY x /x\n', x: 'x' },
      { exports: [{ type: 'registry', names: [base] }] },
    ),
  );
  const files = { Dockerfile: `FROM ${base}\nRUN append /x y\nRUN cat /x\n` };
  const ref = `${registry.server.host}/cache`;
  await using here = await EngineRig.open();
  const id = done(await here.build(files, { cacheTo: [{ type: 'registry', ref, mode: 'min' }] }));
  await using there = await EngineRig.open();
  const built = await there.build(files, { names: ['app'], cacheFrom: [{ type: 'registry', ref }] });
  assert.deepEqual([done(built), built.ran, built.warnings], [id, [], []]);
  const host = { credentials: async () => undefined };
  await there.engine.images.push('app', `${registry.server.host}/app:1`, { host });
  await using third = await EngineRig.open();
  const run = await third.build({ Dockerfile: `FROM ${registry.server.host}/app:1\nRUN cat /x\n` });
  assert.equal(run.log, 'xy\n');
});

test('what is older than asked for is not used', async () => {
  await using registry = await registryOf();
  const ref = `${registry.server.host}/cache`;
  await using here = await EngineRig.open();
  const before = Date.now();
  done(await here.build(FILES, { cacheTo: [{ type: 'registry', ref, mode: 'max' }] }));
  const ran = async (notBefore: number): Promise<number> => {
    await using there = await EngineRig.open();
    const built = await there.build(FILES, { cacheFrom: [{ type: 'registry', ref, notBefore }] });
    assert.deepEqual([built.error, built.warnings], [undefined, []]);
    return built.ran.length;
  };
  assert.equal(await ran(before - 60_000), 0);
  assert.equal(await ran(before + 3_600_000), 5);
});

test('several platforms: one cache has the steps of all, inside each image are those of its own', async () => {
  await using registry = await registryOf();
  const { host } = registry.server;
  const platforms = ['amd64', 'arm64'].map((architecture) => ({ os: 'linux', architecture }));
  const options = { platform: 'linux/amd64,linux/arm64' };
  const files = {
    Dockerfile: 'FROM scratch\nARG TARGETARCH\nCOPY $TARGETARCH /program\nCOPY b /b\n',
    amd64: '1',
    arm64: '2',
    b: 'b',
  };
  const exports = [{ type: 'registry', names: [`${host}/app:1`] } as const];
  await using here = await EngineRig.open();
  const cacheTo: CacheExport[] = [{ type: 'inline' }, { type: 'registry', ref: `${host}/cache`, mode: 'max' }];
  const first = await here.build(files, { platforms, options, exports, cacheTo });
  assert.equal(first.error, undefined);
  const ids = first.result?.images.map(({ imageId }) => imageId);
  assert.equal(new Set(ids).size, 2);
  for (const ref of [`${host}/app:1`, `${host}/cache`]) {
    await using there = await EngineRig.open();
    const again = await there.build(files, {
      platforms,
      options,
      exports,
      cacheTo,
      cacheFrom: [{ type: 'registry', ref }],
    });
    assert.equal(again.error, undefined);
    assert.deepEqual([again.ran, again.warnings], [[], []], ref);
    assert.deepEqual(
      again.result?.images.map(({ imageId }) => imageId),
      ids,
      ref,
    );
  }
});
