import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { Database, systemClock, systemRandom } from '../../src/base/index.ts';
import { digestOf, DiskBlobStore, type Digest } from '../../src/blob/index.ts';
import { sourceState, type HttpSource } from '../../src/graph/index.ts';
import type { StepContext } from '../../src/solve/index.ts';
import { unionOf } from '../../src/tree/index.ts';
import { Downloads } from '../../src/worker/http/downloads.ts';
import { HttpRunner } from '../../src/worker/http/http-runner.ts';
import type { Session } from '../../src/worker/session.ts';
import { FileServer, type Answer } from '../lib/file-server.ts';

interface Got {
  readonly key: string;
  readonly name: string;
  readonly mode: string;
  readonly mtime: number;
  readonly content: string;
}

class World implements AsyncDisposable {
  readonly folder = mkdtempSync(join(tmpdir(), 'strake-http-source-'));
  readonly store = new DiskBlobStore(join(this.folder, 'blobs'), { clock: systemClock, random: systemRandom });
  readonly downloads: Downloads;
  readonly runner: HttpRunner;
  readonly said: string[] = [];
  readonly spared = new Set<string>();
  /** Called once bytes have come in. */
  onBytes: (() => void) | undefined;
  readonly #database = Database.open(join(this.folder, 'db'));

