import assert from 'node:assert/strict';
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { bytesOf, collect, hasCode } from '../base/index.ts';
import { digestOf, type Descriptor } from '../blob/index.ts';
import { parseReference } from '../image/index.ts';
import { imageOf } from '../image/samples.suite.ts';
import type { Credential } from './credential.ts';
import type { AccessRules } from './server/access.ts';
import { FaultProxy, type FaultRule } from './testing/fault-proxy.ts';
import { clientOf, registryOf } from './testing/world.ts';

const BLOB = Buffer.from('hello');
const DESCRIPTOR: Descriptor = { mediaType: 'application/octet-stream', digest: digestOf(BLOB), size: BLOB.length };
const ANNE: Credential = { username: 'anne', secret: 'pass:word', kind: 'password' };
const check: AccessRules['check'] = (user, password) => user === 'anne' && password === 'pass:word';

/** A registry with one blob in "a/b", and the rules of who may enter. */
async function guarded(o: { access?: AccessRules; credential?: Credential | undefined; rules?: FaultRule[] } = {}) {
  const registry = await registryOf({ access: o.access });
  await registry.blobs.put(bytesOf(BLOB), { mediaType: DESCRIPTOR.mediaType });
  await registry.manifests.link('a/b', DESCRIPTOR.digest);
  const proxy = await FaultProxy.listen(registry.server.url, ...(o.rules ?? []));
  const lookups: (string | undefined)[] = [];
  const world = clientOf({
    credentials: async ({ repository }) => {
      lookups.push(repository);
      return o.credential;
    },
  });
  const name = { registry: proxy.host, repository: 'a/b' };
  const blobs = world.client.blobs(name);
  return {
    registry,
    proxy,
    name,
    lookups,
    ...world,
    read: async () => Buffer.from(await collect(await blobs.open(DESCRIPTOR))).toString(),
    [Symbol.asyncDispose]: async () => {
      await world[Symbol.asyncDispose]();
      await proxy[Symbol.asyncDispose]();
      await registry[Symbol.asyncDispose]();
    },
  };
}

test('basic: asked once, then sent along; wrong ones are told with the user', async () => {
  await using world = await guarded({ access: { kind: 'basic', check }, credential: ANNE });
  assert.equal(await world.read(), 'hello');
  assert.equal(await world.read(), 'hello');
  assert.deepEqual(
    world.proxy.seen.map(({ status }) => status),
    [401, 401, 200, 200],
  );
  assert.deepEqual(world.lookups, ['a/b']);
  await using wrong = await guarded({ access: { kind: 'basic', check }, credential: { ...ANNE, secret: 'no' } });
  await assert.rejects(
    wrong.read(),
    (error) =>
      hasCode(error, 'REGISTRY_UNAUTHORIZED') &&
      /refused the login of "anne"/.test(error.message) &&
      /strake login/.test(error.remedy ?? ''),
  );
  await using nobody = await guarded({ access: { kind: 'basic', check } });
  await assert.rejects(
    nobody.read(),
    (error) => hasCode(error, 'REGISTRY_UNAUTHORIZED') && /wants a login/.test(error.message),
  );
});

test('a login that changed is looked up again when it is refused', async () => {
  let credential = { ...ANNE, secret: 'old' };
  await using registry = await registryOf({ access: { kind: 'basic', check } });
  await using world = clientOf({ credentials: async () => credential });
  const image = await imageOf([{ a: 'x' }]);
  const reference = parseReference(`${registry.server.host}/a:1`);
  await assert.rejects(world.client.push(image, reference), (error) => hasCode(error, 'REGISTRY_UNAUTHORIZED'));
  credential = ANNE;
  await world.client.push(image, reference);
});

test('token: one for each set of scopes, push first, kept until it ends', async () => {
  await using world = await guarded({ access: { kind: 'token', check, lifetime: 300 }, credential: ANNE });
  assert.equal(await world.read(), 'hello');
  assert.equal(await world.read(), 'hello');
  const tokens = (): URLSearchParams[] =>
    world.proxy.asked(/^\/token/).map((line) => new URL(line.slice(4), 'http://x').searchParams);
  assert.deepEqual(
    tokens().map((query) => query.getAll('scope')),
    [['repository:a/b:pull']],
  );
  assert.equal(tokens()[0]?.get('service'), 'strake registry');
  world.clock.advance(299_000);
  assert.equal(await world.read(), 'hello');
  assert.equal(tokens().length, 2);
  await world.client.pushBlob(
    { ...world.name, repository: 'c' },
    { descriptor: DESCRIPTOR, open: async () => bytesOf(BLOB) },
    { mountFrom: [world.name] },
  );
  assert.deepEqual(
    tokens()
      .slice(2)
      .map((query) => query.getAll('scope')),
    [['repository:c:pull,push'], ['repository:c:pull,push', 'repository:a/b:pull']],
  );
});

