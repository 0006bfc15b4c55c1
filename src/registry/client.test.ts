import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bytesOf, collect, hasCode, type Bytes } from '../base/index.ts';
import { digestOf, type Descriptor } from '../blob/index.ts';
import { configOf, descriptorOf, makeIndex, manifestOf, MEDIA, parseReference, type Image } from '../image/index.ts';
import { imageOf } from '../image/samples.suite.ts';
import { FaultProxy, type FaultRule } from './testing/fault-proxy.ts';
import { clientOf, registryOf } from './testing/world.ts';
import type { Transfer } from './transfer.ts';

const BLOB = Buffer.alloc(300_000);
for (let at = 0; at < BLOB.length; at++) BLOB[at] = (at * 7919) >> 3;
const OCTETS = 'application/octet-stream';
const DESCRIPTOR: Descriptor = { mediaType: OCTETS, digest: digestOf(BLOB), size: BLOB.length };

/** A registry with one blob in "a/b" behind a proxy with these faults. */
async function faulty(...rules: FaultRule[]) {
  const registry = await registryOf();
  await registry.blobs.put(bytesOf(BLOB), { mediaType: OCTETS });
  await registry.manifests.link('a/b', DESCRIPTOR.digest);
  const proxy = await FaultProxy.listen(registry.server.url, ...rules);
  const world = clientOf();
  const name = { registry: proxy.host, repository: 'a/b' };
  return {
    registry,
    proxy,
    name,
    ...world,
    read: async () => Buffer.from(await collect(await world.client.blobs(name).open(DESCRIPTOR))),
    [Symbol.asyncDispose]: async () => {
      await world[Symbol.asyncDispose]();
      await proxy[Symbol.asyncDispose]();
      await registry[Symbol.asyncDispose]();
    },
  };
}

const GET_BLOB = { method: 'GET', path: /\/blobs\/sha256/ };
const ranges = (proxy: FaultProxy): (string | undefined)[] =>
  proxy.seen
    .filter(({ method, path }) => method === 'GET' && path.includes('/blobs/'))
    .map(({ headers }) => headers['range'] as string | undefined);

test('an image goes there and back unchanged, in both families and as an index', async () => {
  await using registry = await registryOf();
  await using world = clientOf();
  const { client } = world;
  for (const family of ['oci', 'docker'] as const) {
    const image = await imageOf([{ 'a.txt': 'one' }, { 'b.txt': 'two' }], { family });
    const reference = parseReference(`${registry.server.host}/team/${family}:1.0`);
    const pushed = await client.push(image, reference);
    assert.deepEqual(pushed, await descriptorOf(image));
    assert.deepEqual(await client.resolve(reference), pushed);
    const pulled = (await client.image(reference)) as Image;
    assert.equal(pulled.kind, 'image');
    assert.deepEqual(Buffer.from(await pulled.manifest()), Buffer.from(await image.manifest()));
    assert.deepEqual(await configOf(pulled), await configOf(image));
    const [one, other] = [await image.layers(), await pulled.layers()];
    for (const [at, layer] of one.entries())
      assert.deepEqual(
        await bytes((await other[at]?.uncompressed()) as Bytes),
        await bytes(await layer.uncompressed()),
      );
  }
  const amd = await imageOf([{ a: 'amd64' }]);
  const arm = await imageOf([{ a: 'arm64' }], { config: { architecture: 'arm64' } });
  const index = makeIndex([{ image: amd }, { image: arm }], { mediaTypes: 'oci' });
  const reference = parseReference(`${registry.server.host}/team/multi`);
  const pushed = await client.push(index, reference, { tags: ['1', '1.2'] });
  assert.equal(pushed.mediaType, MEDIA.ociIndex);
  assert.equal((await client.image(reference)).kind, 'index');
  const chosen = await client.image({ ...reference, tag: '1.2' }, { platform: { os: 'linux', architecture: 'arm64' } });
  assert.equal((await configOf(chosen)).architecture, 'arm64');
  await assert.rejects(client.image(reference, { platform: { os: 'linux', architecture: 's390x' } }), (error) =>
    hasCode(error, 'PLATFORM_NOT_FOUND'),
  );
  assert.deepEqual(await tagsOf(client.tags(reference)), ['1', '1.2', 'latest']);
});

