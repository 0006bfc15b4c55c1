import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bytesOf, collect, hasCode, type Bytes } from '../base/index.ts';
import { digestOf, type Descriptor, type Digest } from '../blob/index.ts';
import { createHash } from 'node:crypto';
import { parseReference } from '../image/index.ts';
import { imageOf } from '../image/samples.suite.ts';
import { FaultProxy, type FaultRule } from './testing/fault-proxy.ts';
import { clientOf, registryOf } from './testing/world.ts';

const MEBI = 1 << 20;
const BLOB = Buffer.alloc(20 * MEBI);
for (let at = 0; at < BLOB.length; at += 4) BLOB.writeUInt32LE((at * 2_654_435_761) >>> 0, at);
const DESCRIPTOR: Descriptor = { mediaType: 'application/octet-stream', digest: digestOf(BLOB), size: BLOB.length };

async function* pieces(content = BLOB): Bytes {
  for (let at = 0; at < content.length; at += MEBI) yield content.subarray(at, at + MEBI);
}

/** Pushes the blob through a proxy with these faults and returns what was asked of it. */
async function push(
  rules: readonly FaultRule[],
  o: { descriptor?: Descriptor; open?: () => Promise<Bytes>; chunkMinLength?: number; signal?: AbortSignal } = {},
): Promise<{ asked: string[]; ranges: unknown[]; waits: number; stored: Buffer | undefined; error: unknown }> {
  await using registry = await registryOf({ chunkMinLength: o.chunkMinLength });
  await using proxy = await FaultProxy.listen(registry.server.url, ...rules);
  await using world = clientOf();
  const descriptor = o.descriptor ?? DESCRIPTOR;
  let error: unknown;
  try {
    await world.client.pushBlob(
      { registry: proxy.host, repository: 'a/b' },
      { descriptor, open: o.open ?? (async () => pieces()) },
      { signal: o.signal },
    );
  } catch (thrown) {
    error = thrown;
  }
  return {
    asked: proxy.seen.map(
      ({ method, path }) =>
        `${method} ${path
          .replace(/^\/v2\/a\/b/, '')
          .replace(/uploads\/[0-9a-f]+/, 'uploads/ID')
          .replace(/sha256.*/, 'D')}`,
    ),
    ranges: proxy.seen
      .filter(({ method, headers }) => method === 'PATCH' || headers['content-range'] !== undefined)
      .map(({ method, headers }) => `${method} ${headers['content-range']}`),
    waits: world.clock.waits.length,
    stored: (await registry.manifests.isLinked('a/b', descriptor.digest))
      ? Buffer.from(await collect(await registry.blobs.open(descriptor)))
      : undefined,
    error,
  };
}

const PUT = { method: 'PUT', path: /uploads/ };
const PATCH = { method: 'PATCH' };

test('in one piece where nothing stands against it', async () => {
  const { asked, stored, error } = await push([]);
  assert.equal(error, undefined);
  assert.deepEqual(
    asked,
    ['GET ', 'HEAD /blobs/D', 'POST /blobs/uploads/', 'PUT /blobs/uploads/ID?digest=D'].map((line) =>
      line.replace('GET ', 'GET /v2/'),
    ),
  );
  assert.ok(stored?.equals(BLOB));
});

test('a break in the middle starts the one piece over, a second goes on in chunks', async () => {
  const once = await push([{ ...PUT, fault: { kind: 'reset-upload', after: 5 * MEBI } }]);
  assert.equal(once.error, undefined);
  assert.ok(once.stored?.equals(BLOB));
  assert.ok(once.asked.includes('DELETE /blobs/uploads/ID'));
  assert.deepEqual(once.ranges, []);
  const twice = await push([{ ...PUT, times: 2, fault: { kind: 'reset-upload', after: 5 * MEBI } }]);
  assert.equal(twice.error, undefined);
  assert.ok(twice.stored?.equals(BLOB));
  assert.deepEqual(twice.ranges, ['PATCH 0-8388607', 'PATCH 8388608-16777215', 'PUT 16777216-20971519']);
});

test('too large for a proxy: in chunks at once, of the length that the registry wants', async () => {
  const { stored, ranges, error } = await push([{ ...PUT, fault: { kind: 'status', status: 413 } }], {
    chunkMinLength: 15 * MEBI,
  });
  assert.equal(error, undefined);
  assert.ok(stored?.equals(BLOB));
  assert.deepEqual(ranges, ['PATCH 0-15728639', 'PUT 15728640-20971519']);
});

