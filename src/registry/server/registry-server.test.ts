import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { systemClock, systemRandom } from '../../base/index.ts';
import { digestOf, DiskBlobStore } from '../../blob/index.ts';
import { MEDIA } from '../../image/index.ts';
import { registryOf } from '../testing/world.ts';
import { DiskManifestStore } from './disk-manifest-store.ts';

type Asked = { status: number; headers: Headers; text: string };
type Ask = (
  method: string,
  path: string,
  o?: { headers?: Record<string, string>; body?: string | Buffer },
) => Promise<Asked>;

function asker(url: URL): Ask {
  return async (method, path, o = {}) => {
    const response = await fetch(new URL(path, url), {
      method,
      headers: o.headers ?? {},
      body: o.body ?? null,
      redirect: 'manual',
    });
    return { status: response.status, headers: response.headers, text: await response.text() };
  };
}

const codeOf = ({ text }: Asked): string => (JSON.parse(text) as { errors: { code: string }[] }).errors[0]?.code ?? '';
const location = ({ headers }: Asked): string => headers.get('location') ?? '';

async function push(ask: Ask, repository: string, content: string): Promise<string> {
  const digest = digestOf(content);
  const started = await ask('POST', `/v2/${repository}/blobs/uploads/`);
  const done = await ask('PUT', `${location(started)}?digest=${digest}`, { body: content });
  assert.equal(done.status, 201);
  return digest;
}

async function image(ask: Ask, repository: string, more: object = {}): Promise<{ content: string; digest: string }> {
  const [config, layer] = [await push(ask, repository, '{}'), await push(ask, repository, 'layer')];
  const content = JSON.stringify({
    schemaVersion: 2,
    mediaType: MEDIA.ociManifest,
    config: { mediaType: MEDIA.ociConfig, digest: config, size: 2 },
    layers: [{ mediaType: MEDIA.ociLayer, digest: layer, size: 5 }],
    ...more,
  });
  return { content, digest: digestOf(content) };
}

const OCI = { 'content-type': MEDIA.ociManifest };

test('uploads: whole, by one POST, in chunks, with status, out of order, cancelled', async () => {
  await using registry = await registryOf();
  const ask = asker(registry.server.url);
  const base = await ask('GET', '/v2/');
  assert.equal(base.status, 200);
  assert.equal(base.headers.get('docker-distribution-api-version'), 'registry/2.0');
  const whole = await push(ask, 'a/b', 'hello');
  assert.equal((await ask('GET', `/v2/a/b/blobs/${whole}`)).text, 'hello');
  assert.equal((await ask('HEAD', `/v2/a/b/blobs/${whole}`)).headers.get('content-length'), '5');
  const single = await ask('POST', `/v2/a/b/blobs/uploads/?digest=${digestOf('single')}`, { body: 'single' });
  assert.equal(single.status, 201);
  assert.equal(location(single), `/v2/a/b/blobs/${digestOf('single')}`);

  const started = await ask('POST', '/v2/a/b/blobs/uploads/');
  assert.equal(started.status, 202);
  assert.equal(started.headers.get('range'), '0-0');
  const first = await ask('PATCH', location(started), { body: 'abc', headers: { 'content-range': '0-2' } });
  assert.equal(first.status, 202);
  assert.equal(first.headers.get('range'), '0-2');
  const wrong = await ask('PATCH', location(first), { body: 'x', headers: { 'content-range': '7-7' } });
  assert.equal(wrong.status, 416);
  assert.equal(wrong.headers.get('range'), '0-2');
  const status = await ask('GET', location(first));
  assert.equal(status.status, 204);
  assert.equal(status.headers.get('range'), '0-2');
  const done = await ask('PUT', `${location(first)}?digest=${digestOf('abcdef')}`, {
    body: 'def',
    headers: { 'content-range': '3-5' },
  });
  assert.equal(done.status, 201);
  assert.equal((await ask('GET', `/v2/a/b/blobs/${digestOf('abcdef')}`)).text, 'abcdef');
  assert.equal((await ask('GET', location(first))).status, 404);

  const cancelled = location(await ask('POST', '/v2/a/b/blobs/uploads/'));
  assert.equal((await ask('DELETE', cancelled)).status, 204);
  assert.equal(codeOf(await ask('PATCH', cancelled, { body: 'x' })), 'BLOB_UPLOAD_UNKNOWN');
  const foreign = location(await ask('POST', '/v2/a/b/blobs/uploads/'));
  assert.equal((await ask('GET', foreign.replace('/a/b/', '/other/'))).status, 404);
});