test('what is there already does not travel again', async () => {
  await using registry = await registryOf();
  await using proxy = await FaultProxy.listen(registry.server.url);
  await using world = clientOf();
  const image = await imageOf([{ a: 'x' }]);
  const reference = parseReference(`${proxy.host}/a/b:1`);
  await world.client.push(image, reference);
  proxy.seen.length = 0;
  await world.client.push(image, reference);
  assert.deepEqual([...new Set(proxy.seen.map(({ method }) => method))], ['HEAD']);
});

test('layers are mounted from where they were pulled, and from where the caller says', async () => {
  await using registry = await registryOf();
  await using proxy = await FaultProxy.listen(registry.server.url);
  await using world = clientOf();
  const { client } = world;
  const image = await imageOf([{ a: 'x' }, { b: 'y' }]);
  await client.push(image, parseReference(`${proxy.host}/base/one:1`));
  const pulled = await client.image(parseReference(`${proxy.host}/base/one:1`));
  const states: string[] = [];
  const progress = ({ state }: Transfer): void => void (state === 'running' || states.push(state));
  await client.push(pulled, parseReference(`${proxy.host}/other:1`), { progress });
  assert.deepEqual(states.sort(), ['done', 'mounted', 'mounted']);
  states.length = 0;
  await client.push(image, parseReference(`${proxy.host}/third:1`), {
    progress,
    mountFrom: [
      { registry: proxy.host, repository: 'not/there' },
      { registry: proxy.host, repository: 'other' },
    ],
  });
  assert.deepEqual(states, ['mounted', 'mounted', 'mounted']);
  assert.equal(proxy.asked(/third.*uploads/).filter((line) => line.startsWith('PUT')).length, 0);
});

test('a download that breaks goes on where it stopped', async () => {
  await using world = await faulty(
    { ...GET_BLOB, fault: { kind: 'reset', after: 100_000 } },
    { ...GET_BLOB, fault: { kind: 'truncate', after: 50_000 } },
  );
  assert.ok(BLOB.equals(await world.read()));
  assert.deepEqual(ranges(world.proxy), [undefined, 'bytes=100000-299999', 'bytes=150000-299999']);
  assert.deepEqual(
    world.notices.map(({ kind }) => kind),
    ['retry', 'retry'],
  );
});

test('a registry that ignores ranges is asked for all of it again', async () => {
  await using world = await faulty(
    { ...GET_BLOB, fault: { kind: 'reset', after: 100_000 } },
    { ...GET_BLOB, times: 9, fault: { kind: 'deaf', to: ['range'] } },
  );
  assert.ok(BLOB.equals(await world.read()));
});

test('an answer for another range than asked for is not taken', async () => {
  await using world = await faulty(
    { ...GET_BLOB, fault: { kind: 'reset', after: 100_000 } },
    { ...GET_BLOB, fault: { kind: 'headers', headers: { 'content-range': 'bytes 99999-299998/300000' } } },
  );
  assert.ok(BLOB.equals(await world.read()));
  assert.deepEqual(ranges(world.proxy), [undefined, 'bytes=100000-299999', undefined]);
});

test('parts of a blob are read by range', async () => {
  await using world = await faulty({ ...GET_BLOB, skip: 1, fault: { kind: 'deaf', to: ['range'] } });
  const blobs = world.client.blobs(world.name);
  for (let i = 0; i < 2; i++) {
    const part = await collect(await blobs.open(DESCRIPTOR, { offset: 1000, length: 50 }));
    assert.ok(BLOB.subarray(1000, 1050).equals(part));
  }
  const tail = await collect(await blobs.open(DESCRIPTOR, { offset: 299_990 }));
  assert.ok(BLOB.subarray(299_990).equals(tail));
});