test('chunks are resumed where the registry stands', async () => {
  const large: FaultRule = { ...PUT, fault: { kind: 'status', status: 413 } };
  const cases: readonly FaultRule[][] = [
    [{ ...PATCH, fault: { kind: 'reset-upload', after: 3 * MEBI } }],
    [{ ...PATCH, skip: 1, fault: { kind: 'reset-upload', after: 3 * MEBI } }],
    [{ ...PATCH, skip: 1, fault: { kind: 'status', status: 500 } }],
    [{ ...PATCH, skip: 1, fault: { kind: 'status', status: 416 } }],
    // The chunk came, but its answer did not.
    [{ ...PATCH, skip: 1, fault: { kind: 'headers', headers: {}, status: 503 } }],
    [{ ...PUT, skip: 1, fault: { kind: 'headers', headers: {}, status: 503 } }],
    [{ ...PUT, skip: 1, fault: { kind: 'reset-upload', after: MEBI } }],
    // The session is lost: from the beginning.
    [{ ...PATCH, skip: 1, fault: { kind: 'status', status: 404 } }],
    [
      { ...PATCH, skip: 1, fault: { kind: 'status', status: 500 } },
      { method: 'GET', path: /uploads/, fault: { kind: 'status', status: 404 } },
    ],
  ];
  for (const rules of cases) {
    const { stored, error } = await push([large, ...rules]);
    assert.equal(error, undefined, `${JSON.stringify(rules)}: ${String(error)}`);
    assert.ok(stored?.equals(BLOB), JSON.stringify(rules));
  }
});

test('odd answers that registries give: 201 to PATCH, wrong Range, absolute Location with a query', async () => {
  const large: FaultRule = { ...PUT, fault: { kind: 'status', status: 413 } };
  const odd = await push([
    large,
    { ...PATCH, times: 9, fault: { kind: 'headers', headers: { range: '0-5' }, status: 201 } },
  ]);
  assert.ok(odd.stored?.equals(BLOB));
  await using registry = await registryOf();
  await using proxy = await FaultProxy.listen(registry.server.url);
  const upload = await fetch(`http://${proxy.host}/v2/a/b/blobs/uploads/`, { method: 'POST' });
  const location = `http://${proxy.host}${upload.headers.get('location')}?_state=a%3D%3D&x=1+2`;
  proxy.add({ method: 'POST', fault: { kind: 'status', status: 202, headers: { location } } });
  await using world = clientOf();
  await world.client.pushBlob(
    { registry: proxy.host, repository: 'a/b' },
    { descriptor: DESCRIPTOR, open: async () => pieces() },
  );
  assert.match(proxy.seen.at(-1)?.path ?? '', /\?_state=a%3D%3D&x=1\+2&digest=sha256%3A/);
});

test('an upload location elsewhere gets no login, and not every address', async () => {
  await using elsewhere = await registryOf();
  await using there = await FaultProxy.listen(elsewhere.server.url, { fault: { kind: 'status', status: 201 } });
  const check = (): boolean => true;
  await using registry = await registryOf({ access: { kind: 'basic', check } });
  await using proxy = await FaultProxy.listen(registry.server.url, {
    method: 'POST',
    skip: 1,
    fault: { kind: 'status', status: 202, headers: { location: `http://${there.host}/put?x=1` } },
  });
  await using world = clientOf({ credentials: async () => ({ username: 'u', secret: 'p', kind: 'password' }) });
  proxy.add({
    method: 'POST',
    fault: { kind: 'status', status: 202, headers: { location: `http://${there.host}/put?x=1` } },
  });
  await world.client.pushBlob(
    { registry: proxy.host, repository: 'a/b' },
    { descriptor: DESCRIPTOR, open: async () => pieces() },
  );
  assert.equal(there.seen[0]?.method, 'PUT');
  assert.equal(there.seen[0]?.headers['authorization'], undefined);
  proxy.add({
    method: 'POST',
    fault: { kind: 'status', status: 202, headers: { location: 'http://169.254.169.254/' } },
  });
  const unsafe = world.client.pushBlob(
    { registry: proxy.host, repository: 'c' },
    { descriptor: DESCRIPTOR, open: async () => pieces() },
  );
  await assert.rejects(unsafe, (error) => hasCode(error, 'REGISTRY_UNSAFE'));
});

