import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { leftovers } from '../lib/leftovers.ts';
import { emptyStore } from '../lib/store.ts';
import { ok, strake } from '../lib/strake.ts';
import { folderWith } from './context.ts';

const ID = /^sha256:[0-9a-f]{64}\n$/;
const TINY = { Dockerfile: 'FROM scratch\nCOPY hello /hello\nLABEL a=b\n', hello: 'hello\n' };
const run = (command: string, ...args: string[]): string =>
  execFileSync(command, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });

suite('building from the command line', () => {
  test('a tiny image, with no store before, and what to do next', async () => {
    using store = emptyStore();
    const { stdout, stderr } = await ok(['build', folderWith(join(store.work, 'c'), TINY), '-t', 'tiny'], store);
    assert.match(stdout, ID);
    assert.match(stderr, /^#\d+ \[1\/1\] COPY hello \/hello$/m);
    assert.match(stderr, /\nNext:\n/);
    const quiet = await ok(['build', '-q', join(store.work, 'c')], store);
    assert.deepEqual(quiet, { code: 0, stdout, stderr: '' });
    assert.deepEqual(leftovers(store.root), []);
  });

  test('every output', async () => {
    using store = emptyStore();
    const context = folderWith(join(store.work, 'c'), TINY);
    const at = (name: string): string => join(store.work, name);
    const outputs = [
      `type=oci,dest=${at('oci.tar')}`,
      `type=docker,dest=${at('docker.tar')}`,
      `type=oci,tar=false,dest=${at('layout')}`,
      `type=tar,dest=${at('root.tar')}`,
      at('root'),
    ];
    const { stdout } = await ok(
      ['build', '-t', 'tiny', ...outputs.flatMap((output) => ['-o', output]), context],
      store,
    );
    const [id, ...manifests] = stdout.trim().split('\n');
    assert.match(`${id}\n`, ID);
    assert.ok(
      manifests.length >= 3 && manifests.every((line) => /^tiny:latest@sha256:[0-9a-f]{64}$/.test(line)),
      stdout,
    );
    assert.equal(readFileSync(at('root/hello'), 'utf8'), 'hello\n');
    assert.match(run('tar', 'tf', at('root.tar')), /^hello$/m);
    assert.match(run('tar', 'tf', at('oci.tar')), /^oci-layout$/m);
    assert.match(run('tar', 'tf', at('docker.tar')), /^manifest\.json$/m);
    assert.ok(existsSync(at('layout/oci-layout')));
    assert.equal((await ok(['images', '-q'], store)).stdout, '', 'an output takes the place of the store');
    const piped = await ok(['build', '-q', '-o', '-', context], store);
    assert.match(piped.stdout, /hello/);
    assert.match(piped.stderr, ID, 'the ID goes where the archive does not');
  });

  test('--iidfile and --metadata-file', async () => {
    using store = emptyStore();
    const iid = join(store.work, 'iid');
    const metadata = join(store.work, 'metadata.json');
    const context = folderWith(join(store.work, 'c'), TINY);
    const { stdout } = await ok(
      [
        'build',
        '--iidfile',
        iid,
        '--metadata-file',
        metadata,
        '-t',
        'a',
        '-o',
        `type=oci,dest=${join(store.work, 'x.tar')}`,
        context,
      ],
      store,
    );
    assert.equal(`${readFileSync(iid, 'utf8')}\n`, `${stdout.split('\n')[0]}\n`);
    const known = JSON.parse(readFileSync(metadata, 'utf8')) as Record<string, unknown>;
    assert.equal(known['containerimage.config.digest'], readFileSync(iid, 'utf8'));
    assert.match(String(known['containerimage.digest']), /^sha256:/);
    assert.equal(known['image.name'], 'a');
  });

  test('a Dockerfile and a tar on standard input', async () => {
    using store = emptyStore();
    const fromText = await ok(['build', '-q', '-'], { ...store, input: 'FROM scratch\nLABEL x=1\n' });
    assert.match(fromText.stdout, ID);
    const context = folderWith(join(store.work, 'c'), TINY);
    const local = (await ok(['build', '-q', context], store)).stdout;
    for (const flags of ['c', 'cz', 'cJ']) {
      const tar = execFileSync('tar', [flags, '-C', context, '.']);
      assert.equal((await ok(['build', '-q', '-'], { ...store, input: tar })).stdout, local, `tar ${flags}`);
    }
    const other = await ok(['build', '-q', '-f', '-', context], { ...store, input: TINY.Dockerfile });
    assert.equal(other.stdout, local);
    const empty = await strake(['build', '-'], { ...store, input: '' });
    assert.equal(empty.code, 64);
    assert.match(empty.stderr, /standard input: it is empty/);
    assert.equal((await strake(['build', '-', '-f', '-'], { ...store, input: 'x' })).code, 64);
    assert.deepEqual(leftovers(store.root), []);
  });

  test('a git repository, by tag, by commit, in a folder', async () => {
    using store = emptyStore();
    const repository = folderWith(join(store.work, 'repository'), {
      'docker/Dockerfile': TINY.Dockerfile,
      'docker/hello': TINY.hello,
    });
    const git = (...args: string[]): string =>
      run('git', '-C', repository, '-c', 'user.name=t', '-c', 'user.email=t@t.example', ...args);
    git('init', '-q');
    git('add', '.');
    git('commit', '-q', '-m', 'one');
    git('tag', 'v1');
    const commit = git('rev-parse', 'HEAD').trim();
    writeFileSync(join(repository, 'docker/hello'), 'changed\n');
    git('commit', '-q', '-a', '-m', 'two');
    const build = async (ref: string): Promise<string> =>
      (await ok(['build', '-q', `file://${repository}#${ref}:docker`], { ...store, env: { SOURCE_DATE_EPOCH: '1' } }))
        .stdout;
    const tagged = await build('v1');
    assert.equal(await build(commit), tagged);
    assert.equal(await build(commit.slice(0, 9)), tagged);
    assert.notEqual(await build('HEAD'), tagged);
    for (const [place, message] of [
      ['#nope', /at "nope": .*nope/],
      ['#v1:nowhere', /it has no folder "nowhere"/],
    ] as const) {
      const failed = await strake(['build', `file://${repository}${place}`], store);
      assert.match(failed.stderr, message);
      assert.ok([66, 69].includes(failed.code));
    }
    assert.deepEqual(leftovers(store.root), []);
  });

  test('a repository by http: the frontend fetches it, its time is the epoch, a Dockerfile of this side may go with it', async () => {
    using store = emptyStore();
    const folder = folderWith(join(store.work, 'repository'), { ...TINY, 'other/hello': 'other\n' });
    const git = (at: string, ...args: string[]): string =>
      execFileSync('git', ['-C', at, '-c', 'user.name=t', '-c', 'user.email=t@t.example', ...args], {
        encoding: 'utf8',
        env: { ...process.env, GIT_COMMITTER_DATE: '2021-03-04T05:06:07Z' },
        stdio: ['ignore', 'pipe', 'pipe'],
      });
    git(folder, 'init', '-q');
    git(folder, 'add', '.');
    git(folder, 'commit', '-q', '-m', 'one');
    git(store.work, 'clone', '-q', '--bare', folder, 'served.git');
    git(join(store.work, 'served.git'), 'update-server-info');
    const server = createServer((request, response) => {
      const path = join(store.work, new URL(request.url ?? '', 'http://h').pathname);
      if (existsSync(path)) response.writeHead(200).end(readFileSync(path));
      else response.writeHead(404).end();
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    try {
      const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/served.git`;
      const env = { SOURCE_DATE_EPOCH: 'context' };
      const { stdout } = await ok(['build', '-q', '-t', 'fetched', url], { ...store, env });
      assert.match(stdout, ID);
      const [image] = JSON.parse((await ok(['inspect', 'fetched'], store)).stdout) as [{ Created: string }];
      assert.match(image.Created, /^2021-03-04T05:06:07/);
      const input = 'FROM scratch\nCOPY --from=named hello /x\n';
      const named = await ok(['build', '-q', '-f', '-', '--build-context', `named=${url}?subdir=other`, url], {
        ...store,
        input,
      });
      assert.notEqual(named.stdout, stdout);
      const checked = await ok(['check', url], store);
      assert.match(checked.stdout, /no warnings found/);
      const missing = await strake(['build', '-f', 'nowhere', url], store);
      assert.equal(missing.code, 66);
      assert.match(missing.stderr, /read Dockerfile "nowhere": no such file/);
    } finally {
      server.close();
      server.closeAllConnections();
    }
    assert.deepEqual(leftovers(store.root), []);
  });

  test('an archive and a Dockerfile by http', async () => {
    using store = emptyStore();
    const context = folderWith(join(store.work, 'c'), TINY);
    const files: Record<string, Uint8Array> = {
      '/c.tar.gz': execFileSync('tar', ['cz', '-C', context, '.']),
      '/Dockerfile': Buffer.from('FROM scratch\nLABEL y=2\n'),
    };
    const server = createServer((request, response) => {
      const { url = '' } = request;
      if (url === '/moved') response.writeHead(302, { location: '/c.tar.gz' }).end();
      else if (files[url]) response.writeHead(200).end(files[url]);
      else response.writeHead(404).end();
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    try {
      const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
      const local = (await ok(['build', '-q', context], store)).stdout;
      assert.equal((await ok(['build', '-q', `${url}/c.tar.gz`], store)).stdout, local);
      assert.equal((await ok(['build', '-q', `${url}/moved`], store)).stdout, local);
      assert.match((await ok(['build', '-q', `${url}/Dockerfile`], store)).stdout, ID);
      const gone = await strake(['build', `${url}/gone`], store);
      assert.equal(gone.code, 66);
      assert.match(gone.stderr, /invalid response status 404/);
    } finally {
      server.close();
      server.closeAllConnections();
    }
    assert.deepEqual(leftovers(store.root), []);
  });

  test('flags reach the image', async () => {
    using store = emptyStore();
    const context = folderWith(join(store.work, 'c'), {
      Containerfile: 'FROM scratch AS one\nARG A\nARG B\nLABEL a=$A b=$B\nFROM one\nCOPY --from=extra /x /x\n',
    });
    const extra = folderWith(join(store.work, 'extra'), { x: '1' });
    await ok(
      [
        'build',
        '-t',
        'flags',
        '--build-arg',
        'A=1',
        '--build-arg',
        'B',
        '--label',
        'l=2',
        '--build-context',
        `extra=${extra}`,
        context,
      ],
      { ...store, env: { B: 'from env' } },
    );
    const [image] = JSON.parse((await ok(['inspect', 'flags'], store)).stdout) as [
      { Config: { Labels: object }; RootFS: { Layers: string[] } },
    ];
    assert.deepEqual(image.Config.Labels, { a: '1', b: 'from env', l: '2' });
    assert.equal(image.RootFS.Layers.length, 1);
    await ok(['build', '-t', 'target', '--target', 'one', context], store);
    const [target] = JSON.parse((await ok(['inspect', 'target'], store)).stdout) as [{ RootFS: { Layers: string[] } }];
    assert.deepEqual(target.RootFS.Layers, []);
  });

  test('SOURCE_DATE_EPOCH fixes the digest', async () => {
    using store = emptyStore();
    using other = emptyStore();
    const env = { SOURCE_DATE_EPOCH: '1700000000' };
    const build = async (where: typeof store): Promise<string> =>
      (await ok(['build', '-q', folderWith(join(where.work, 'c'), TINY)], { ...where, env })).stdout;
    assert.equal(await build(store), await build(other));
    const bad = await strake(['build', join(store.work, 'c')], { ...store, env: { SOURCE_DATE_EPOCH: 'today' } });
    assert.equal(bad.code, 64);
  });

  test('progress for programs', async () => {
    using store = emptyStore();
    const context = folderWith(join(store.work, 'c'), TINY);
    const json = await ok(['build', '--progress=json', context], store);
    const events = json.stderr
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { kind: string });
    assert.equal(events.at(-1)?.kind, 'result');
    const raw = await ok(['build', context], { ...store, env: { BUILDKIT_PROGRESS: 'rawjson' } });
    const statuses = raw.stderr
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { vertexes?: { digest: string; name: string }[] });
    assert.ok(
      statuses.some(({ vertexes }) =>
        vertexes?.some(({ name, digest }) => /COPY/.test(name) && digest.startsWith('sha256:')),
      ),
    );
    const failed = await strake(['build', '--progress=json', '--target', 'none', context], store);
    const last = JSON.parse(failed.stderr.trim().split('\n').at(-1) ?? '') as { kind: string; error: { kind: string } };
    assert.deepEqual([last.kind, last.error.kind], ['failed', 'not_found']);
  });
});

suite('what cannot be built', () => {
  const cases: readonly (readonly [
    name: string,
    files: Record<string, string>,
    code: number,
    ...messages: RegExp[],
  ])[] = [
    ['no Dockerfile', { Dockerfil: 'FROM scratch' }, 66, /no such file/, /help: Is it "Dockerfil"\? Name it with -f/],
    ['an empty Dockerfile', { Dockerfile: '' }, 64, /the Dockerfile cannot be empty/],
    [
      'an unknown instruction',
      { Dockerfile: 'FROM scratch\nCOPPY a b\n' },
      64,
      /Dockerfile:2/,
      />>> COPPY a b/,
      /COPY/,
    ],
    ['a missing source', { Dockerfile: 'FROM scratch\nCOPY nothing /\n' }, 66, /Dockerfile:2/, /nothing/],
    [
      'a source that is ignored',
      { Dockerfile: 'FROM scratch\nCOPY hidden /\n', hidden: 'x', '.dockerignore': 'hidden\n' },
      66,
      /Dockerfile:2/,
      /\.dockerignore/,
    ],
  ];
  for (const [name, files, code, ...messages] of cases)
    test(name, async () => {
      using store = emptyStore();
      const result = await strake(['build', folderWith(join(store.work, 'c'), files)], store);
      assert.equal(result.code, code, result.stderr);
      assert.equal(result.stdout, '');
      for (const message of messages) assert.match(result.stderr, message);
      assert.match(result.stderr, /^error: /m);
    });

  test('a Dockerfile elsewhere, a folder in its place, nothing at all', async () => {
    using store = emptyStore();
    const context = folderWith(join(store.work, 'c'), { hello: 'x' });
    const elsewhere = folderWith(join(store.work, 'd'), { 'my.Dockerfile': 'FROM scratch\nCOPY hello /\n' });
    await ok(['build', '-q', '-f', join(elsewhere, 'my.Dockerfile'), context], store);
    assert.equal((await strake(['build', '-f', elsewhere, context], store)).code, 66);
    assert.match(
      (await strake(['build', join(context, 'hello')], store)).stderr,
      /it is a file, not a folder\nhelp: .* -f /,
    );
    mkdirSync(join(store.work, 'bare'));
    assert.match((await strake(['build', join(store.work, 'bare')], store)).stderr, /help: Write one/);
    assert.deepEqual(readdirSync(join(store.root, 'tmp')), []);
  });
});