test('wrong bytes are found at the end, whoever broke them', async () => {
  await using world = await faulty({ ...GET_BLOB, fault: { kind: 'corrupt', at: 200_000 } });
  await assert.rejects(
    world.read(),
    (error) => hasCode(error, 'BLOB_CORRUPT') && error.message.includes(`"${world.proxy.host}/a/b"`),
  );
  assert.ok(BLOB.equals(await world.read()));
});

test('a download that always breaks ends with a clear message', async () => {
  await using world = await faulty({ ...GET_BLOB, times: 99, fault: { kind: 'reset', after: 10 } });
  await assert.rejects(
    world.read(),
    (error) => hasCode(error, 'REGISTRY_TRUNCATED') && /of 300000 bytes/.test(error.message),
  );
});

test('a blob that is opened and never read keeps nothing from others', async () => {
  await using world = await faulty();
  const blobs = world.client.blobs(world.name);
  const opened: Bytes[] = [];
  for (let i = 0; i < 6; i++) opened.push(await blobs.open(DESCRIPTOR));
  assert.ok(BLOB.equals(await world.read()));
  assert.ok(BLOB.equals(Buffer.from(await collect(opened[3] as Bytes))));
});

test('has and open say what is not there', async () => {
  await using world = await faulty();
  const blobs = world.client.blobs(world.name);
  const missing = { ...DESCRIPTOR, digest: digestOf('missing') };
  assert.equal(await blobs.has(DESCRIPTOR), true);
  assert.equal(await blobs.has(missing), false);
  await assert.rejects(blobs.open(missing), (error) => hasCode(error, 'BLOB_NOT_FOUND'));
});

test('a cancelled download stops', async () => {
  await using world = await faulty();
  const abort = new AbortController();
  const read = async (): Promise<void> => {
    for await (const _ of await world.client.blobs(world.name).open(DESCRIPTOR, { signal: abort.signal }))
      abort.abort();
  };
  await assert.rejects(read(), (error) => hasCode(error, 'CANCELLED'));
});

test('a foreign layer comes from its other address', async () => {
  await using world = await faulty();
  await using elsewhere = await registryOf();
  const foreign = Buffer.from('not to be distributed');
  const descriptor = { mediaType: MEDIA.dockerForeignGzip, digest: digestOf(foreign), size: foreign.length };
  await elsewhere.blobs.put(bytesOf(foreign), { mediaType: OCTETS });
  await elsewhere.manifests.link('x', descriptor.digest);
  const urls = [`${elsewhere.server.url.href}nowhere`, `${elsewhere.server.url.href}v2/x/blobs/${descriptor.digest}`];
  const content = await collect(await world.client.blobs(world.name).open({ ...descriptor, urls }));
  assert.equal(Buffer.from(content).toString(), foreign.toString());
});

