import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bytesOf, collect, hasCode } from '../../src/base/index.ts';
import { digestOf } from '../../src/blob/index.ts';
import { configOf, descriptorOf, makeIndex, parseReference, type Image, type Index } from '../../src/image/index.ts';
import { imageOf } from '../../src/image/samples.suite.ts';
import type { Credential, Transfer } from '../../src/registry/index.ts';
import { FaultProxy } from '../../src/registry/testing/fault-proxy.ts';
import { clientOf, registryOf } from '../../src/registry/testing/world.ts';
import { dockerRegistry, lacking, scratchFolder, skopeo } from './world.ts';

const ANNE: Credential = { username: 'anne', secret: 'it is: secret', kind: 'password' };
const OPEN = ['--src-tls-verify=false', '--dest-tls-verify=false'];

async function twoPlatforms(): Promise<Index> {
  const [amd, arm] = [
    await imageOf([{ a: 'amd64' }]),
    await imageOf([{ a: 'arm64' }], { config: { architecture: 'arm64' } }),
  ];
  return makeIndex([{ image: amd }, { image: arm }], { mediaTypes: 'oci' });
}

async function contentOf(image: Image): Promise<Buffer[]> {
  const all: Buffer[] = [];
  for (const layer of await image.layers()) all.push(Buffer.from(await collect(await layer.uncompressed())));
  return all;
}

for (const login of [false, true])
  test(
    `docker-registry${login ? ' with basic auth' : ''}: push, pull, mount, tags, delete`,
    { skip: lacking('docker-registry', 'htpasswd') },
    async () => {
      using folder = scratchFolder();
      await using registry = await dockerRegistry(folder.path, login ? { users: { anne: ANNE.secret } } : {});
      await using world = clientOf(login ? { credentials: async () => ANNE } : {});
      const { client } = world;
      for (const compression of ['gzip', 'zstd', 'none'] as const)
        for (const family of ['oci', 'docker'] as const) {
          if (compression === 'zstd' && family === 'docker') continue;
          const image = await imageOf([{ a: compression }, { b: family }], { compression, family });
          const reference = parseReference(`${registry.host}/team/app:${family}-${compression}`);
          assert.deepEqual(await client.push(image, reference), await descriptorOf(image));
          assert.deepEqual(await client.resolve(reference), await descriptorOf(image));
          const pulled = await client.image(reference, { platform: { os: 'linux', architecture: 'amd64' } });
          assert.deepEqual(Buffer.from(await pulled.manifest()), Buffer.from(await image.manifest()));
          assert.deepEqual(await contentOf(pulled), await contentOf(image));
          const states: string[] = [];
          const progress = ({ state }: Transfer): void => void (state === 'running' || states.push(state));
          await client.push(pulled, parseReference(`${registry.host}/elsewhere/${family}-${compression}:1`), {
            progress,
          });
          assert.deepEqual(states.sort(), ['done', 'mounted', 'mounted']);
        }
      const index = await twoPlatforms();
      const multi = parseReference(`${registry.host}/team/multi:1`);
      await client.push(index, multi, { tags: ['latest'] });
      assert.equal(
        (await configOf(await client.image(multi, { platform: { os: 'linux', architecture: 'arm64' } }))).architecture,
        'arm64',
      );
      assert.deepEqual((await Array.fromAsync(client.tags(multi))).sort(), ['1', 'latest']);
      await client.delete({ ...multi, digest: (await client.resolve(multi)).digest });
      await assert.rejects(client.resolve(multi), (error) => hasCode(error, 'MANIFEST_NOT_FOUND'));
      await assert.rejects(client.resolve(parseReference(`${registry.host}/no/such:1`)), (error) =>
        hasCode(error, 'REPOSITORY_NOT_FOUND', 'MANIFEST_NOT_FOUND'),
      );
    },
  );

