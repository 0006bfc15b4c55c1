import assert from 'node:assert/strict';
import { createPublicKey, verify } from 'node:crypto';
import { mkdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { duplexPair } from 'node:stream';
import { test } from 'node:test';
import { bytesOf, Channel, CodedError, collect, systemClock, systemRandom, tempFolder } from '../../../base/index.ts';
import { digestOf, MemoryBlobStore, verified, type BlobReader } from '../../../blob/index.ts';
import * as fc from 'fast-check';
import { folderSource, fsPath, type Entry, type FileSource, type FileTree } from '../../../tree/index.ts';
import { randomTrees, treeOf } from '../../../tree/random-tree.suite.ts';
import type { BuildHost, ByteChannel, Sink } from '../../../worker/index.ts';
import { Auth } from '../../gen/buildkit/auth_pb.ts';
import { GrpcConnection, GrpcServer } from '../../grpc/index.ts';
import { hostRoutes } from './host-routes.ts';
import { bothEnds } from './both-ends.suite.ts';
import { sinkName, sinkPlace } from './index.ts';

const filesOf = (sources: Readonly<Record<string, FileSource>>): Pick<BuildHost, 'files'> => ({
  files: (name) => sources[name] as FileSource,
});

test('files travel once', async () => {
  using temp = tempFolder(tmpdir(), systemRandom);
  const root = join(temp.path, 'context');
  mkdirSync(join(root, 'd'), { recursive: true });
  writeFileSync(join(root, 'a'), 'first');
  writeFileSync(join(root, 'd/large'), Buffer.alloc(3_000_000, 'l'));
  writeFileSync(join(root, 'd/é'), 'name');
  for (const name of ['a', 'd/large', 'd/é']) utimesSync(join(root, name), 1_700_000_000.5, 1_700_000_000.5);
  let asked: string[] = [];
  let travelled = 0;
  const source = folderSource(root);
  const watched: FileSource = {
    tree: async (filter, w) => {
      const tree = await source.tree(filter, w);
      return {
        entries: (x) => tree.entries(x),
        digests: (f, x) => tree.digests(f, x),
        read: (f, x) => (asked.push(...f.map(({ path }) => path)), tree.read(f, x)),
      };
    },
  };
  const build = async (): Promise<Record<string, string>> => {
    await using pair = await bothEnds(filesOf({ context: watched }), { files: ['context'], folder: temp.path });
    const tree = await pair.session.host.files('context').tree({ exclude: ['none'] });
    travelled = tree.travelled ?? 0;
    const files = (await tree.entries()).filter((entry) => entry.type === 'file');
    const out: Record<string, string> = {};
    for (const file of files)
      out[file.path] = Buffer.from(await collect(tree.read([file])))
        .toString('latin1')
        .slice(0, 5);
    assert.deepEqual(await tree.digests(files), await (await source.tree({})).digests(files));
    return out;
  };
  const first = await build();
  assert.deepEqual(first, { a: 'first', 'd/large': 'lllll', 'd/é': 'name' });
  assert.deepEqual(asked.sort(), ['a', 'd/large', 'd/é']);
  assert.ok(travelled > 3_000_000 && travelled < 3_002_000, `${travelled} bytes`);
  asked = [];
  assert.deepEqual(await build(), first);
  assert.deepEqual(asked, []);
  assert.ok(travelled > 0 && travelled < 500, `${travelled} bytes`);
  writeFileSync(join(root, 'a'), 'other');
  rmSync(join(root, 'd/é'));
  assert.deepEqual(await build(), { a: 'other', 'd/large': 'lllll' });
  assert.deepEqual(asked, ['a']);
});

test('secrets, logins, output', async () => {
  using temp = tempFolder(tmpdir(), systemRandom);
  const out = join(temp.path, 'out');
  let got: { metadata: unknown; text: string } | undefined;
  const host: Partial<BuildHost> = {
    secret: async (id) => (id === 's' ? Buffer.from('hidden') : undefined),
    credentials: async (name) => (name === 'r.test' ? { kind: 'password', username: 'u', secret: 'p' } : undefined),
    sink: (name): Sink =>
      name === 'folder'
        ? { kind: 'folder', path: out }
        : {
            kind: 'stream',
            open: async (metadata) => {
              const chunks: Uint8Array[] = [];
              return {
                write: async (chunk) => void chunks.push(chunk),
                close: async () => {
                  got = { metadata, text: Buffer.concat(chunks).toString() };
                },
                [Symbol.asyncDispose]: async () => undefined,
              };
            },
          },
  };
  await using pair = await bothEnds(host, {
    secrets: true,
    credentials: true,
    sinks: ['stream', 'folder'],
    folder: temp.path,
  });
  const there = pair.session.host;
  assert.equal(Buffer.from((await there.secret('s')) ?? []).toString(), 'hidden');
  assert.equal(await there.secret('t'), undefined);
  assert.deepEqual(await there.credentials('r.test', []), { kind: 'password', username: 'u', secret: 'p' });
  assert.equal(await there.credentials('other.test', ['repository:x:pull']), undefined);
  const sink = there.sink(sinkName({ kind: 'stream', exporter: 0 }));
  assert.ok(sink.kind === 'stream');
  {
    await using file = await sink.open({ 'image.name': 'x:1' });
    await file.write(Buffer.from('he'));
    await file.write(Buffer.from('llo'));
    await file.close();
  }
  assert.deepEqual(got, { metadata: { 'image.name': 'x:1' }, text: 'hello' });
  const tree = there.sink(sinkName({ kind: 'tree', exporter: 1 }));
  assert.ok(tree.kind === 'tree');
  const from = join(temp.path, 'from');
  mkdirSync(join(from, 'x'), { recursive: true });
  writeFileSync(join(from, 'x/y'), 'content');
  await tree.write(await folderSource(from).tree({}), {});
  assert.equal(readFileSync(join(out, 'x/y'), 'utf8'), 'content');
});

/** Files with content that are not kept, since their times say nothing: up to the first second of 1970, which tools give to all files alike, or to come. */
const unkept = (entries: readonly Entry[]): number =>
  entries.filter(({ type, size, mtime, mtimeNs }) => {
    const isOld = mtime <= 0 || (mtime === 1 && mtimeNs === 0);
    return type === 'file' && size > 0 && (isOld || mtime * 1000 > systemClock.now());
  }).length;

/** A tree's entries with what they hold, every name of a file as the file. */
async function seen(tree: FileTree): Promise<readonly unknown[]> {
  const entries = await tree.entries();
  const byPath = new Map(entries.map((entry) => [entry.path, entry]));
  const out: unknown[] = [];
  for (const one of entries) {
    const entry = one.type === 'hardlink' ? byPath.get(one.link ?? '')! : one;
    const content = entry.type === 'file' ? Buffer.from(await collect(tree.read([entry]))).toString('hex') : undefined;
    const { type, mode, uid, gid, mtime, mtimeNs, link, device } = entry;
    const xattrs = [...(entry.xattrs ?? [])].map(([name, value]) => `${name}=${Buffer.from(value).toString('hex')}`);
    const shown = type === 'symlink' ? 0o777 : mode;
    out.push({ path: one.path, type, mode: shown, uid, gid, mtime, mtimeNs, link, device, xattrs, content });
  }
  return out;
}

test('any tree arrives as it is, both ways, and the second time without its contents', async () => {
  await fc.assert(
    fc.asyncProperty(randomTrees(['file', 'symlink', 'hardlink', 'fifo', 'character']), async (random) => {
      using temp = tempFolder(tmpdir(), systemRandom);
      const tree = treeOf(random.entries, random.contents);
      let read = 0;
      const source: FileSource = {
        tree: async () => ({ ...tree, read: (files, w) => ((read += files.length), tree.read(files, w)) }),
      };
      for (const time of ['first', 'second']) {
        read = 0;
        await using ends = await bothEnds(filesOf({ x: source }), { files: ['x'], folder: temp.path });
        const got = await ends.session.host.files('x').tree({});
        assert.deepEqual(await seen(got), await seen(tree));
        if (time === 'second') assert.equal(read, unkept(random.entries));
      }
    }),
    { numRuns: 25 },
  );
});

test('a tree written to a folder of the client is there', async () => {
  await fc.assert(
    fc.asyncProperty(randomTrees(['file', 'symlink', 'hardlink', 'fifo']), async (random) => {
      using temp = tempFolder(tmpdir(), systemRandom);
      const out = join(temp.path, 'out');
      await using ends = await bothEnds(
        { sink: () => ({ kind: 'folder', path: out }) },
        { sinks: ['out'], folder: temp.path },
      );
      const sink = ends.session.host.sink(sinkName({ kind: 'tree', exporter: 0 }));
      assert.ok(sink.kind === 'tree');
      const entries = random.entries.map((entry) => ({ ...entry, mode: entry.mode | 0o700, xattrs: undefined }));
      await sink.write(treeOf(entries, random.contents), {});
      const found = await (await folderSource(out).tree({})).entries();
      assert.deepEqual(
        found.map(({ path, type }) => [path, type === 'hardlink' ? 'file' : type]),
        entries.map(({ path, type }) => [path, type === 'hardlink' ? 'file' : type]),
      );
      for (const { path, type } of entries)
        if (type === 'file')
          assert.deepEqual(readFileSync(fsPath(out, path)), Buffer.from(random.contents.get(path) ?? []));
    }),
    { numRuns: 15 },
  );
});

test('an agent, an upload, content stores', async () => {
  using temp = tempFolder(tmpdir(), systemRandom);
  const store = new MemoryBlobStore();
  const there = await store.put(bytesOf(Buffer.from('layer')), { mediaType: 'x' });
  const host: Partial<BuildHost> = {
    agent: async (id): Promise<ByteChannel> => {
      if (id !== 'default') throw new CodedError({ code: 'X', kind: 'not_found', message: `no agent "${id}"` });
      const echo = new Channel<Uint8Array>();
      return {
        readable: echo,
        write: async (chunk) => echo.push(Buffer.from(Buffer.from(chunk).toString().toUpperCase())),
        [Symbol.asyncDispose]: async () => echo.end(),
      };
    },
  };
  await using ends = await bothEnds(host, {
    agents: true,
    stores: new Map([['oci:base', store]]),
    uploads: new Map([['/abc', () => bytesOf(Buffer.alloc(3_000_000, 'u'))]]),
    folder: temp.path,
  });
  const { session } = ends;
  {
    await using agent = await session.host.agent('default');
    await agent.write(Buffer.from('sign this'));
    for await (const chunk of agent.readable) {
      assert.equal(Buffer.from(chunk).toString(), 'SIGN THIS');
      break;
    }
  }
  await assert.rejects(session.host.agent('other'), { code: 'SESSION_NOT_OFFERED', message: /no agent "other"/ });

  assert.equal((await collect(session.upload(new URL('http://buildkit-session/abc')))).length, 3_000_000);
  await assert.rejects(collect(session.upload(new URL('http://buildkit-session/no'))), { kind: 'not_found' });

  const blobs = session.host.blobs('oci:base');
  assert.equal(await blobs.has(there), true);
  assert.equal(Buffer.from(await collect(await blobs.open(there))).toString(), 'layer');
  assert.equal(Buffer.from(await collect(await blobs.open(there, { offset: 1, length: 2 }))).toString(), 'ay');
  assert.equal(Buffer.from(await collect(await blobs.open(there, { offset: 2, length: 100 }))).toString(), 'yer');
  // A cache is named by its digest alone.
  assert.equal(Buffer.from(await collect(await blobs.open({ ...there, size: 0 }))).toString(), 'layer');
  const absent = { mediaType: 'x', digest: digestOf('absent'), size: 6 };
  assert.equal(await blobs.has(absent), false);
  await assert.rejects(async () => collect(await blobs.open(absent)), { code: 'BLOB_NOT_FOUND' });
  await assert.rejects(session.host.blobs('oci:other').open(there), { code: 'BLOB_NOT_FOUND', message: /"oci:other"/ });

  const sink = session.host.sink(sinkName({ kind: 'blobs', store: 'oci:base' }));
  assert.ok(sink.kind === 'blobs');
  const large = Buffer.alloc(2_500_000, 'b');
  const expect = { mediaType: 'y', digest: digestOf(large), size: large.length };
  for (const time of ['first', 'again'])
    assert.equal((await sink.store.put(bytesOf(large), { mediaType: 'y', expect })).digest, expect.digest, time);
  assert.ok(Buffer.from(await collect(await store.open(expect))).equals(large));
  const wrong = { ...expect, digest: digestOf('lie') };
  await assert.rejects(sink.store.put(bytesOf(large), { mediaType: 'y', expect: wrong }), { code: 'BLOB_MISMATCH' });
  assert.equal(await store.has(wrong), false);
});

test('a store that holds whole reads against what it is told of their size', async () => {
  using temp = tempFolder(tmpdir(), systemRandom);
  const held = new MemoryBlobStore();
  const there = await held.put(bytesOf(Buffer.from('layer')), { mediaType: 'x' });
  // As an OCI layout does.
  const strict: BlobReader = {
    has: (d, w) => held.has(d, w),
    open: async (d, o = {}) => {
      const content = await held.open({ ...d, size: there.size }, o);
      return (o.offset ?? 0) === 0 && o.length === undefined ? verified(content, d) : content;
    },
  };
  const stores = new Map([['oci:base', strict]]);
  await using ends = await bothEnds({}, { stores, folder: temp.path });
  const blobs = ends.session.host.blobs('oci:base');
  assert.equal(Buffer.from(await collect(await blobs.open(there))).toString(), 'layer');
  assert.equal(Buffer.from(await collect(await blobs.open(there, { offset: 1, length: 3 }))).toString(), 'aye');
});

test('a client that goes is missed: what waits for it ends, and says so', async () => {
  using temp = tempFolder(tmpdir(), systemRandom);
  const never = new Promise<never>(() => undefined);
  const ends = await bothEnds(
    { files: () => ({ tree: async () => never }), secret: async () => never, agent: async () => never },
    { files: ['x'], secrets: true, folder: temp.path },
  );
  try {
    const { session } = ends;
    const waiting = [session.host.files('x').tree({}), session.host.secret('s')].map(async (work) =>
      assert.rejects(work, { kind: 'unavailable' }),
    );
    await session.host.credentials('r.test', []);
    const gone = new Promise((resolve) => session.gone.addEventListener('abort', resolve, { once: true }));
    ends.cut();
    await Promise.all(waiting);
    await gone;
    await assert.rejects(session.host.files('x').tree({}), { code: 'SESSION_GONE' });
  } finally {
    await ends[Symbol.asyncDispose]();
  }
  await using still = await bothEnds(
    { files: () => ({ tree: async () => never }) },
    { files: ['x'], folder: temp.path },
  );
  const work = still.session.host.files('x').tree({}, { signal: AbortSignal.timeout(20) });
  await assert.rejects(work, { kind: 'cancelled' });
  assert.throws(() => still.session.host.blobs('s'), {
    code: 'SESSION_NOT_OFFERED',
  });
});

async function never(): Promise<never> {
  throw new assert.AssertionError({ message: 'a token was fetched' });
}

test('a token authority proves itself as BuildKit checks it, and fetches tokens', async () => {
  using temp = tempFolder(tmpdir(), systemRandom);
  await using ends = await bothEnds(
    { credentials: async () => undefined },
    {
      credentials: true,
      tokens: {
        seed: async () => Buffer.from('seed'),
        fetch: async ({ host, scopes }) => ({ token: `${host} ${scopes.join(' ')}` }),
      },
      folder: temp.path,
    },
  );
  assert.deepEqual(await ends.session.host.credentials('docker.io', ['repository:a:pull']), {
    kind: 'bearer',
    secret: 'docker.io repository:a:pull',
  });

  const [here, there] = duplexPair();
  const offer = { id: 'x', files: [], sinks: [], tokens: { seed: async () => Buffer.from('seed'), fetch: never } };
  await using server = new GrpcServer({ routes: hostRoutes({} as BuildHost, offer).routes });
  server.accept(there);
  await using connection = new GrpcConnection(here);
  const auth = connection.client(Auth);
  const [Host, Salt, Payload] = ['r.test', Buffer.from('salt'), Buffer.from('challenge')];
  const { PublicKey } = await auth.getTokenAuthority({ Host, Salt });
  assert.equal(PublicKey.length, 32);
  const { Signed } = await auth.verifyTokenAuthority({ Host, Salt, Payload });
  const jwk = { kty: 'OKP', crv: 'Ed25519', x: Buffer.from(PublicKey).toString('base64url') };
  const key = createPublicKey({ key: jwk, format: 'jwk' });
  assert.deepEqual(Buffer.from(Signed.subarray(64)), Payload);
  assert.ok(verify(null, Payload, key, Signed.subarray(0, 64)));
  assert.notDeepEqual((await auth.getTokenAuthority({ Host, Salt: Buffer.from('other') })).PublicKey, PublicKey);
});

test('names of sinks', () => {
  for (const place of [
    { kind: 'stream', exporter: 0 },
    { kind: 'tree', exporter: 12, mirror: false },
    { kind: 'tree', exporter: 1, mirror: true },
    { kind: 'blobs', store: 'local:a:b' },
  ] as const)
    assert.deepEqual(sinkPlace(sinkName(place)), place);
  for (const name of ['', 'stream', 'stream:', 'stream:x', 'file:0']) assert.equal(sinkPlace(name), undefined);
});