test('manifests: verified, whatever the headers say', async () => {
  const GET = { method: 'GET', path: /manifests/ };
  const cases: readonly [FaultRule['fault'], string][] = [
    [{ kind: 'corrupt', at: 30 }, 'MANIFEST_CORRUPT'],
    [{ kind: 'headers', headers: { 'content-type': MEDIA.dockerManifest } }, 'MANIFEST_INVALID'],
    [
      { kind: 'status', status: 200, headers: { 'content-type': MEDIA.ociManifest }, body: 'no json' },
      'MANIFEST_CORRUPT',
    ],
    [
      { kind: 'status', status: 200, headers: { 'content-type': MEDIA.ociManifest }, body: ' '.repeat(5 << 20) },
      'MANIFEST_TOO_LARGE',
    ],
  ];
  const image = await imageOf([{ a: 'x' }]);
  const { digest } = await descriptorOf(image);
  for (const [fault, code] of cases) {
    await using world = await faulty({ ...GET, times: 9, fault });
    await world.client.push(image, parseReference(`${world.registry.server.host}/a/b:1`));
    const reference = parseReference(`${world.proxy.host}/a/b@${digest}`);
    await assert.rejects(
      world.client.image(reference),
      (error) => hasCode(error, code),
      `${code} of ${JSON.stringify(fault).slice(0, 80)}`,
    );
  }
  for (const headers of [
    { 'content-type': `${MEDIA.ociManifest}; charset=utf-8` },
    { 'content-type': undefined },
    { 'docker-content-digest': undefined },
  ]) {
    await using world = await faulty({ ...GET, times: 9, fault: { kind: 'headers', headers } });
    await world.client.push(image, parseReference(`${world.registry.server.host}/a/b:1`));
    const found = await world.client.manifest(parseReference(`${world.proxy.host}/a/b:1`));
    assert.deepEqual(found.descriptor, await descriptorOf(image));
  }
});

test('a registry whose HEAD tells nothing is asked by GET', async () => {
  const image = await imageOf([{ a: 'x' }]);
  for (const fault of [
    { kind: 'headers', headers: { 'docker-content-digest': undefined } },
    { kind: 'status', status: 405 },
    { kind: 'headers', headers: { 'content-type': 'application/json' } },
  ] as const) {
    await using world = await faulty({ method: 'HEAD', path: /manifests/, times: 9, fault });
    await world.client.push(image, parseReference(`${world.registry.server.host}/a/b:1`));
    assert.deepEqual(
      await world.client.resolve(parseReference(`${world.proxy.host}/a/b:1`)),
      await descriptorOf(image),
    );
  }
});

test('schema 1 is refused by name', async () => {
  const body = JSON.stringify({ schemaVersion: 1, name: 'a/b', fsLayers: [] });
  await using world = await faulty({
    method: 'GET',
    path: /manifests/,
    fault: { kind: 'status', status: 200, headers: { 'content-type': MEDIA.schema1Signed }, body },
  });
  await assert.rejects(world.client.image(parseReference(`${world.proxy.host}/a/b:1`)), (error) =>
    hasCode(error, 'MANIFEST_UNSUPPORTED'),
  );
});

test('every refusal has its own message and remedy', async () => {
  const HTML = { 'content-type': 'text/html' };
  const error = (code: string): string => JSON.stringify({ errors: [{ code, message: 'because' }] });
  const cases: readonly [FaultRule['fault'], string, RegExp][] = [
    [{ kind: 'status', status: 401 }, 'REGISTRY_UNAUTHORIZED', /wants a login/],
    [{ kind: 'status', status: 403, body: error('DENIED') }, 'REGISTRY_DENIED', /DENIED: because/],
    [{ kind: 'status', status: 404, body: error('NAME_UNKNOWN') }, 'REPOSITORY_NOT_FOUND', /no such repository/],
    [{ kind: 'status', status: 404, body: error('MANIFEST_UNKNOWN') }, 'MANIFEST_NOT_FOUND', /no such tag or digest/],
    [{ kind: 'status', status: 429, headers: { 'retry-after': '1' } }, 'REGISTRY_LIMITED', /no more requests/],
    [{ kind: 'status', status: 503, body: '<html>sorry' }, 'REGISTRY_FAILED', /status 503/],
    [{ kind: 'status', status: 400, body: error('WEIRD') }, 'REGISTRY_REFUSED', /status 400 \(WEIRD: because\)/],
    [{ kind: 'status', status: 404, headers: HTML, body: '<html>' }, 'NOT_A_REGISTRY', /does not answer as a registry/],
    [{ kind: 'status', status: 200, headers: HTML, body: '<html>' }, 'NOT_A_REGISTRY', /does not answer as a registry/],
  ];
  for (const [fault, code, message] of cases) {
    await using world = await faulty({ times: 99, fault });
    const name = `${world.proxy.host}/a/b:1`;
    await assert.rejects(world.client.image(parseReference(name)), (thrown) => {
      assert.ok(hasCode(thrown, code), `${code} expected, not ${String(thrown)}`);
      assert.match(thrown.message, message);
      assert.ok(thrown.message.startsWith(`read manifest "${name}": `), thrown.message);
      assert.ok(!thrown.message.endsWith('.'));
      if (code !== 'REGISTRY_REFUSED') assert.match(thrown.remedy ?? '', /\.$/);
      return true;
    });
  }
});

