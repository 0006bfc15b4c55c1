import assert from 'node:assert/strict';
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
  chmodSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { collect, Database, systemClock, systemRandom } from '../../src/base/index.ts';
import { DiskBlobStore } from '../../src/blob/index.ts';
import { sourceState, type GitSource } from '../../src/graph/index.ts';
import type { StepContext, StepProgress } from '../../src/solve/index.ts';
import { openLayer, unionOf, type TreeView } from '../../src/tree/index.ts';
import { GitRunner } from '../../src/worker/git/git-runner.ts';
import { Mirrors } from '../../src/worker/git/mirrors.ts';
import { layersOf } from '../../src/worker/ref.ts';
import type { Session } from '../../src/worker/session.ts';
import { GitServer } from '../lib/git-server.ts';

/** A runner on a folder of its own, and what it makes of sources. */
class World implements Disposable {
  readonly folder = mkdtempSync(join(tmpdir(), 'strake-git-source-'));
  readonly store = new DiskBlobStore(join(this.folder, 'blobs'), { clock: systemClock, random: systemRandom });
  readonly mirrors = new Mirrors(join(this.folder, 'git'), { clock: systemClock, random: systemRandom });
  readonly runner: GitRunner;
  readonly said: string[] = [];
  readonly moved: StepProgress[] = [];
  readonly #database = Database.open(':memory:');

  constructor(env: Readonly<Record<string, string>> = {}) {
    mkdirSync(join(this.folder, 'tmp'));
    this.runner = new GitRunner({
      store: this.store,
      database: this.#database,
      mirrors: this.mirrors,
      clock: systemClock,
      random: systemRandom,
      scratch: join(this.folder, 'tmp'),
      env: { ...process.env, ...env },
    });
  }

  context(
    source: GitSource,
    o: { secrets?: Readonly<Record<string, string>> | undefined; signal?: AbortSignal } = {},
  ): StepContext<Session> {
    const vertex = sourceState(source, { name: 'git' }).edge!.vertex;
    const host = {
      secret: async (id: string) => (o.secrets?.[id] === undefined ? undefined : Buffer.from(o.secrets[id])),
      agent: () => Promise.reject(new Error('not offered')),
    };
    return {
      host: { host } as unknown as Session,
      vertex,
      signal: o.signal,
      log: (_stream, chunk) => void this.said.push(Buffer.from(chunk).toString()),
      unkept: () => undefined,
      progress: (progress) => void this.moved.push(progress),
      note: (text) => void this.said.push(text),
      stopOthers: async () => false,
    };
  }

  async get(
    source: Omit<GitSource, 'type'>,
    o: { secrets?: Readonly<Record<string, string>>; signal?: AbortSignal } = {},
  ): Promise<Got> {
    const whole: GitSource = { ...source, type: 'git' };
    const context = this.context(whole, o);
    const { digest } = await this.runner.cacheKey(whole, context);
    const [ref] = await this.runner.run(whole, context);
    const [layer] = layersOf(ref);
    const { diffId } = layer ?? assert.fail('no layer');
    const view = await unionOf([await openLayer(this.store, diffId)]);
    return { key: digest, diffId, view };
  }