test('uploads: wrong digests are refused and nothing is stored', async () => {
  await using registry = await registryOf();
  const ask = asker(registry.server.url);
  for (const chunked of [false, true]) {
    let session = location(await ask('POST', '/v2/a/blobs/uploads/'));
    if (chunked) session = location(await ask('PATCH', session, { body: 'ab' }));
    const refused = await ask('PUT', `${session}?digest=${digestOf('other')}`, { body: 'abc' });
    assert.equal(refused.status, 400);
    assert.equal(codeOf(refused), 'DIGEST_INVALID');
  }
  assert.equal(
    codeOf(await ask('PUT', `${location(await ask('POST', '/v2/a/blobs/uploads/'))}?digest=nonsense`, { body: 'abc' })),
    'DIGEST_INVALID',
  );
  assert.equal((await ask('GET', `/v2/a/blobs/${digestOf('other')}`)).status, 404);
  assert.deepEqual(await Array.fromAsync(registry.blobs.list()), []);
});

test('blobs are read in their own repositories only, and mounted into others', async () => {
  await using registry = await registryOf();
  const ask = asker(registry.server.url);
  const digest = await push(ask, 'a', 'hello');
  assert.equal(codeOf(await ask('GET', `/v2/b/blobs/${digest}`)), 'BLOB_UNKNOWN');
  const mounted = await ask('POST', `/v2/b/blobs/uploads/?mount=${digest}&from=a`);
  assert.equal(mounted.status, 201);
  assert.equal((await ask('GET', `/v2/b/blobs/${digest}`)).text, 'hello');
  assert.equal((await ask('POST', `/v2/c/blobs/uploads/?mount=${digest}&from=none`)).status, 202);
  assert.equal((await ask('POST', `/v2/c/blobs/uploads/?mount=${digest}`)).status, 202);
  assert.equal((await ask('DELETE', `/v2/b/blobs/${digest}`)).status, 202);
  assert.equal((await ask('DELETE', `/v2/b/blobs/${digest}`)).status, 404);
  assert.equal((await ask('HEAD', `/v2/a/blobs/${digest}`)).status, 200);
});

test('ranges of a blob', async () => {
  await using registry = await registryOf();
  const ask = asker(registry.server.url);
  const path = `/v2/a/blobs/${await push(ask, 'a', '0123456789')}`;
  for (const [range, status, text, content] of [
    ['bytes=2-4', 206, '234', 'bytes 2-4/10'],
    ['bytes=7-', 206, '789', 'bytes 7-9/10'],
    ['bytes=-2', 206, '89', 'bytes 8-9/10'],
    ['bytes=5-99', 206, '56789', 'bytes 5-9/10'],
    ['bytes=4-2', 200, '0123456789', null],
    ['bytes=0-1,3-4', 200, '0123456789', null],
    ['lines=1-2', 200, '0123456789', null],
  ] as const) {
    const part = await ask('GET', path, { headers: { range } });
    assert.deepEqual([part.status, part.text, part.headers.get('content-range')], [status, text, content], range);
  }
  const behind = await ask('GET', path, { headers: { range: 'bytes=10-' } });
  assert.equal(behind.status, 416);
  assert.equal(behind.headers.get('content-range'), 'bytes */10');
});