test(
  'docker-registry: logins that are missing or wrong are told',
  { skip: lacking('docker-registry', 'htpasswd') },
  async () => {
    using folder = scratchFolder();
    await using registry = await dockerRegistry(folder.path, { users: { anne: ANNE.secret } });
    await using nobody = clientOf();
    const image = await imageOf([{ a: 'x' }]);
    const reference = parseReference(`${registry.host}/a:1`);
    await assert.rejects(
      nobody.client.push(image, reference),
      (error) => hasCode(error, 'REGISTRY_UNAUTHORIZED') && /wants a login/.test(error.message),
    );
    await nobody.client.checkLogin(registry.host, { credential: ANNE });
    await assert.rejects(
      nobody.client.checkLogin(registry.host, { credential: { ...ANNE, secret: 'no' } }),
      (error) => hasCode(error, 'REGISTRY_UNAUTHORIZED') && /"anne"/.test(error.message),
    );
  },
);

test(
  'docker-registry: broken uploads and downloads are resumed',
  { skip: lacking('docker-registry', 'htpasswd') },
  async () => {
    using folder = scratchFolder();
    await using registry = await dockerRegistry(folder.path);
    const size = 40 << 20;
    const content = Buffer.alloc(size);
    for (let at = 0; at < size; at += 4) content.writeUInt32LE((at * 2_654_435_761) >>> 0, at);
    const descriptor = { mediaType: 'application/octet-stream', digest: digestOf(content), size };
    await using proxy = await FaultProxy.listen(
      new URL(`http://${registry.host}`),
      { method: 'PUT', path: /uploads/, fault: { kind: 'reset-upload', after: 5 << 20 } },
      { method: 'PUT', path: /uploads/, fault: { kind: 'status', status: 413 } },
      { method: 'PATCH', skip: 1, fault: { kind: 'reset-upload', after: 3 << 20 } },
      { method: 'PATCH', skip: 2, fault: { kind: 'headers', headers: {}, status: 503 } },
      { method: 'GET', path: /blobs\/sha256/, fault: { kind: 'reset', after: 11 << 20 } },
      { method: 'GET', path: /blobs\/sha256/, fault: { kind: 'truncate', after: 7 << 20 } },
    );
    await using world = clientOf();
    const name = { registry: proxy.host, repository: 'big' };
    await world.client.pushBlob(name, { descriptor, open: async () => bytesOf(content) });
    const pulled = Buffer.from(await collect(await world.client.blobs(name).open(descriptor)));
    assert.ok(pulled.equals(content));
    assert.equal(world.notices.filter(({ kind }) => kind === 'retry').length >= 4, true);
  },
);

test(
  'skopeo reads and copies what we pushed to docker-registry, and we read what it pushed',
  { skip: lacking('docker-registry', 'htpasswd', 'skopeo') },
  async () => {
    using folder = scratchFolder();
    await using registry = await dockerRegistry(folder.path);
    await using world = clientOf();
    const { client } = world;
    const image = await imageOf([{ 'etc/': '', 'etc/a': 'one' }, { b: 'two' }]);
    const reference = parseReference(`${registry.host}/ours:1`);
    await client.push(image, reference);
    const seen = JSON.parse(
      await skopeo(folder.path, 'inspect', '--tls-verify=false', `docker://${registry.host}/ours:1`),
    ) as { Digest: string; Architecture: string };
    assert.equal(seen.Digest, (await descriptorOf(image)).digest);
    assert.equal(seen.Architecture, 'amd64');
    await skopeo(
      folder.path,
      'copy',
      ...OPEN,
      `docker://${registry.host}/ours:1`,
      `docker://${registry.host}/theirs:1`,
    );
    await skopeo(
      folder.path,
      'copy',
      ...OPEN,
      '--format',
      'v2s2',
      `docker://${registry.host}/ours:1`,
      `docker://${registry.host}/docker:1`,
    );
    for (const name of ['theirs', 'docker']) {
      const copied = (await client.image(parseReference(`${registry.host}/${name}:1`))) as Image;
      assert.deepEqual(await contentOf(copied), await contentOf(image));
    }
  },
);