  [Symbol.dispose](): void {
    this.#database[Symbol.dispose]();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

interface Got {
  readonly key: string;
  readonly diffId: string;
  readonly view: TreeView;
}

/** path -> mode and content. */
async function filesOf(view: TreeView, from = '/'): Promise<Record<string, string>> {
  const files: Record<string, string> = {};
  for (const { entry } of view.walk(from)) {
    if (entry.path === '') continue;
    const mode = entry.mode.toString(8);
    files[entry.path] =
      entry.type === 'file'
        ? `${mode} ${Buffer.from(await view.readFile(entry.path)).toString()}`
        : `${mode} ${entry.type}${entry.link === undefined ? '' : ` ${entry.link}`}`;
  }
  return files;
}

suite('git sources', () => {
  test('branches, tags, annotated tags, commits, pull references and folders; one key for one commit', async () => {
    await using server = await GitServer.open();
    using world = new World();
    const repository = server.repository('a.git-work');
    const first = repository.commit({ hello: 'one', 'sub/deep/x': 'x' });
    chmodSync(join(repository.path, 'hello'), 0o755);
    symlinkSync('../hello', join(repository.path, 'sub/link'));
    const second = repository.commit({ README: 'two' });
    repository.git('tag', 'plain', first);
    repository.git('tag', '-a', '-m', 'note', 'noted', first);
    repository.git('branch', 'side/way', first);
    repository.git('update-ref', 'refs/pull/7/head', first);
    const url = `${server.url}/a.git-work/.git`;

    const head = await world.get({ url });
    assert.deepEqual(await filesOf(head.view), {
      README: '644 two',
      hello: '755 one',
      sub: '755 directory',
      'sub/deep': '755 directory',
      'sub/deep/x': '644 x',
      'sub/link': '777 symlink ../hello',
    });
    const { entry } = head.view.stat('/hello')!;
    assert.deepEqual(
      [entry.uid, entry.gid, entry.mtime, entry.mtimeNs],
      [0, 0, Date.UTC(2020, 0, 2, 3, 4, 5) / 1000, 0],
    );
    assert.deepEqual((await world.get({ url, ref: 'main' })).key, head.key);
    assert.deepEqual((await world.get({ url, ref: second })).diffId, head.diffId);
    assert.deepEqual((await world.get({ url, ref: 'HEAD' })).key, head.key);

    const old = await world.get({ url, ref: first });
    assert.deepEqual(Object.keys(await filesOf(old.view)), ['hello', 'sub', 'sub/deep', 'sub/deep/x']);
    for (const ref of [
      'plain',
      'refs/tags/plain',
      'noted',
      'side/way',
      'refs/heads/side/way',
      'pull/7/head',
      'refs/pull/7/head',
      first.slice(0, 9),
    ]) {
      const got = await world.get({ url, ref });
      assert.deepEqual([got.key, got.diffId], [old.key, old.diffId], ref);
    }
    const sub = await world.get({ url, ref: 'plain', subdir: 'sub/deep' });
    assert.deepEqual(await filesOf(sub.view), { x: '644 x' });
    assert.notEqual(sub.key, old.key);

    // Another store comes to the same bytes.
    using other = new World();
    assert.equal((await other.get({ url })).diffId, head.diffId);
    assert.deepEqual(readdirSync(join(world.folder, 'tmp')), []);
  });

  test('what is not there, and what is not what it should be', async () => {
    await using server = await GitServer.open();
    using world = new World();
    const repository = server.repository('a');
    const commit = repository.commit({ file: '1', 'dir/x': '1' });
    symlinkSync('dir', join(repository.path, 'link'));
    repository.commit({});
    repository.git('tag', '-a', '-m', 'note', 'v1', commit);
    const tag = repository.git('rev-parse', 'v1');
    const url = `${server.url}/a/.git`;
    for (const [source, message] of [
      [{ url, ref: 'nope' }, /at "nope": repository does not contain ref "nope"/],
      [{ url, ref: 'abcdef0123' }, /does not contain ref "abcdef0123"/],
      [{ url, ref: 'f'.repeat(40) }, /fetch the repository .*f{40}/],
      [{ url, ref: '--upload-pack=x' }, /invalid git ref/],
      [{ url, subdir: 'nope' }, /it has no folder "nope"/],
      [{ url, subdir: 'file' }, /"file" is not a folder/],
      [{ url, subdir: 'link' }, /"link" is not a folder/],
      [{ url, subdir: '../..' }, /it has no folder/],
      [{ url, ref: 'v1', checksum: 'abc' }, /expected checksum to match abc, got [0-9a-f]{40} or [0-9a-f]{40}/],
      [{ url, ref: 'v1', checksum: 'xyz' }, /invalid checksum xyz/],
      [{ url, ref: commit, checksum: 'fff' }, /expected checksum to match fff, got/],
      [{ url, ref: 'main', fetchByCommit: true, checksum: 'abc' }, /fetch-by-commit requires/],
      [{ url: `${server.url}/nowhere/.git` }, /fetch the repository .*\/nowhere\/\.git.*not found/s],
      [{ url: 'http://127.0.0.1:9/x.git' }, /fetch the repository/],
    ] as const)
      await assert.rejects(world.get(source), message, JSON.stringify(source));
    const right = await world.get({ url, ref: 'v1', checksum: commit.slice(0, 7) });
    assert.equal((await world.get({ url, ref: 'v1', checksum: tag })).key, right.key);
    assert.equal((await world.get({ url, ref: 'main', fetchByCommit: true, checksum: commit })).key, right.key);
    assert.deepEqual(readdirSync(join(world.folder, 'tmp')), []);
  });

  test('how far a fetch is, is told', async () => {
    await using server = await GitServer.open();
    using world = new World();
    const repository = server.repository('big');
    const files = Array.from({ length: 120 }, (_, at) => [`f${at}`, `${at}`] as const);
    repository.commit(Object.fromEntries(files));
    await world.get({ url: `${server.url}/big/.git` });
    const received = world.moved.filter(({ item }) => item === 'receiving objects');
    // The files, their folder and the commit.
    assert.partialDeepStrictEqual(received.at(-1), { current: 122, total: 122, unit: 'objects', done: true });
    assert.ok(received.length > 1);
  });

  test('a branch that moves, also to where it was a folder; a commit that is known asks nobody', async () => {
    await using server = await GitServer.open();
    using world = new World();
    const repository = server.repository('a');
    const commit = repository.commit({ file: '1' });
    repository.git('branch', 'x');
    const url = `${server.url}/a/.git`;
    assert.deepEqual(await filesOf((await world.get({ url, ref: 'x' })).view), { file: '644 1' });
    repository.commit({ file: '2' });
    repository.git('branch', '-D', 'x');
    repository.git('branch', 'x/y');
    assert.deepEqual(await filesOf((await world.get({ url, ref: 'x/y' })).view), { file: '644 2' });
    repository.git('branch', '-D', 'x/y');
    repository.git('branch', 'x');
    assert.deepEqual(await filesOf((await world.get({ url, ref: 'x' })).view), { file: '644 2' });
    server.requests.length = 0;
    assert.deepEqual(await filesOf((await world.get({ url, ref: commit })).view), { file: '644 1' });
    assert.deepEqual(server.requests, []);
  });

  test('.git is kept where asked: one commit, its reference, no login; the same bytes each time', async () => {
    await using server = await GitServer.open();
    using world = new World();
    const repository = server.repository('a');
    repository.commit({ file: '1' });
    const commit = repository.commit({ file: '2' });
    repository.git('tag', '-a', '-m', 'note', 'v1');
    const address = new URL(`${server.url}/a/.git`);
    address.username = 'someone';
    address.password = 'hunter2';
    const url = address.href;
    for (const ref of ['main', 'v1', commit, undefined]) {
      const got = await world.get({ url, ref, keepGitDir: true });
      if (ref === 'v1') {
        using other = new World();
        assert.equal((await other.get({ url, ref, keepGitDir: true })).diffId, got.diffId);
      }
      const files = await filesOf(got.view);
      assert.equal(files['file'], '644 2');
      assert.equal(files['.git/HEAD'], `644 ${commit}\n`);
      assert.match(files['.git/config'] ?? '', /url = http:\/\/127/);
      assert.ok(!JSON.stringify(files).includes('hunter2'));
      // git itself finds it whole and unchanged.
      const folder = mkdtempSync(join(world.folder, 'out-'));
      for (const node of got.view.walk('/')) {
        const path = join(folder, node.path);
        if (node.entry.type === 'directory') mkdirSync(path, { recursive: true });
        else writeFileSync(path, await collect(got.view.open(node)));
      }
      const { execFileSync } = await import('node:child_process');
      const git = (...args: string[]): string =>
        execFileSync('git', ['-C', folder, ...args], { encoding: 'utf8' }).trim();
      assert.equal(git('status', '--porcelain'), '');
      assert.equal(git('rev-list', '--count', 'HEAD'), '1');
      if (ref === 'v1') assert.equal(git('describe'), 'v1');
      if (ref === 'main') assert.equal(git('rev-parse', 'refs/heads/main'), commit);
    }
    const keys = new Set<string>();
    for (const o of [{}, { keepGitDir: true }, { keepGitDir: true, ref: 'v1' }, { submodules: false }])
      keys.add((await world.get({ url, ...o })).key);
    assert.equal(keys.size, 4);
  });

  test("submodules, by relative addresses too, with the same login; none from this machine's files", async () => {
    await using server = await GitServer.open();
    using world = new World();
    server.repository('lib').commit({ inner: 'inner' });
    const repository = server.repository('a');
    repository.commit({ file: '1' });
    repository.git('submodule', '--quiet', 'add', join(server.folder, 'lib'), 'vendor/lib');
    repository.git('config', '-f', '.gitmodules', 'submodule.vendor/lib.url', '../../lib/.git');
    repository.commit({});
    const url = `${server.url}/a/.git`;
    const whole = await world.get({ url });
    assert.equal((await filesOf(whole.view))['vendor/lib/inner'], '644 inner');
    assert.deepEqual(Object.keys(await filesOf(whole.view)), [
      '.gitmodules',
      'file',
      'vendor',
      'vendor/lib',
      'vendor/lib/inner',
    ]);
    const without = await world.get({ url, submodules: false });
    assert.deepEqual(Object.keys(await filesOf(without.view)), ['.gitmodules', 'file', 'vendor', 'vendor/lib']);
    const kept = await world.get({ url, keepGitDir: true });
    using other = new World();
    assert.equal((await other.get({ url, keepGitDir: true })).diffId, kept.diffId);
    assert.equal((await filesOf(kept.view))['vendor/lib/.git'], '644 gitdir: ../../.git/modules/vendor/lib\n');
    repository.git('config', '-f', '.gitmodules', 'submodule.vendor/lib.url', `file://${join(server.folder, 'lib')}`);
    repository.commit({});
    await assert.rejects(world.get({ url }), /transport 'file' not allowed/);
  });

  test('logins come from secrets, travel in no argument and stand in no message, file or key', async () => {
    await using server = await GitServer.open();
    using world = new World();
    const repository = server.repository('a');
    repository.commit({ file: '1' });
    const token = 'tok-3f9c2a71';
    server.authorization = `basic ${Buffer.from(`x-access-token:${token}`).toString('base64')}`;
    const { host } = new URL(server.url);
    const url = `${server.url}/a/.git`;
    await assert.rejects(
      world.get({ url }),
      (error: Error & { code?: string; remedy?: string }) =>
        error.code === 'GIT_DENIED' && /GIT_AUTH_TOKEN/.test(error.remedy ?? ''),
    );
    await assert.rejects(
      world.get({ url }, { secrets: { GIT_AUTH_TOKEN: 'wrong-8888' } }),
      (error: Error) => !`${error.message} ${String(error.cause)}`.includes('wrong-8888'),
    );
    await assert.rejects(world.get({ url }, { secrets: { GIT_AUTH_TOKEN: 'two\nlines' } }), /more than one line/);
    const first = await world.get({ url }, { secrets: { GIT_AUTH_TOKEN: `${token}\n` } });
    for (const secrets of [
      { [`GIT_AUTH_TOKEN.${host}`]: token, GIT_AUTH_TOKEN: 'wrong' },
      { GIT_AUTH_HEADER: server.authorization, GIT_AUTH_TOKEN: 'wrong' },
      { [`GIT_AUTH_HEADER.${host}`]: server.authorization, [`GIT_AUTH_TOKEN.${host}`]: 'wrong' },
    ]) {
      using other = new World();
      assert.equal((await other.get({ url }, { secrets })).key, first.key);
    }
    server.authorization = `Basic ${Buffer.from('me:hunter2').toString('base64')}`.replace('Basic', 'basic');
    using written = new World();
    await written.get({ url: url.replace('://', '://me:hunter2@') });
    for (const [folder, word] of [
      [world.folder, token],
      [written.folder, 'hunter2'],
    ] as const)
      for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true }))
        if (entry.isFile()) assert.ok(!readFileSync(join(entry.parentPath, entry.name)).includes(word), entry.name);
    assert.ok(!world.said.join('').includes(token));
  });