test('manifests: by tag and digest, what they name must be there', async () => {
  await using registry = await registryOf();
  const ask = asker(registry.server.url);
  const { content, digest } = await image(ask, 'a');
  const put = await ask('PUT', '/v2/a/manifests/1.0', { headers: OCI, body: content });
  assert.equal(put.status, 201);
  assert.equal(put.headers.get('docker-content-digest'), digest);
  const got = await ask('GET', '/v2/a/manifests/1.0');
  assert.equal(got.text, content);
  assert.equal(got.headers.get('content-type'), MEDIA.ociManifest);
  assert.equal((await ask('HEAD', `/v2/a/manifests/${digest}`)).headers.get('content-length'), String(content.length));
  const tagged = await ask('PUT', `/v2/a/manifests/${digest}?tag=x&tag=y`, { headers: OCI, body: content });
  assert.equal(tagged.headers.get('oci-tag'), 'x, y');
  assert.equal(codeOf(await ask('PUT', '/v2/b/manifests/1', { headers: OCI, body: content })), 'MANIFEST_BLOB_UNKNOWN');
  assert.equal(
    codeOf(await ask('PUT', `/v2/a/manifests/${digestOf('x')}`, { headers: OCI, body: content })),
    'DIGEST_INVALID',
  );
  assert.equal(
    codeOf(await ask('PUT', '/v2/a/manifests/1', { headers: { 'content-type': MEDIA.dockerManifest }, body: content })),
    'MANIFEST_INVALID',
  );
  assert.equal(codeOf(await ask('PUT', '/v2/a/manifests/1', { headers: OCI, body: 'nonsense' })), 'MANIFEST_INVALID');
  assert.equal((await ask('PUT', '/v2/a/manifests/1', { headers: OCI, body: Buffer.alloc(5 << 20, ' ') })).status, 413);
  assert.equal(
    codeOf(await ask('PUT', '/v2/a/manifests/bad%20tag', { headers: OCI, body: content })),
    'DIGEST_INVALID',
  );
  const unknown = await ask('PUT', '/v2/a/manifests/any', {
    headers: { 'content-type': 'application/vnd.test.v1+json' },
    body: '{"some":"thing"}',
  });
  assert.equal(unknown.status, 201);
  assert.equal((await ask('GET', '/v2/a/manifests/any')).headers.get('content-type'), 'application/vnd.test.v1+json');
  assert.equal(codeOf(await ask('GET', '/v2/a/manifests/none')), 'MANIFEST_UNKNOWN');
  assert.equal(codeOf(await ask('GET', '/v2/none/manifests/none')), 'NAME_UNKNOWN');
  assert.equal((await ask('DELETE', '/v2/a/manifests/x')).status, 202);
  assert.equal((await ask('GET', '/v2/a/manifests/x')).status, 404);
  assert.equal((await ask('DELETE', `/v2/a/manifests/${digest}`)).status, 202);
  assert.equal((await ask('GET', '/v2/a/manifests/1.0')).status, 404);
});

test('tags and repositories come in pages', async () => {
  await using registry = await registryOf();
  const ask = asker(registry.server.url);
  const { content } = await image(ask, 'a');
  for (const tag of ['c', 'a', 'e', 'b', 'd'])
    await ask('PUT', `/v2/a/manifests/${tag}`, { headers: OCI, body: content });
  const pages: string[] = [];
  for (let next: string | undefined = '/v2/a/tags/list?n=2'; next !== undefined;) {
    const page: Asked = await ask('GET', next);
    pages.push((JSON.parse(page.text) as { tags: string[] }).tags.join(''));
    next = /<(.*)>; rel="next"/.exec(page.headers.get('link') ?? '')?.[1];
  }
  assert.deepEqual(pages, ['ab', 'cd', 'e']);
  assert.deepEqual(JSON.parse((await ask('GET', '/v2/a/tags/list')).text), {
    name: 'a',
    tags: ['a', 'b', 'c', 'd', 'e'],
  });
  assert.deepEqual(JSON.parse((await ask('GET', '/v2/a/tags/list?n=0')).text), { name: 'a', tags: [] });
  assert.equal((await ask('GET', '/v2/a/tags/list?n=x')).status, 400);
  assert.equal(codeOf(await ask('GET', '/v2/none/tags/list')), 'NAME_UNKNOWN');
  assert.deepEqual(JSON.parse((await ask('GET', '/v2/_catalog')).text), { repositories: ['a'] });
});