test(
  'skopeo pushes to, lists, copies from and deletes at our own server, with logins of both kinds',
  { skip: lacking('skopeo') },
  async () => {
    const check = (user: string, password: string): boolean => user === 'anne' && password === ANNE.secret;
    for (const access of [undefined, { kind: 'basic', check }, { kind: 'token', check }] as const) {
      using folder = scratchFolder();
      await using registry = await registryOf({ access });
      await using world = clientOf({ credentials: async () => ANNE });
      const { host } = registry.server;
      const image = await imageOf([{ a: 'x' }, { b: 'y' }]);
      await world.client.push(await twoPlatforms(), parseReference(`${host}/team/multi:1`));
      await world.client.push(image, parseReference(`${host}/team/ours:1`));
      if (access)
        await assert.rejects(
          skopeo(folder.path, 'inspect', '--tls-verify=false', `docker://${host}/team/ours:1`),
          /unauthorized|authentication required/i,
        );
      if (access)
        await skopeo(
          folder.path,
          'login',
          '--tls-verify=false',
          '--authfile',
          `${folder.path}/auth.json`,
          '-u',
          'anne',
          '-p',
          ANNE.secret,
          host,
        );
      const login = access ? ['--authfile', `${folder.path}/auth.json`] : [];
      await skopeo(
        folder.path,
        'copy',
        ...OPEN,
        ...login,
        `docker://${host}/team/ours:1`,
        `oci:${folder.path}/layout:x`,
      );
      await skopeo(
        folder.path,
        'copy',
        ...OPEN,
        ...login,
        `oci:${folder.path}/layout:x`,
        `docker://${host}/team/theirs:1`,
      );
      await skopeo(
        folder.path,
        'copy',
        ...OPEN,
        ...login,
        '--all',
        `docker://${host}/team/multi:1`,
        `docker://${host}/other/multi:2`,
      );
      const listed = JSON.parse(
        await skopeo(folder.path, 'list-tags', '--tls-verify=false', ...login, `docker://${host}/team/theirs`),
      ) as { Tags: string[] };
      assert.deepEqual(listed.Tags, ['1']);
      const copied = (await world.client.image(parseReference(`${host}/team/theirs:1`))) as Image;
      assert.deepEqual(await contentOf(copied), await contentOf(image));
      const multi = await world.client.image(parseReference(`${host}/other/multi:2`), {
        platform: { os: 'linux', architecture: 'arm64' },
      });
      assert.equal((await configOf(multi)).architecture, 'arm64');
      await skopeo(folder.path, 'delete', '--tls-verify=false', ...login, `docker://${host}/team/theirs:1`);
      await assert.rejects(world.client.resolve(parseReference(`${host}/team/theirs:1`)), (error) =>
        hasCode(error, 'MANIFEST_NOT_FOUND'),
      );
    }
  },
);

test('a large image goes through our server and skopeo byte for byte', { skip: lacking('skopeo') }, async () => {
  using folder = scratchFolder();
  await using registry = await registryOf({ scratch: `${folder.path}/uploads` });
  await using world = clientOf();
  const files = Object.fromEntries(Array.from({ length: 64 }, (_, at) => [`f${at}`, `${at} `.repeat(200_000)]));
  const image = await imageOf([files], { compression: 'none' });
  const { host } = registry.server;
  await world.client.push(image, parseReference(`${host}/large:1`));
  await skopeo(folder.path, 'copy', ...OPEN, `docker://${host}/large:1`, `docker://${host}/copy:1`);
  const copied = (await world.client.image(parseReference(`${host}/copy:1`))) as Image;
  assert.deepEqual((await contentOf(copied)).map(digestOf), (await contentOf(image)).map(digestOf));
});