test('an unreachable registry is told at once', async () => {
  await using world = clientOf();
  await assert.rejects(
    world.client.resolve(parseReference('127.0.0.1:1/a:1')),
    (error) => hasCode(error, 'REGISTRY_UNREACHABLE') && /127\.0\.0\.1:1/.test(error.message),
  );
  assert.deepEqual(world.clock.waits, []);
});

test('an artifact and an index with members of any kind can be copied', async () => {
  await using registry = await registryOf();
  await using world = clientOf();
  const { client } = world;
  const from = parseReference(`${registry.server.host}/from:1`);
  const other = Buffer.from('{"any":"thing"}');
  const image = await imageOf([{ a: 'x' }]);
  await client.push(image, from);
  await client.pushBlob(from, {
    descriptor: { mediaType: 'application/vnd.test+json', digest: digestOf(other), size: other.length },
    open: async () => bytesOf(other),
  });
  const own = await descriptorOf(image);
  const index = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: MEDIA.ociIndex,
      manifests: [own, { mediaType: 'application/vnd.test+json', digest: digestOf(other), size: other.length }],
    }),
  );
  await registry.manifests.put(
    'from',
    { mediaType: MEDIA.ociIndex, digest: digestOf(index), content: index },
    { tags: ['all'] },
  );
  const found = await client.image({ ...from, tag: 'all' });
  const to = parseReference(`${registry.server.host}/to:1`);
  assert.equal((await client.push(found, to)).digest, digestOf(index));
  assert.equal(await registry.manifests.isLinked('to', digestOf(other)), true);
});

test('mirrors are asked first, by digest and by tag as they may, and fallen through', async () => {
  await using origin = await registryOf();
  await using mirrored = await registryOf();
  await using broken = await FaultProxy.listen(mirrored.server.url, {
    times: 99,
    fault: { kind: 'status', status: 502 },
  });
  await using seen = await FaultProxy.listen(mirrored.server.url);
  const image = await imageOf([{ a: 'x' }]);
  await using plain = clientOf();
  await plain.client.push(image, parseReference(`${origin.server.host}/a/b:1`));
  await plain.client.push(image, parseReference(`${mirrored.server.host}/cache/a/b:1`));
  await using world = clientOf({
    mirrors: (registry) =>
      registry === origin.server.host
        ? [
            { host: broken.host, capabilities: ['pull', 'resolve'] },
            { host: seen.host, path: 'cache', capabilities: ['pull'] },
          ]
        : [],
  });
  const pulled = (await world.client.image(parseReference(`${origin.server.host}/a/b:1`))) as Image;
  for (const layer of await pulled.layers()) await bytes(await layer.compressed());
  assert.deepEqual(seen.asked(), [
    'GET /v2/',
    `GET /v2/cache/a/b/blobs/${(await manifestOf(image)).layers[0]?.digest}?ns=${encodeURIComponent(origin.server.host)}`,
  ]);
  assert.equal(world.notices.filter(({ kind }) => kind === 'mirror').length, 1);
  // What the mirror has not is read from the registry.
  const fresh = await imageOf([{ only: 'at the origin' }]);
  await plain.client.push(fresh, parseReference(`${origin.server.host}/a/b:2`));
  const second = (await world.client.image(parseReference(`${origin.server.host}/a/b:2`))) as Image;
  for (const layer of await second.layers()) await bytes(await layer.compressed());
});