test('referrers: listed with their type and annotations, filtered, announced by OCI-Subject', async () => {
  await using registry = await registryOf();
  const ask = asker(registry.server.url);
  const subject = await image(ask, 'a');
  await ask('PUT', '/v2/a/manifests/1', { headers: OCI, body: subject.content });
  const subjectDescriptor = { mediaType: MEDIA.ociManifest, digest: subject.digest, size: subject.content.length };
  for (const artifactType of ['test/one', 'test/two']) {
    const { content } = await image(ask, 'a', {
      artifactType,
      subject: subjectDescriptor,
      annotations: { of: artifactType },
    });
    const put = await ask('PUT', `/v2/a/manifests/${digestOf(content)}`, { headers: OCI, body: content });
    assert.equal(put.headers.get('oci-subject'), subject.digest);
  }
  const list = async (query: string): Promise<{ applied: string | null; types: (string | undefined)[] }> => {
    const answer = await ask('GET', `/v2/a/referrers/${subject.digest}${query}`);
    assert.equal(answer.headers.get('content-type'), MEDIA.ociIndex);
    const { manifests } = JSON.parse(answer.text) as {
      manifests: { artifactType?: string; annotations?: Record<string, string> }[];
    };
    for (const one of manifests) assert.equal(one.annotations?.['of'], one.artifactType);
    return {
      applied: answer.headers.get('oci-filters-applied'),
      types: manifests.map(({ artifactType = '' }) => artifactType).sort((a, b) => a.localeCompare(b)),
    };
  };
  assert.deepEqual(await list(''), { applied: null, types: ['test/one', 'test/two'] });
  assert.deepEqual(await list('?artifactType=test/two'), { applied: 'artifactType', types: ['test/two'] });
  assert.deepEqual(JSON.parse((await ask('GET', `/v2/a/referrers/${digestOf('nobody')}`)).text), {
    schemaVersion: 2,
    mediaType: MEDIA.ociIndex,
    manifests: [],
  });
  await using without = await registryOf({ referrers: false });
  assert.equal((await asker(without.server.url)('GET', `/v2/a/referrers/${subject.digest}`)).status, 404);
});

test('names and paths that are none', async () => {
  await using registry = await registryOf();
  const ask = asker(registry.server.url);
  for (const path of [
    '/',
    '/v1/',
    '/v2/x',
    '/v2/a/blobs',
    '/token',
    '/v2/A/manifests/x',
    '/v2/a/../../etc/blobs/x',
    '/v2/%2e%2e/%2e%2e/manifests/x',
    '/v2/_blobs/manifests/x',
    '/v2/a/%00/tags/list',
    '/v2/%ff/tags/list',
  ])
    assert.ok([400, 404].includes((await ask('GET', path)).status), path);
  assert.equal((await ask('POST', '/v2/a/manifests/x')).status, 405);
  assert.equal((await ask('PUT', '/v2/a/tags/list')).status, 405);
});