test('token: an anonymous one where there is no login, refused where that gives nothing', async () => {
  const allow = (_: string | undefined, __: string, action: string): boolean => action === 'pull';
  await using world = await guarded({ access: { kind: 'token', check, allow } });
  assert.equal(await world.read(), 'hello');
  const push = world.client.pushBlob(world.name, {
    descriptor: { ...DESCRIPTOR, digest: digestOf('x') },
    open: async () => bytesOf(BLOB),
  });
  await assert.rejects(push, (error) => hasCode(error, 'REGISTRY_UNAUTHORIZED'));
  await using wrong = await guarded({ access: { kind: 'token', check }, credential: { ...ANNE, secret: 'no' } });
  await assert.rejects(
    wrong.read(),
    (error) =>
      hasCode(error, 'REGISTRY_UNAUTHORIZED') && /token server refused the login of "anne"/.test(error.message),
  );
});

test('token: an identity token by POST, by GET where the server knows no POST; a ready one as it is', async () => {
  const registryToken = async (world: Awaited<ReturnType<typeof guarded>>): Promise<string> => {
    const response = await fetch(`http://${world.proxy.host}/token?offline_token=true`, {
      headers: { authorization: `Basic ${Buffer.from('anne:pass:word').toString('base64')}` },
    });
    return ((await response.json()) as { refresh_token: string }).refresh_token;
  };
  const credential = { secret: '', kind: 'identity-token' as const };
  await using world = await guarded({ access: { kind: 'token', check }, credential });
  credential.secret = await registryToken(world);
  assert.equal(await world.read(), 'hello');
  assert.deepEqual(world.proxy.asked(/^\/token$/), ['POST /token']);
  // As a password "<token>" it is wrong here, which shows that the GET was made.
  await using old = await guarded({
    access: { kind: 'token', check },
    credential,
    rules: [{ method: 'POST', path: /^\/token/, fault: { kind: 'status', status: 404 } }],
  });
  await assert.rejects(old.read(), (error) => hasCode(error, 'REGISTRY_UNAUTHORIZED'));
  assert.equal(old.proxy.asked(/^\/token\?/).length, 1);
  await using ready = await guarded({
    access: { kind: 'token', check },
    credential: { secret: 'nonsense', kind: 'bearer' },
  });
  await assert.rejects(ready.read(), (error) => hasCode(error, 'REGISTRY_UNAUTHORIZED'));
  assert.equal(ready.proxy.asked(/^\/token/).length, 0);
});

test('token: a 401 in the middle is answered once with a new token, an endless one ends', async () => {
  await using world = await guarded({ access: { kind: 'token', check, lifetime: 300 }, credential: ANNE });
  assert.equal(await world.read(), 'hello');
  const challenge = `Bearer realm="http://${world.proxy.host}/token",service="s",scope="repository:a/b:pull repository:extra:pull"`;
  world.proxy.add({
    path: /blobs/,
    fault: { kind: 'status', status: 401, headers: { 'www-authenticate': ['Negotiate', challenge] } },
  });
  assert.equal(await world.read(), 'hello');
  const last = world.proxy.asked(/^\/token/).at(-1) ?? '';
  assert.deepEqual(new URL(last.slice(4), 'http://x').searchParams.getAll('scope'), [
    'repository:extra:pull',
    'repository:a/b:pull',
  ]);
  world.proxy.add({
    path: /blobs/,
    times: 99,
    fault: { kind: 'status', status: 401, headers: { 'www-authenticate': challenge } },
  });
  const before = world.proxy.seen.length;
  await assert.rejects(world.read(), (error) => hasCode(error, 'REGISTRY_UNAUTHORIZED'));
  assert.ok(world.proxy.seen.length - before <= 6, `${world.proxy.seen.length - before} requests`);
});