test('where chunks are not known either, what was said of the whole is told', async () => {
  const { error, stored } = await push([
    { ...PUT, times: 9, fault: { kind: 'status', status: 413 } },
    { ...PATCH, times: 9, fault: { kind: 'status', status: 405 } },
  ]);
  assert.ok(hasCode(error, 'REGISTRY_REFUSED') && /too large/.test(error.message), String(error));
  assert.equal(stored, undefined);
});

test('a registry that fails for ever, refuses, or stores something else', async () => {
  const broken = await push([
    { ...PUT, times: 99, fault: { kind: 'status', status: 500 } },
    { ...PATCH, times: 99, fault: { kind: 'status', status: 500 } },
  ]);
  assert.ok(hasCode(broken.error, 'REGISTRY_FAILED'), String(broken.error));
  const denied = await push([{ method: 'POST', times: 99, fault: { kind: 'status', status: 403 } }]);
  assert.ok(hasCode(denied.error, 'REGISTRY_DENIED'));
  assert.match((denied.error as Error).message, /^push blob sha256:[0-9a-f]{64} to "127\.0\.0\.1:\d+\/a\/b": /);
  const missing = await push([
    { method: 'POST', times: 99, fault: { kind: 'status', status: 404, body: '{"errors":[{"code":"NAME_UNKNOWN"}]}' } },
  ]);
  assert.ok(hasCode(missing.error, 'REPOSITORY_NOT_FOUND') && /Create the repository/.test(missing.error.remedy ?? ''));
  const other = await push([
    { ...PUT, times: 99, fault: { kind: 'headers', headers: { 'docker-content-digest': digestOf('other') } } },
  ]);
  assert.ok(hasCode(other.error, 'REGISTRY_PROTOCOL'));
});

test('what the source throws comes out unchanged, and the upload is cancelled', async () => {
  const reason = new Error('the source broke');
  const open = async (): Promise<Bytes> =>
    (async function* () {
      yield BLOB.subarray(0, MEBI);
      throw reason;
    })();
  const { error, asked } = await push([], { open });
  assert.equal(error, reason);
  assert.equal(asked.at(-1), 'DELETE /blobs/uploads/ID');
});

test('a cancelled push cancels the upload at the registry', async () => {
  const abort = new AbortController();
  const open = async (): Promise<Bytes> =>
    (async function* () {
      yield BLOB.subarray(0, MEBI);
      abort.abort();
      yield BLOB.subarray(MEBI, 2 * MEBI);
    })();
  const { error, asked } = await push([], { open, signal: abort.signal });
  assert.ok(hasCode(error, 'CANCELLED'), String(error));
  assert.equal(asked.at(-1), 'DELETE /blobs/uploads/ID');
});

test('sha512 is announced; the empty blob is a blob', async () => {
  const sha512: Digest = `sha512:${createHash('sha512').update('abc').digest('hex')}`;
  const small = Buffer.from('abc');
  const { asked, error } = await push([], {
    descriptor: { mediaType: 'x/y', digest: sha512, size: 3 },
    open: async () => bytesOf(small),
  });
  assert.equal(error, undefined);
  assert.ok(asked.some((line) => line.endsWith('?digest-algorithm=sha512')));
  for (const rules of [[], [{ ...PUT, fault: { kind: 'status', status: 413 } as const }]]) {
    const empty = await push(rules, {
      descriptor: { mediaType: 'x/y', digest: digestOf(''), size: 0 },
      open: async () => bytesOf(),
    });
    assert.equal(empty.error, undefined);
    assert.equal(empty.stored?.length, 0);
  }
});

test('a failed layer stops the others, and no manifest is left', async () => {
  await using registry = await registryOf();
  await using proxy = await FaultProxy.listen(registry.server.url, {
    method: 'POST',
    skip: 1,
    times: 99,
    fault: { kind: 'status', status: 403 },
  });
  await using world = clientOf();
  const image = await imageOf([{ a: '1' }, { b: '2' }, { c: '3' }, { d: '4' }, { e: '5' }]);
  const reference = parseReference(`${proxy.host}/a:1`);
  await assert.rejects(world.client.push(image, reference), (error) => hasCode(error, 'REGISTRY_DENIED'));
  const after = proxy.seen.length;
  assert.equal(await registry.manifests.get('a', '1'), undefined);
  await new Promise((resolve) => setTimeout(resolve, 50));
  assert.equal(proxy.seen.length, after);
});
