import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { duplexPair } from 'node:stream';
import { test } from 'node:test';
import { collect, systemClock, systemRandom, tempFolder } from '../../../base/index.ts';
import { folderSource, type FileSource } from '../../../tree/index.ts';
import type { BuildHost, Sink } from '../../../worker/index.ts';
import { GrpcConnection, GrpcServer } from '../../grpc/index.ts';
import {
  acceptSession,
  KeptFiles,
  openSession,
  SESSION_CALL,
  sinkName,
  type ClientSession,
  type SessionOffer,
} from './index.ts';

interface Pair extends AsyncDisposable {
  /** As the server sees the client. */
  readonly session: ClientSession;
  readonly folder: string;
}

async function pairOf(host: Partial<BuildHost>, offer: Partial<SessionOffer>, folder: string): Promise<Pair> {
  const [here, there] = duplexPair();
  const kept = new KeptFiles(join(folder, 'kept'), { clock: systemClock, random: systemRandom });
  const accepted = Promise.withResolvers<ClientSession>();
  const server = new GrpcServer({
    routes: () => undefined,
    raw: {
      [SESSION_CALL]: async (request) => {
        const session = acceptSession(request, { kept, clock: systemClock });
        accepted.resolve(session);
        await new Promise((resolve) => session.gone.addEventListener('abort', resolve, { once: true }));
      },
    },
  });
  server.accept(there);
  const connection = new GrpcConnection(here);
  const open = openSession(connection, host as BuildHost, {
    id: systemRandom.hex(8),
    sharedKey: 'k',
    files: [],
    sinks: [],
    ...offer,
  });
  const session = await accepted.promise;
  return {
    session,
    folder,
    async [Symbol.asyncDispose]() {
      await session[Symbol.asyncDispose]();
      await open[Symbol.asyncDispose]();
      await connection[Symbol.asyncDispose]();
      await server[Symbol.asyncDispose]();
    },
  };
}

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
    await using pair = await pairOf(filesOf({ context: watched }), { files: ['context'] }, temp.path);
    const tree = await pair.session.host.files('context').tree({ exclude: ['none'] });
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
  asked = [];
  assert.deepEqual(await build(), first);
  assert.deepEqual(asked, []);
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
  await using pair = await pairOf(host, { secrets: true, credentials: true, sinks: ['stream', 'folder'] }, temp.path);
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