test('token: answers that are none, too long, or from an address that is not to be asked', async () => {
  const cases: readonly [FaultRule, string, RegExp][] = [
    [
      { path: /token/, times: 9, fault: { kind: 'status', status: 200, body: '{"token":1}' } },
      'REGISTRY_PROTOCOL',
      /holds no token/,
    ],
    [
      { path: /token/, times: 9, fault: { kind: 'status', status: 200, body: 'x'.repeat(70_000) } },
      'REGISTRY_PROTOCOL',
      /longer than/,
    ],
    [{ path: /token/, times: 99, fault: { kind: 'status', status: 503 } }, 'REGISTRY_FAILED', /answered 503/],
    [
      {
        path: /blobs/,
        times: 9,
        fault: {
          kind: 'status',
          status: 401,
          headers: { 'www-authenticate': 'Bearer realm="http://169.254.169.254/"' },
        },
      },
      'REGISTRY_UNSAFE',
      /link-local/,
    ],
    [
      {
        path: /blobs/,
        times: 9,
        fault: { kind: 'status', status: 401, headers: { 'www-authenticate': 'Bearer service="x"' } },
      },
      'REGISTRY_PROTOCOL',
      /no token server/,
    ],
    [
      {
        path: /token/,
        times: 9,
        fault: { kind: 'status', status: 302, headers: { location: 'http://169.254.169.254/' } },
      },
      'REGISTRY_UNSAFE',
      /link-local/,
    ],
  ];
  for (const [rule, code, message] of cases) {
    await using world = await guarded({ access: { kind: 'token', check }, credential: ANNE, rules: [rule] });
    await assert.rejects(world.read(), (error) => {
      assert.ok(hasCode(error, code), String(error));
      assert.match(error.message, message);
      assert.doesNotMatch(error.message, /pass:word/);
      return true;
    });
  }
});

test('the login does not follow a redirect to another host', async () => {
  await using elsewhere = await guarded();
  await using world = await guarded({ access: { kind: 'basic', check }, credential: ANNE });
  const location = `http://${elsewhere.proxy.host}/v2/a/b/blobs/${DESCRIPTOR.digest}?signed=1`;
  world.proxy.add({
    method: 'GET',
    path: /blobs/,
    skip: 1,
    times: 1,
    fault: { kind: 'status', status: 307, headers: { location } },
  });
  assert.equal(await world.read(), 'hello');
  const [asked] = elsewhere.proxy.seen;
  assert.equal(asked?.path.endsWith('?signed=1'), true);
  assert.equal(asked?.headers['authorization'], undefined);
});

test('another registry behind a redirect is asked for an anonymous token', async () => {
  await using elsewhere = await guarded({ access: { kind: 'token', check, allow: () => true } });
  await using world = await guarded({ credential: ANNE });
  const location = `http://${elsewhere.proxy.host}/v2/a/b/blobs/${DESCRIPTOR.digest}`;
  world.proxy.add({ method: 'GET', path: /blobs/, fault: { kind: 'status', status: 307, headers: { location } } });
  assert.equal(await world.read(), 'hello');
  assert.equal(elsewhere.proxy.asked(/^\/token/).length, 1);
  assert.ok(elsewhere.proxy.seen.every(({ headers }) => !String(headers['authorization'] ?? '').startsWith('Basic')));
});

test('redirects into the local network, in circles or to nowhere are refused', async () => {
  const redirect = (location: string): FaultRule => ({
    method: 'GET',
    path: /blobs/,
    times: 99,
    fault: { kind: 'status', status: 307, headers: { location } },
  });
  await using unsafe = await guarded({ rules: [redirect('http://169.254.169.254/')] });
  await assert.rejects(unsafe.read(), (error) => hasCode(error, 'REGISTRY_UNSAFE'));
  await using circle = await guarded({ rules: [redirect(`/v2/a/b/blobs/${DESCRIPTOR.digest}`)] });
  await assert.rejects(circle.read(), (error) => hasCode(error, 'REGISTRY_PROTOCOL'));
  assert.ok(circle.proxy.seen.length < 15);
});

test('429 and 5xx are waited for as the registry asks, and told when it does not end', async () => {
  await using world = await guarded({
    rules: [
      { path: /blobs/, fault: { kind: 'status', status: 429, headers: { 'retry-after': '7' } } },
      { path: /blobs/, fault: { kind: 'status', status: 503 } },
    ],
  });
  assert.equal(await world.read(), 'hello');
  assert.equal(world.clock.waits.length, 2);
  assert.ok((world.clock.waits[0] ?? 0) >= 7000);
  assert.ok((world.clock.waits[1] ?? 0) < 1000);
  assert.deepEqual(
    world.notices.map(({ kind }) => kind),
    ['retry', 'retry'],
  );
  await using limited = await guarded({
    rules: [{ path: /blobs/, times: 99, fault: { kind: 'status', status: 429, headers: { 'retry-after': '3600' } } }],
  });
  await assert.rejects(
    limited.read(),
    (error) => hasCode(error, 'REGISTRY_LIMITED') && /3600 s/.test(error.remedy ?? ''),
  );
  assert.deepEqual(limited.clock.waits, []);
});