  constructor() {
    this.downloads = new Downloads(this.#database, systemClock);
    this.runner = new HttpRunner({ store: this.store, downloads: this.downloads });
  }

  /** In a build of its own. */
  async get(
    source: Omit<HttpSource, 'type'>,
    o: { secrets?: Readonly<Record<string, string>>; signal?: AbortSignal } = {},
  ): Promise<Got> {
    const whole: HttpSource = { ...source, type: 'http' };
    const secret = async (id: string): Promise<Uint8Array | undefined> =>
      o.secrets?.[id] === undefined ? undefined : Buffer.from(o.secrets[id]);
    const session = { host: { secret }, spare: (...digests: string[]) => digests.forEach((d) => this.spared.add(d)) };
    const context: StepContext<Session> = {
      host: session as unknown as Session,
      vertex: sourceState(whole, { name: 'http' }).edge!.vertex,
      signal: o.signal,
      log: () => undefined,
      unkept: () => undefined,
      progress: ({ current }) => {
        if (current > 0) this.onBytes?.();
      },
      note: (text) => void this.said.push(text),
      stopOthers: async () => false,
    };
    const { digest } = await this.runner.cacheKey(whole, context);
    const [ref] = await this.runner.run(whole, context);
    assert.equal(ref?.kind, 'files');
    const view = await unionOf(ref?.kind === 'files' ? [ref.tree] : []);
    const [node, ...more] = view.list('/');
    assert.ok(node && more.length === 0);
    const { path, mode, mtime } = node.entry;
    const content = Buffer.from(await view.readFile(path)).toString();
    return { key: digest, name: path, mode: mode.toString(8), mtime, content };
  }

  blobs(): string[] {
    return readdirSync(join(this.folder, 'blobs'), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile() && !entry.parentPath.includes('/toc'))
      .map((entry) => entry.name);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.runner[Symbol.asyncDispose]();
    this.#database[Symbol.dispose]();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

const MODIFIED = 'Wed, 21 Oct 2015 07:28:00 GMT';
const MODIFIED_AT = Date.parse(MODIFIED) / 1000;

suite('http sources', () => {
  test('name, mode and time; from the address or from the server', async () => {
    await using server = await FileServer.open();
    await using world = new World();
    server.file('/dir/a%20b.txt', 'text', { 'last-modified': MODIFIED });
    assert.deepEqual(
      { ...(await world.get({ url: `${server.url}/dir/a%20b.txt?x=1#f` })), key: '' },
      { key: '', name: 'a b.txt', mode: '600', mtime: MODIFIED_AT, content: 'text' },
    );
    server.file('/get', 'text', { 'content-disposition': 'attachment; filename="../../name;x.tar"; size=3' });
    const named = await world.get({ url: `${server.url}/get`, mode: 0o755 });
    assert.deepEqual([named.name, named.mode, named.mtime], ['name;x.tar', '755', 0]);
    assert.equal((await world.get({ url: `${server.url}/get`, filename: 'own' })).name, 'own');
    server.file('/', 'text', { 'content-disposition': "attachment; filename=x; filename*=UTF-8''%e2%82%ac" });
    assert.equal((await world.get({ url: `${server.url}/` })).name, '€');
    server.file('/', 'text', { 'last-modified': 'some day' });
    const bare = await world.get({ url: server.url });
    assert.deepEqual([bare.name, bare.mtime], ['download', 0]);
    server.file('/coded', gzipSync('plain'), { 'content-encoding': 'gzip' });
    assert.equal((await world.get({ url: `${server.url}/coded` })).content, 'plain');
    assert.equal((await world.get({ url: `${server.url}/coded` })).content, 'plain');
  });

  test('a server that has the same is believed: by entity tag, looked at by HEAD, or by time', async () => {
    await using server = await FileServer.open();
    await using world = new World();
    const url = `${server.url}/f`;
    server.file('/f', 'one', { etag: 'W/"1"', 'last-modified': MODIFIED });
    const first = await world.get({ url });
    assert.deepEqual(server.asked(), ['GET /f']);
    assert.deepEqual(await world.get({ url }), first);
    assert.deepEqual(server.asked(), ['HEAD /f']);
    // One that does not answer HEAD.
    const answer = server.answers.get('/f')!;
    server.answers.set('/f', (request, response) => {
      if (request.method === 'HEAD') response.writeHead(405).end();
      else answer(request, response);
    });
    assert.deepEqual(await world.get({ url }), first);
    assert.deepEqual(server.asked(), ['HEAD /f', 'GET /f']);
    server.file('/f', 'two', { etag: '"2"', 'last-modified': MODIFIED });
    const second = await world.get({ url });
    assert.deepEqual([second.content, second.key === first.key], ['two', false]);
    // The same content at another address, of the same time, is the same.
    server.file('/g/f', 'two', { 'last-modified': MODIFIED });
    assert.equal((await world.get({ url: `${server.url}/g/f` })).key, second.key);
    server.asked();
    const conditions: unknown[] = [];
    server.answers.set('/g/f', (request, response) => {
      conditions.push(request.headers['if-modified-since']);
      response.writeHead(304).end();
    });
    assert.equal((await world.get({ url: `${server.url}/g/f` })).content, 'two');
    assert.deepEqual([server.asked(), conditions], [['GET /g/f'], [MODIFIED]]);
    // Content that is gone from the store is fetched again.
    for (const name of world.blobs()) await world.store.delete(`sha256:${name}`);
    assert.equal((await world.get({ url })).content, 'two');
  });

  test('checksums: what is known is not asked for, what differs is not kept', async () => {
    await using server = await FileServer.open();
    await using world = new World();
    const url = `${server.url}/f`;
    server.file('/f', 'one', { 'last-modified': MODIFIED, 'content-disposition': 'attachment; filename=other' });
    const checksum = digestOf('one');
    const first = await world.get({ url, checksum });
    assert.deepEqual([first.name, first.mtime, first.content], ['f', MODIFIED_AT, 'one']);
    server.answers.delete('/f');
    assert.deepEqual(await world.get({ url, checksum }), first);
    assert.deepEqual(server.asked(), ['GET /f']);
    server.file('/f', 'two');
    await assert.rejects(
      world.get({ url, checksum: digestOf('three') }),
      /digest mismatch sha256:[0-9a-f]{64} \(expected: sha256:/,
    );
    assert.deepEqual(server.asked(), ['GET /f']);
    assert.deepEqual(world.blobs(), [checksum.slice(7)]);
    const { createHash } = await import('node:crypto');
    const long: Digest = `sha512:${createHash('sha512').update('two').digest('hex')}`;
    assert.equal((await world.get({ url, checksum: long })).content, 'two');
    await assert.rejects(
      world.get({ url, checksum: `${long.slice(0, -1)}${long.endsWith('0') ? '1' : '0'}` as Digest }),
      /digest mismatch/,
    );
  });

  test('redirects are followed, and no login goes to another host', async () => {
    await using server = await FileServer.open();
    await using other = await FileServer.open();
    await using world = new World();
    const seen: (string | undefined)[] = [];
    const to =
      (location: string): Answer =>
      (request, response) => {
        seen.push(request.headers.authorization);
        response.writeHead(302, { location }).end();
      };
    server.answers.set('/a', to('/b'));
    server.answers.set('/b', to(`${other.url}/c`));
    other.answers.set('/c', (request, response) => {
      seen.push(request.headers.authorization);
      response.end('far');
    });
    const secrets = { 'HTTP_AUTH_TOKEN_127.0.0.1': 'tok-1234\n' };
    const got = await world.get({ url: `${server.url}/a` }, { secrets });
    assert.deepEqual([got.name, got.content], ['a', 'far']);
    assert.deepEqual(seen, ['Bearer tok-1234', 'Bearer tok-1234', undefined]);
    server.answers.set('/loop', to('/loop'));
    await assert.rejects(world.get({ url: `${server.url}/loop` }), /stopped after 10 redirects/);
    server.answers.set('/file', to('file:///etc/passwd'));
    await assert.rejects(world.get({ url: `${server.url}/file` }), /no web address/);
    seen.length = 0;
    server.answers.set('/own', to('/b'));
    await world.get({ url: `${server.url}/own` }, { secrets: { 'HTTP_AUTH_HEADER_127.0.0.1': 'Custom abc' } });
    await world.get({ url: `${server.url.replace('://', '://me:hunter2@')}/own` });
    assert.deepEqual([seen[0], seen[3]], ['Custom abc', `Basic ${Buffer.from('me:hunter2').toString('base64')}`]);
    for (const name of readdirSync(world.folder).filter((file) => file.startsWith('db')))
      for (const word of ['tok-1234', 'hunter2'])
        assert.ok(!readFileSync(join(world.folder, name)).includes(word), name);
  });

  test('a broken connection is taken up again where it broke, or from the beginning', async () => {
    await using server = await FileServer.open();
    await using world = new World();
    const content = 'abcdefghij'.repeat(100_000);
    for (const headers of [{ etag: '"1"' }, { etag: 'W/"1"' }, {}]) {
      server.file('/f', content, headers);
      await using fresh = new World();
      const whole = server.answers.get('/f')!;
      let breaks = 2;
      const ranges: (string | undefined)[] = [];
      server.answers.set('/f', (request, response) => {
        ranges.push(request.headers.range);
        fresh.onBytes = undefined;
        if (breaks-- <= 0) {
          whole(request, response);
          return;
        }
        const from = Number(/^bytes=(\d+)-/.exec(request.headers.range ?? '')?.[1] ?? 0);
        const status = from > 0 ? 206 : 200;
        const range = { 'content-range': `bytes ${from}-${content.length - 1}/${content.length}` };
        response.writeHead(status, { ...headers, ...(from > 0 ? range : {}), 'content-length': content.length - from });
        fresh.onBytes = () => response.socket?.destroy();
        response.write(content.slice(from, from + 300_000));
      });
      assert.equal((await fresh.get({ url: `${server.url}/f` })).content, content);
      assert.equal(ranges.length, 3);
      assert.equal(ranges.filter((range) => range !== undefined).length, headers.etag === '"1"' ? 2 : 0);
      assert.match(fresh.said.join('\n'), /trying again/);
    }
    let busy = 0;
    server.answers.set('/busy', (_request, response) => {
      busy += 1;
      if (busy < 3) response.writeHead(busy === 1 ? 503 : 429, { 'retry-after': '0' }).end();
      else response.end('at last');
    });
    assert.equal((await world.get({ url: `${server.url}/busy` })).content, 'at last');
    // Another part than was asked for is never taken for it.
    let asked = 0;
    server.answers.set('/wrong', (_request, response) => {
      asked += 1;
      if (asked === 1) {
        response.writeHead(200, { etag: '"x"', 'content-length': 10 });
        world.onBytes = () => response.socket?.destroy();
        response.write('01234');
      } else
        response.writeHead(206, { etag: '"x"', 'content-range': 'bytes 3-9/10', 'content-length': 7 }).end('3456789');
    });
    await assert.rejects(world.get({ url: `${server.url}/wrong` }), /invalid response status 206/);
    assert.deepEqual(readdirSync(join(world.folder, 'blobs/ingest')), []);
  });

  test('what cannot be had, and whoever does not want to wait', async () => {
    await using server = await FileServer.open();
    await using world = new World();
    server.answers.set('/denied', (_request, response) => response.writeHead(401).end());
    for (const [path, code] of [
      ['/nowhere?signature=hunter2', 'DOWNLOAD_NOT_FOUND'],
      ['/denied', 'DOWNLOAD_DENIED'],
    ] as const)
      await assert.rejects(
        world.get({ url: server.url + path }),
        (error: Error & { code?: string }) => error.code === code && !error.message.includes('hunter2'),
      );
    assert.equal(server.asked().length, 2);
    await assert.rejects(world.get({ url: 'http://127.0.0.1:9/x' }), /127\.0\.0\.1:9/);
    const stop = new AbortController();
    server.answers.set('/slow', (_request, response) => {
      response.writeHead(200, { 'content-length': 10 });
      response.write('1');
      stop.abort(new Error('enough'));
    });
    await assert.rejects(world.get({ url: `${server.url}/slow` }, { signal: stop.signal }), /enough|cancelled/);
    assert.deepEqual(readdirSync(join(world.folder, 'blobs/ingest')), []);
  });
});
