import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { suite, test } from 'node:test';
import { bytesOf, CodedError, collect, HttpClient } from '../base/index.ts';
import { digestOf, type Descriptor } from '../blob/index.ts';
import { openCacheStore, type CacheStore, type CacheStoreType, type Cloud } from './index.ts';
import { azureStandIn, type AzureStandIn } from './testing/azure.ts';
import { githubStandIn, jobToken } from './testing/github.ts';
import { s3StandIn } from './testing/s3.ts';
import type { StandIn } from './testing/stand-in.ts';

const keys = { id: 'AKID', secret: 's3cret/key+', token: 'session' };
const account = { account: 'acme', key: Buffer.from('azure-key').toString('base64'), token: 'a-token' };
const DAY = 86_400_000;

class World implements AsyncDisposable {
  readonly http = new HttpClient({ env: {} });
  now = Date.now();

  cloud(env: Cloud['env'] = {}): Cloud {
    return { http: this.http, env, home: '/nowhere', clock: { now: () => this.now } };
  }

  open(type: CacheStoreType, attributes: Readonly<Record<string, string>>, env?: Cloud['env']): CacheStore {
    const store = openCacheStore(type, new Map(Object.entries(attributes)), this.cloud(env));
    return store ?? assert.fail('there is no store');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.http[Symbol.asyncDispose]();
  }
}

function blobOf(content: Buffer): { descriptor: Descriptor; content: Parameters<CacheStore['put']>[1] } {
  return {
    descriptor: { mediaType: 'application/octet-stream', digest: digestOf(content), size: content.length },
    content: {
      size: content.length,
      open: (range) => bytesOf(range ? content.subarray(range.offset, range.offset + range.length) : content),
    },
  };
}

/** What every kind must do. */
async function check(store: CacheStore, o: { readonly large: boolean }): Promise<void> {
  assert.deepEqual(await store.configs(), []);
  const small = randomBytes(1000);
  const contents = [small, Buffer.alloc(0), ...(o.large ? [randomBytes((33 << 20) + 7)] : [])];
  for (const bytes of contents) {
    const { descriptor, content } = blobOf(bytes);
    assert.equal(await store.blobs.has(descriptor), false);
    await assert.rejects(store.blobs.open(descriptor), { code: 'BLOB_NOT_FOUND' });
    assert.equal(await store.put(descriptor, content), true);
    assert.equal(await store.put(descriptor, content), false, 'once is enough');
    assert.equal(await store.blobs.has(descriptor), true);
    assert.ok(bytes.equals(await collect(await store.blobs.open(descriptor))));
  }
  const { descriptor } = blobOf(small);
  const part = await collect(await store.blobs.open(descriptor, { offset: 10, length: 20 }));
  assert.deepEqual(Buffer.from(part), small.subarray(10, 30));
  assert.deepEqual(
    Buffer.from(await collect(await store.blobs.open(descriptor, { offset: 990 }))),
    small.subarray(990),
  );
  for (const text of ['one', 'another one', 'a third']) {
    await store.putConfig(Buffer.from(text));
    assert.deepEqual((await store.configs()).map(String), [Buffer.from(text)].map(String));
  }
}