test('basic login; a token only for what it was given for', async () => {
  const check = (user: string, password: string): boolean => user === 'anne' && password === 'x';
  const login = { authorization: `Basic ${Buffer.from('anne:x').toString('base64')}` };
  await using basic = await registryOf({ access: { kind: 'basic', check } });
  const ask = asker(basic.server.url);
  const asked = await ask('GET', '/v2/');
  assert.equal(asked.status, 401);
  assert.equal(asked.headers.get('www-authenticate'), 'Basic realm="strake registry"');
  assert.equal((await ask('GET', '/v2/', { headers: login })).status, 200);
  assert.equal((await ask('GET', '/v2/', { headers: { authorization: 'Basic !!!' } })).status, 401);

  await using tokens = await registryOf({
    access: {
      kind: 'token',
      check,
      allow: (user, repository, action) => action === 'pull' || repository.startsWith(`${user}/`),
    },
  });
  const ask2 = asker(tokens.server.url);
  const challenge = (await ask2('POST', '/v2/anne/app/blobs/uploads/')).headers.get('www-authenticate');
  assert.equal(
    challenge,
    `Bearer realm="${tokens.server.url.origin}/token",service="strake registry",scope="repository:anne/app:pull,push"`,
  );
  const token = async (scope: string, headers: Record<string, string>): Promise<string> => {
    const answer = await ask2('GET', `/token?service=x&scope=${encodeURIComponent(scope)}`, { headers });
    return answer.status === 200 ? (JSON.parse(answer.text) as { token: string }).token : String(answer.status);
  };
  const start = async (repository: string, bearer: string): Promise<number> =>
    (await ask2('POST', `/v2/${repository}/blobs/uploads/`, { headers: { authorization: `Bearer ${bearer}` } })).status;
  assert.equal(await token('repository:anne/app:pull,push', { authorization: 'Basic eDp5' }), '401');
  const own = await token('repository:anne/app:pull,push', login);
  assert.equal(await start('anne/app', own), 202);
  assert.equal(await start('other/app', own), 401);
  assert.equal(await start('other/app', await token('repository:other/app:pull,push', login)), 401);
  assert.equal(await start('anne/app', await token('repository:anne/app:pull', login)), 401);
  assert.equal(await start('anne/app', await token('repository:anne/app:pull,push', {})), 401);
  // A mount needs the right to read where it comes from: without it an upload starts instead.
  const digest = digestOf('secret');
  await tokens.manifests.link('hidden', digest);
  const mount = await ask2('POST', `/v2/anne/app/blobs/uploads/?mount=${digest}&from=hidden`, {
    headers: { authorization: `Bearer ${own}` },
  });
  assert.equal(mount.status, 202);
});

test('on disk: everything is found again by another server, and uploads leave nothing', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'strake-registry-'));
  try {
    const stores = (): object => ({
      blobs: new DiskBlobStore(join(folder, 'blobs'), { clock: systemClock, random: systemRandom }),
      manifests: new DiskManifestStore(join(folder, 'repositories'), { random: systemRandom }),
      scratch: join(folder, 'uploads'),
    });
    let digest = '';
    {
      await using registry = await registryOf(stores());
      const ask = asker(registry.server.url);
      const made = await image(ask, 'team/app');
      digest = made.digest;
      await ask('PUT', '/v2/team/app/manifests/1', { headers: OCI, body: made.content });
      const patched = await ask('PATCH', location(await ask('POST', '/v2/team/app/blobs/uploads/')), { body: 'half' });
      assert.equal(patched.status, 202);
      assert.equal(readdirSync(join(folder, 'uploads')).length, 1);
    }
    assert.deepEqual(readdirSync(join(folder, 'uploads')), []);
    await using registry = await registryOf(stores());
    const ask = asker(registry.server.url);
    assert.equal((await ask('GET', '/v2/team/app/manifests/1')).headers.get('docker-content-digest'), digest);
    assert.equal((await ask('GET', `/v2/team/app/blobs/${digestOf('layer')}`)).text, 'layer');
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('a client that leaves in the middle of an upload leaves the server well', async () => {
  await using registry = await registryOf();
  const ask = asker(registry.server.url);
  const session = location(await ask('POST', '/v2/a/blobs/uploads/'));
  const { port } = registry.server.url;
  await new Promise<void>((resolve) => {
    const socket = connect(Number(port), '127.0.0.1', () => {
      socket.write(`PATCH ${session} HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\nhalf`, () =>
        setTimeout(() => socket.destroy(), 20),
      );
    });
    socket.on('close', () => resolve());
  });
  for (let i = 0; i < 50 && (await ask('GET', session)).headers.get('range') !== '0-3'; i++)
    await new Promise((resolve) => setTimeout(resolve, 10));
  const done = await ask('PUT', `${session}?digest=${digestOf('half and half')}`, { body: ' and half' });
  assert.equal(done.status, 201);
});