test('a registry that is not to be asked itself: what no mirror has is not there', async () => {
  await using origin = await registryOf();
  await using mirrored = await registryOf();
  const { host } = origin.server;
  const image = await imageOf([{ a: 'x' }]);
  await using plain = clientOf();
  for (const name of [`${mirrored.server.host}/a/b:1`, `${host}/a/b:2`])
    await plain.client.push(image, parseReference(name));
  await using world = clientOf({
    mirrors: (registry) =>
      registry === host ? [{ host: mirrored.server.host, capabilities: ['pull', 'resolve'] }] : [],
    mirrorsOnly: (registry) => registry === host,
  });
  assert.ok(await world.client.resolve(parseReference(`${host}/a/b:1`)));
  await assert.rejects(
    world.client.resolve(parseReference(`${host}/a/b:2`)),
    (error) => hasCode(error, 'MIRRORS_FAILED') && /no such tag/.test(error.message),
  );
  assert.ok(
    await world.client.resolve(parseReference(`${mirrored.server.host}/a/b:1`)),
    'one without mirrors is asked',
  );
});

test('whether pushing is allowed is known without pushing, and nothing is left behind', async () => {
  await using registry = await registryOf();
  await using proxy = await FaultProxy.listen(registry.server.url);
  await using world = clientOf();
  const name = { registry: proxy.host, repository: 'a/b' };
  await world.client.checkPush(name);
  const [opened, cancelled] = proxy.seen.filter(({ path }) => path.includes('/uploads/'));
  assert.deepEqual([opened?.method, cancelled?.method], ['POST', 'DELETE']);
  await using readable = await registryOf({
    access: { kind: 'token', check: () => true, allow: (_user, _repository, action) => action === 'pull' },
  });
  await assert.rejects(
    world.client.checkPush({ registry: readable.server.host, repository: 'a/b' }),
    (error) => hasCode(error, 'REGISTRY_UNAUTHORIZED', 'REGISTRY_DENIED') && /push to ".*\/a\/b"/.test(error.message),
  );
});

test('tags come page after page', async () => {
  await using registry = await registryOf();
  await using world = clientOf();
  const image = await imageOf([{ a: 'x' }]);
  const all = Array.from({ length: 2500 }, (_, at) => `t${String(at).padStart(4, '0')}`);
  const reference = parseReference(`${registry.server.host}/a:1`);
  await world.client.push(image, reference);
  const content = await image.manifest();
  await registry.manifests.put(
    'a',
    { mediaType: MEDIA.ociManifest, digest: digestOf(content), content },
    { tags: all },
  );
  assert.deepEqual(await tagsOf(world.client.tags(reference)), ['1', ...all]);
  await world.client.delete({ ...reference, tag: 't0000' });
  assert.equal((await tagsOf(world.client.tags(reference))).length, 2500);
  await assert.rejects(tagsOf(world.client.tags({ registry: registry.server.host, repository: 'none' })), (error) =>
    hasCode(error, 'REPOSITORY_NOT_FOUND'),
  );
});

test('warnings of the registry are shown once', async () => {
  await using world = await faulty({
    times: 99,
    fault: { kind: 'headers', headers: { warning: '299 - "this \\"tag\\" goes away"' } },
  });
  const blobs = world.client.blobs(world.name);
  await blobs.has(DESCRIPTOR);
  await blobs.has(DESCRIPTOR);
  assert.deepEqual(world.notices, [{ kind: 'warning', registry: world.proxy.host, message: 'this "tag" goes away' }]);
});

async function bytes(content: Bytes): Promise<Buffer> {
  return Buffer.from(await collect(content));
}

async function tagsOf(tags: AsyncIterable<string>): Promise<string[]> {
  const all: string[] = [];
  for await (const tag of tags) all.push(tag);
  return all;
}