suite('caches of type s3', () => {
  const attributes = (server: StandIn): Record<string, string> => ({
    bucket: 'caches',
    region: 'eu-west-1',
    endpoint_url: server.url,
    use_path_style: 'true',
    access_key_id: keys.id,
    secret_access_key: keys.secret,
    session_token: keys.token,
  });

  test('keep blobs and configs, large ones in parts, under the names of BuildKit', async () => {
    await using world = new World();
    await using server = await s3StandIn(keys);
    await check(world.open('s3', { ...attributes(server), prefix: 'team a/', name: 'main;branch+1' }), { large: true });
    const names = [...server.objects.keys()].sort();
    assert.equal(names.filter((name) => /^caches\/team a\/blobs\/sha256:[0-9a-f]{64}$/.test(name)).length, 3);
    assert.deepEqual(names.slice(3), ['caches/team a/manifests/branch+1', 'caches/team a/manifests/main']);
    assert.equal(server.uploads.size, 0);
  });

  test('an old blob is given a new time, so that nobody deletes it', async () => {
    await using world = new World();
    await using server = await s3StandIn(keys);
    const store = world.open('s3', { ...attributes(server), touch_refresh: '1h30m' });
    const { descriptor, content } = blobOf(Buffer.from('x'));
    await store.put(descriptor, content);
    const object = [...server.objects.values()][0] ?? assert.fail();
    object.modifiedAt = world.now - DAY;
    await store.put(descriptor, content);
    assert.ok(([...server.objects.values()][0]?.modifiedAt ?? 0) > world.now - DAY / 2);
  });

  test('keys come from where the SDKs look', async () => {
    await using world = new World();
    await using server = await s3StandIn(keys);
    const { bucket = '', region = '', endpoint_url = '', use_path_style = '' } = attributes(server);
    const env = { AWS_ACCESS_KEY_ID: keys.id, AWS_SECRET_ACCESS_KEY: keys.secret, AWS_SESSION_TOKEN: keys.token };
    const given = { endpoint_url, use_path_style };
    await check(world.open('s3', given, { ...env, AWS_BUCKET: bucket, AWS_REGION: region }), { large: false });
  });

  test('a server with too much to do is asked again; a refusal is told, with no key in it; a broken upload leaves nothing', async () => {
    await using world = new World();
    await using server = await s3StandIn(keys);
    const store = world.open('s3', attributes(server));
    server.instead.push({ status: 503 }, { status: 429, headers: { 'retry-after': '0' } });
    assert.deepEqual(await store.configs(), []);

    const wrong = world.open('s3', { ...attributes(server), secret_access_key: 'other' });
    await assert.rejects(wrong.configs(), (error: unknown) => {
      assert.ok(error instanceof CodedError);
      assert.equal(error.code, 'CLOUD_DENIED');
      assert.match(
        error.message,
        /^get "s3:\/\/caches\/manifests\/buildkit": HTTP status 403 \(the signature is wrong\)$/,
      );
      return true;
    });

    const { descriptor, content } = blobOf(randomBytes(17 << 20));
    const broken = { ...content, open: () => assert.fail('the disk is gone') };
    await assert.rejects(store.put(descriptor, broken), /the disk is gone/);
    assert.deepEqual([server.objects.size, server.uploads.size], [0, 0]);
  });
});

suite('caches of type azblob', () => {
  const attributes = (server: AzureStandIn): Record<string, string> => ({
    account_url: server.url,
    account_name: account.account,
    secret_access_key: account.key,
  });

  test('keep blobs and configs, large ones in blocks; the container is made', async () => {
    await using world = new World();
    await using server = await azureStandIn(account);
    await check(world.open('azblob', { ...attributes(server), prefix: 'a/b' }), { large: true });
    assert.deepEqual([...server.containers], ['buildkit-cache']);
    assert.ok([...server.blobs.keys()].includes('buildkit-cache/a/b/manifests/buildkit'));
  });

  test('without a key by a token, asked for once', async () => {
    await using world = new World();
    await using server = await azureStandIn(account);
    let asked = 0;
    const { standIn } = await import('./testing/stand-in.ts');
    await using identity = await standIn(({ path, body }) => {
      asked += 1;
      assert.equal(path, '/tenant/oauth2/v2.0/token');
      assert.match(body.toString(), /client_secret=hush/);
      return { status: 200, body: JSON.stringify({ access_token: account.token, expires_in: 3600 }) };
    });
    const env = {
      AZURE_TENANT_ID: 'tenant',
      AZURE_CLIENT_ID: 'client',
      AZURE_CLIENT_SECRET: 'hush',
      AZURE_AUTHORITY_HOST: identity.url,
    };
    await check(world.open('azblob', { account_url: server.url }, env), { large: false });
    assert.equal(asked, 1);
  });

  test('a wrong key is refused', async () => {
    await using world = new World();
    await using server = await azureStandIn(account);
    const store = world.open('azblob', { ...attributes(server), secret_access_key: 'AAAA' });
    await assert.rejects(store.configs(), { code: 'CLOUD_DENIED' });
  });
});