test('a connection that breaks before an answer is made again', async () => {
  await using world = await guarded({ rules: [{ path: /blobs/, times: 2, fault: { kind: 'reset', after: 0 } }] });
  assert.equal(await world.read(), 'hello');
});

test('many requests at once keep to their lanes', async () => {
  await using world = await guarded({ rules: [{ path: /blobs/, times: 99, fault: { kind: 'slow', ms: 5 } }] });
  const texts = await Promise.all(Array.from({ length: 30 }, () => world.read()));
  assert.deepEqual(new Set(texts), new Set(['hello']));
});

test('TLS: untrusted is told with the remedy, certs.d trusts, insecure trusts, a client certificate is sent', async () => {
  const pem = (name: string): string => readFileSync(join(import.meta.dirname, '../base/testdata/tls', name), 'utf8');
  await using registry = await registryOf({ tls: { cert: pem('server.crt'), key: pem('server.key') } });
  await registry.blobs.put(bytesOf(BLOB), { mediaType: DESCRIPTOR.mediaType });
  await registry.manifests.link('a/b', DESCRIPTOR.digest);
  const { host } = registry.server;
  const folder = mkdtempSync(join(tmpdir(), 'strake-certs-'));
  try {
    const read = async (options: object): Promise<string> => {
      await using world = clientOf(options);
      return Buffer.from(
        await collect(await world.client.blobs({ registry: host, repository: 'a/b' }).open(DESCRIPTOR)),
      ).toString();
    };
    await assert.rejects(
      read({}),
      (error) => hasCode(error, 'REGISTRY_TLS') && (error.remedy ?? '').includes(`certs.d/${host}/ca.crt`),
    );
    assert.equal(await read({ insecure: [host] }), 'hello');
    assert.equal(await read({ insecure: ['127.0.0.1'] }), 'hello');
    assert.equal(await read({ insecure: ['*'] }), 'hello');
    assert.equal(await read({ skipVerify: [host] }), 'hello');
    assert.equal(await read({ skipVerify: ['*'] }), 'hello');
    assert.equal(await read({ ca: [pem('ca.crt')] }), 'hello');
    const own = { ca: [pem('ca.crt')] };
    assert.equal(await read({ certificates: (at: string) => (at === host ? own : {}) }), 'hello');
    await assert.rejects(read({ certificates: () => ({}) }), (error) => hasCode(error, 'REGISTRY_TLS'));
    mkdirSync(join(folder, host));
    copyFileSync(join(import.meta.dirname, '../base/testdata/tls/ca.crt'), join(folder, host, 'ca.crt'));
    assert.equal(await read({ certificateFolders: [join(folder, 'none'), folder] }), 'hello');
    writeFileSync(join(folder, host, 'client.cert'), pem('client.cert'));
    await assert.rejects(
      read({ certificateFolders: [folder] }),
      (error) => hasCode(error, 'CERTIFICATES_INVALID') && /client\.key/.test(error.message),
    );
    writeFileSync(join(folder, host, 'client.key'), pem('client.key'));
    assert.equal(await read({ certificateFolders: [folder] }), 'hello');
    await using mutual = await registryOf({
      tls: { cert: pem('server.crt'), key: pem('server.key'), ca: pem('ca.crt'), requestCert: true },
    });
    mkdirSync(join(folder, mutual.server.host));
    for (const name of ['ca.crt', 'client.cert', 'client.key'])
      writeFileSync(join(folder, mutual.server.host, name), pem(name));
    await using world = clientOf({ certificateFolders: [folder] });
    await assert.rejects(world.client.resolve(parseReference(`${mutual.server.host}/none:1`)), (error) =>
      hasCode(error, 'REPOSITORY_NOT_FOUND'),
    );
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('a login is checked against the registry', async () => {
  for (const kind of ['basic', 'token'] as const) {
    await using world = await guarded({ access: { kind, check } });
    await world.client.checkLogin(world.proxy.host, { credential: ANNE });
    await assert.rejects(
      world.client.checkLogin(world.proxy.host, { credential: { ...ANNE, secret: 'no' } }),
      (error) => hasCode(error, 'REGISTRY_UNAUTHORIZED'),
    );
  }
  await using web = await guarded({ rules: [{ times: 99, fault: { kind: 'status', status: 404, body: '<html>' } }] });
  await assert.rejects(web.client.checkLogin(web.proxy.host, { credential: ANNE }), (error) =>
    hasCode(error, 'NOT_A_REGISTRY'),
  );
});