  test('sha256 repositories; an empty commit; a mirror that is damaged is made anew', async () => {
    await using server = await GitServer.open();
    using world = new World();
    const modern = server.repository('m', { format: 'sha256' });
    const commit = modern.commit({ file: 'm' });
    assert.equal(commit.length, 64);
    for (const ref of [undefined, commit])
      assert.deepEqual(await filesOf((await world.get({ url: `${server.url}/m/.git`, ref })).view), { file: '644 m' });
    const empty = server.repository('e');
    empty.commit({});
    assert.deepEqual(await filesOf((await world.get({ url: `${server.url}/e/.git` })).view), {});
    const repository = server.repository('a');
    repository.commit({ file: '1' });
    const url = `${server.url}/a/.git`;
    await world.get({ url });
    for (const entry of readdirSync(world.mirrors.folder, { recursive: true, withFileTypes: true }))
      if (entry.isFile() && /\/objects\//.test(`${entry.parentPath}/`)) rmSync(join(entry.parentPath, entry.name));
    assert.deepEqual(await filesOf((await world.get({ url })).view), { file: '644 1' });
    const kept = await world.mirrors.list();
    assert.equal(kept.length, 3);
    assert.ok(kept.every(({ bytes, name }) => bytes > 0 && world.mirrors.remove(name)));
    assert.deepEqual(await world.mirrors.list(), []);
  });

  test('two at once on one mirror; one that is cancelled leaves nothing', async () => {
    await using server = await GitServer.open();
    using world = new World();
    const repository = server.repository('a');
    repository.commit({ file: '1' });
    const url = `${server.url}/a/.git`;
    const [one, two] = await Promise.all([
      world.get({ url }),
      world.get({ url, keepGitDir: true }),
      world.get({ url, subdir: '' }),
    ]);
    assert.notEqual(one.key, two.key);
    await assert.rejects(world.get({ url }, { signal: AbortSignal.abort(new Error('enough')) }), /enough|cancelled/);
    assert.deepEqual(readdirSync(join(world.folder, 'tmp')), []);
  });

  test('a connection that breaks and a server that is busy are tried again; one that stays so fails', async () => {
    await using server = await GitServer.open();
    using world = new World();
    server.repository('a').commit({ file: '1' });
    const url = `${server.url}/a/.git`;
    let asked = 0;
    server.disturb = (request, response) => {
      asked += 1;
      // The first of ls-remote, the first of fetch, and the pack.
      if (![1, 4, 7].includes(asked)) return false;
      if (asked === 4) response.writeHead(503).end();
      else request.socket.destroy();
      return true;
    };
    assert.deepEqual(await filesOf((await world.get({ url })).view), { file: '644 1' });
    assert.ok(asked > 7);
    server.disturb = (_request, response) => {
      response.writeHead(502).end();
      return true;
    };
    asked = 0;
    await assert.rejects(world.get({ url, ref: 'main' }), /returned error: 502/);
    assert.deepEqual(readdirSync(join(world.folder, 'tmp')), []);
  });
});