suite('caches of type gha', () => {
  const scopes = [
    { scope: 'refs/heads/feature', writable: true },
    { scope: 'refs/heads/main', writable: false },
  ];

  for (const version of ['1', '2'])
    test(`version ${version}: keep blobs and configs, large ones in parts; configs get numbers`, async () => {
      await using world = new World();
      await using azure = await azureStandIn(account);
      await using server = await githubStandIn(jobToken(scopes), azure);
      const url = version === '1' ? { url: server.url } : { url_v2: server.url };
      await check(world.open('gha', { ...url, token: server.token }), { large: true });
      const configs = server.entries.map(({ key }) => key).filter((key) => key.startsWith('index-'));
      assert.equal(configs.length, 3);
      assert.match(configs[2] ?? '', /^index-buildkit-1-[0-9a-f]{8}#3$/);
      assert.equal(server.reserved.size, 0);
    });

  test('what the main branch wrote is read, too, and not replaced', async () => {
    await using world = new World();
    await using azure = await azureStandIn(account);
    await using server = await githubStandIn(jobToken([{ scope: 'refs/heads/main', writable: true }]), azure);
    const env = { ACTIONS_RUNTIME_TOKEN: server.token, ACTIONS_CACHE_URL: server.url };
    await world.open('gha', {}, env).putConfig(Buffer.from('of main'));
    await using later = await githubStandIn(jobToken(scopes), azure);
    later.entries.push(...server.entries);
    const store = world.open('gha', {}, { ACTIONS_RUNTIME_TOKEN: later.token, ACTIONS_CACHE_URL: later.url });
    assert.deepEqual((await store.configs()).map(String), ['of main']);
    await store.putConfig(Buffer.from('of the branch'));
    assert.deepEqual((await store.configs()).map((one) => Buffer.from(one).toString()).sort(), [
      'of main',
      'of the branch',
    ]);
    assert.equal(new Set(later.entries.map(({ key }) => key)).size, 2);
  });

  test('outside of a job there is none; half of the settings are told', async () => {
    await using world = new World();
    assert.equal(openCacheStore('gha', new Map(), world.cloud()), undefined);
    assert.throws(() => world.open('gha', { url: 'http://127.0.0.1:1' }), {
      code: 'CLOUD_SETTING',
      message: /token is missing/,
    });
    assert.throws(() => world.open('gha', { token: 'x' }), { code: 'CLOUD_SETTING', message: /url is missing/ });
    assert.throws(() => world.open('gha', { token: 'x', url: 'http://127.0.0.1:1' }), {
      code: 'CLOUD_SETTING',
      message: /not one of a job/,
    });
  });
});

test('settings that are missing or wrong are told by name', async () => {
  await using world = new World();
  const wrong = (type: CacheStoreType, attributes: Record<string, string>, says: RegExp): void => {
    assert.throws(() => world.open(type, attributes), { code: 'CLOUD_SETTING', message: says });
  };
  wrong('s3', {}, /type=s3: "bucket" is missing/);
  wrong('s3', { bucket: 'b' }, /"region" is missing/);
  wrong('s3', { bucket: 'b', region: 'r', touch_refresh: 'soon' }, /touch_refresh "soon" is no time/);
  wrong('s3', { bucket: 'b', region: 'r', upload_parallelism: '0' }, /upload_parallelism "0"/);
  wrong('s3', { bucket: 'b', region: 'r', endpoint_url: 'nowhere' }, /it is no URL/);
  wrong('azblob', {}, /"account_url" is missing/);
  wrong('azblob', { account_url: 'x' }, /account_url is no URL/);
});
