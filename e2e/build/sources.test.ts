import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { folderWith, noBusybox, shellContext } from '../cli/context.ts';
import { FileServer } from '../lib/file-server.ts';
import { GitServer } from '../lib/git-server.ts';
import { leftovers } from '../lib/leftovers.ts';
import { emptyStore, type TestStore } from '../lib/store.ts';
import { ok, stepsOf, strake, type StrakeResult } from '../lib/strake.ts';
import { testUser, userLacking, type TestUser } from '../lib/user.ts';

const MODIFIED = 'Wed, 21 Oct 2015 07:28:00 GMT';

interface Built {
  readonly id: string;
  /** What the steps printed, and how they went. */
  readonly log: string;
  /** Short name of a step -> DONE or CACHED. */
  readonly steps: Readonly<Record<string, string>>;
}

type Options = { user?: TestUser | undefined; env?: Readonly<Record<string, string>>; args?: readonly string[] };

async function build(store: TestStore, context: string, o: Options = {}): Promise<Built> {
  const { stdout, stderr } = await ok(['build', '--progress=plain', ...(o.args ?? []), context], {
    root: store.root,
    user: o.user,
    env: o.env,
  });
  const steps = [...stepsOf(stderr)].map(
    ([name, state]) => [name.replace(/^\[[^\]]*\] /, ''), state.replace(/ .*/, '')] as const,
  );
  return { id: stdout.trim(), log: stderr, steps: Object.fromEntries(steps) };
}

const failed = (
  store: TestStore,
  context: string,
  o: { env?: Readonly<Record<string, string>>; args?: readonly string[] } = {},
): Promise<StrakeResult> =>
  strake(['build', '--progress=plain', ...(o.args ?? []), context], { root: store.root, env: o.env });

async function layersOf(store: TestStore, id: string, user?: TestUser): Promise<readonly string[]> {
  const { stdout } = await ok(['inspect', id], { root: store.root, user });
  const [image] = JSON.parse(stdout) as { RootFS: { Layers: string[] } }[];
  return image?.RootFS.Layers ?? [];
}

/** What the lines of a step's output are, after the step's number and time. */
function said(log: string, mark: string): string[] {
  return log.split('\n').flatMap((line) => new RegExp(`${mark}:(.*)$`).exec(line)?.[1] ?? []);
}

/** A command that tells of all below a path: `mark:mode owner type path`. */
const show = (mark: string, path: string): string =>
  `cd ${path} && find . | sort | while read f; do echo "${mark}:$(busybox stat -c '%a %u:%g %F' "$f") $f"; done`;

suite('ADD of what lies elsewhere', { skip: noBusybox }, () => {
  const run = async (user?: TestUser): Promise<void> => {
    await using git = await GitServer.open();
    await using web = await FileServer.open();
    using store = emptyStore(user);
    const repository = git.repository('app');
    repository.commit({ 'src/main.c': 'int main;', README: 'hello' });
    chmodSync(join(repository.path, 'README'), 0o755);
    repository.commit({});
    repository.git('tag', 'v1');
    web.file('/file.txt', 'from the web', { etag: '"1"', 'last-modified': MODIFIED });
    const tar = spawnSync('tar', ['c', '--sort=name', '--owner=7', '--group=8', '-C', repository.path, 'src'], {
      maxBuffer: 1 << 24,
    }).stdout;
    web.file('/app.tar.gz', gzipSync(tar));
    const context = shellContext(join(store.work, 'c'), [
      'COPY busybox /bin/busybox',
      `ADD ${git.url}/app/.git#v1 /repository`,
      `ADD --keep-git-dir=true --chown=5:6 ${git.url}/app/.git?tag=v1 /kept/`,
      `ADD ${git.url}/app/.git#v1:src /only`,
      `ADD ${web.url}/file.txt /web/`,
      `ADD --chmod=755 --chown=3 ${web.url}/file.txt /renamed`,
      `ADD ${web.url}/app.tar.gz /packed/`,
      `ADD --unpack=true ${web.url}/app.tar.gz /unpacked/`,
      `RUN ${[
        show('A', '/repository'),
        show('B', '/only'),
        show('C', '/web'),
        'echo "D:$(busybox stat -c \'%a %u:%g %Y\' /renamed) $(cat /renamed)"',
        show('E', '/packed'),
        show('F', '/unpacked'),
        'echo "G:$(busybox stat -c \'%a %u:%g\' /kept/.git/HEAD) $(cat /kept/README)"',
      ].join(' && ')}`,
    ]);
    for (const [path, mode] of [
      [context, 0o755],
      [join(context, 'busybox'), 0o755],
      [join(context, 'Dockerfile'), 0o644],
    ] as const)
      chmodSync(path, mode);
    if (user) chownSync(context, user.uid, user.gid);
    const first = await build(store, context, { user });
    assert.deepEqual(said(first.log, ' A'), [
      '755 0:0 directory .',
      '755 0:0 regular file ./README',
      '755 0:0 directory ./src',
      '644 0:0 regular file ./src/main.c',
    ]);
    assert.deepEqual(said(first.log, ' B'), ['755 0:0 directory .', '644 0:0 regular file ./main.c']);
    assert.deepEqual(said(first.log, ' C'), ['755 0:0 directory .', '600 0:0 regular file ./file.txt']);
    assert.deepEqual(said(first.log, ' D'), [`755 3:3 ${Date.parse(MODIFIED) / 1000} from the web`]);
    assert.deepEqual(said(first.log, ' E'), ['755 0:0 directory .', '600 0:0 regular file ./app.tar.gz']);
    assert.deepEqual(
      said(first.log, ' F').map((line) => line.replace(/^\d+ /, '')),
      ['0:0 directory .', '7:8 directory ./src', '7:8 regular file ./src/main.c'],
    );
    assert.deepEqual(said(first.log, ' G'), ['644 5:6 hello']);

    web.asked();
    git.requests.length = 0;
    const again = await build(store, context, { user });
    assert.equal(again.id, first.id);
    for (const [name, state] of Object.entries(again.steps))
      if (/^(?:ADD|RUN)/.test(name)) assert.equal(state, 'CACHED', name);
    assert.ok(web.asked().every((request) => request.startsWith('HEAD') || request.endsWith('.gz')));
    assert.ok(!git.requests.some((request) => request.startsWith('POST') && request.endsWith('receive-pack')));

    web.file('/file.txt', 'changed', { etag: '"2"', 'last-modified': MODIFIED });
    repository.git('tag', '-f', 'v1', repository.commit({ README: 'two' }));
    const changed = await build(store, context, { user });
    assert.deepEqual(said(changed.log, ' D'), [`755 3:3 ${Date.parse(MODIFIED) / 1000} changed`]);
    assert.deepEqual(said(changed.log, ' G'), ['644 5:6 two']);
    assert.deepEqual(leftovers(store.root), []);
  };

  test('files, archives and repositories come as BuildKit brings them; what did not change is not fetched', () =>
    run());

  test('the same as an ordinary user', { skip: userLacking() }, async () => {
    using user = testUser();
    await run(user);
  });

  test('without a network: what was named by its content builds again from what is kept', async () => {
    using store = emptyStore();
    let context: string;
    let download: string;
    let id: string;
    {
      await using git = await GitServer.open();
      await using web = await FileServer.open();
      const commit = git.repository('app').commit({ a: 'a' });
      web.file('/f', 'f');
      const sum = 'sha256:252f10c83610ebca1a059c0bae8255eba2f95be4d1d7bcfa89d7248a82d9f111';
      context = folderWith(join(store.work, 'c'), {
        Dockerfile: `FROM scratch\nADD ${git.url}/app/.git#${commit} /r\nADD --checksum=${sum} ${web.url}/f /f\nADD --checksum=${commit} ${git.url}/app/.git#${commit}:/ /r2/\nLABEL n=1\n`,
      });
      download = folderWith(join(store.work, 'd'), {
        Dockerfile: `FROM scratch\nADD --checksum=${sum} ${web.url}/f /other\n`,
      });
      ({ id } = await build(store, context));
    }
    assert.equal((await build(store, context)).id, id);
    // Also where the steps are forgotten and only the sources are kept.
    const { id: other } = await build(store, context, { args: ['--no-cache'] });
    assert.equal((await layersOf(store, other)).length, 3);
    // A prune that is not of all keeps sources.
    await ok(['prune'], store);
    await build(store, download, { args: ['--no-cache'] });
    const before = readdirSync(join(store.root, 'git')).filter((name) => name.endsWith('.git'));
    assert.equal(before.length, 1);
    const pruned = await ok(['prune', '--all', '--images'], store);
    assert.match(pruned.stdout, /1 git mirror/);
    assert.deepEqual(
      readdirSync(join(store.root, 'git')).filter((name) => name.endsWith('.git')),
      [],
    );
    const gone = await failed(store, context);
    assert.notEqual(gone.code, 0);
    assert.match(gone.stderr, /Dockerfile:[23]/);
    assert.match((await failed(store, download)).stderr, /Dockerfile:2:.*connect to "127/);
    assert.deepEqual(leftovers(store.root), []);
  });

  test('what cannot be had is said at its line, and no secret is repeated', async () => {
    await using git = await GitServer.open();
    await using web = await FileServer.open();
    using store = emptyStore();
    git.repository('app').commit({ a: 'a' });
    git.authorization = `basic ${Buffer.from('x-access-token:tok-2b7e1516').toString('base64')}`;
    web.file('/f', 'f');
    for (const [line, message] of [
      [`ADD ${web.url}/nowhere /`, /invalid response status 404/],
      [`ADD --checksum=sha256:${'0'.repeat(64)} ${web.url}/f /`, /digest mismatch sha256:252f10c8/],
      [`ADD ${git.url}/app/.git /`, /GIT_AUTH_TOKEN/],
      ['ADD http://127.0.0.1:9/x /', /127\.0\.0\.1:9/],
    ] as const) {
      const context = folderWith(join(store.work, 'c'), { Dockerfile: `FROM scratch\n${line}\n` });
      const { code, stderr } = await failed(store, context);
      assert.notEqual(code, 0);
      assert.match(stderr, message, line);
      assert.match(stderr, /Dockerfile:2/, line);
    }
    const context = folderWith(join(store.work, 'c'), { Dockerfile: `FROM scratch\nADD ${git.url}/app/.git /\n` });
    const args = ['--secret', 'id=GIT_AUTH_TOKEN,env=TOKEN'];
    const { log } = await build(store, context, { args, env: { TOKEN: 'tok-2b7e1516' } });
    assert.ok(!log.includes('tok-2b7e1516'));
    for (const entry of readdirSync(store.root, { recursive: true, withFileTypes: true }))
      if (entry.isFile())
        assert.ok(!readFileSync(join(entry.parentPath, entry.name)).includes('tok-2b7e1516'), entry.name);
    const wrong = await failed(store, context, { args: [...args, '--no-cache'], env: { TOKEN: 'wrong-77777777' } });
    assert.ok(wrong.code !== 0 && !wrong.stderr.includes('wrong-77777777'));
    assert.deepEqual(leftovers(store.root), []);
  });

  test('by ssh, with the agent that was forwarded', async () => {
    await using git = await GitServer.open();
    using store = emptyStore();
    git.repository('app').commit({ a: 'by ssh' });
    // A stand-in for ssh: it asks the agent for its keys and then runs the command here.
    const bin = join(store.work, 'bin');
    mkdirSync(bin);
    writeFileSync(
      join(bin, 'ssh'),
      `#!/bin/sh\nssh-add -L >"${store.work}/keys" 2>&1\necho "$@" >"${store.work}/arguments"\nfor last; do :; done\nexport GIT_CONFIG_COUNT=1 GIT_CONFIG_KEY_0=safe.directory GIT_CONFIG_VALUE_0='*'\nexec sh -c "$last"\n`,
    );
    chmodSync(join(bin, 'ssh'), 0o755);
    const context = folderWith(join(store.work, 'c'), {
      Dockerfile: `FROM scratch\nADD git@host.example:${git.folder}/app/.git /r\n`,
    });
    const key = join(store.work, 'key');
    assert.equal(
      spawnSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', 'made-for-this', '-f', key]).status,
      0,
    );
    const agent = spawnSync('ssh-agent', ['-s', '-a', join(store.work, 'agent')], { encoding: 'utf8' });
    const pid = Number(/SSH_AGENT_PID=(\d+)/.exec(agent.stdout)?.[1]);
    try {
      const env = { SSH_AUTH_SOCK: join(store.work, 'agent'), PATH: `${bin}:${process.env['PATH']}` };
      assert.equal(spawnSync('ssh-add', ['-q', key], { env }).status, 0);
      const { id } = await build(store, context, { env, args: ['--ssh', 'default'] });
      assert.match(readFileSync(join(store.work, 'keys'), 'utf8'), /made-for-this/);
      assert.match(
        readFileSync(join(store.work, 'arguments'), 'utf8'),
        /-F \/dev\/null .*StrictHostKeyChecking=accept-new.*git@host\.example/,
      );
      assert.equal((await layersOf(store, id)).length, 1);
    } finally {
      process.kill(pid);
    }
    assert.deepEqual(leftovers(store.root), []);
  });
});

suite('COPY --link', { skip: noBusybox }, () => {
  const run = async (user?: TestUser): Promise<void> => {
    using store = emptyStore(user);
    const lines = (label: string): string[] => [
      'COPY busybox /bin/busybox',
      `RUN mkdir -p /deep/kept /old && echo ${label} >/deep/kept/base && ln -s old /link && chmod 700 /deep && busybox rm -f /bin/nothing`,
      'COPY --link one /deep/one',
      'COPY --link --chown=4:5 tree /deep/tree/',
      'COPY --link one /link/one',
      `RUN echo "L:$(cat /deep/kept/base /deep/one /deep/tree/x /link/one | tr '\\n' ' ')$(busybox stat -c '%a' /deep) $(busybox stat -c '%u:%g' /deep/tree/x) $(busybox stat -c '%F' /link)"`,
    ];
    const files = { one: 'one\n', 'tree/x': 'x\n' };
    const context = shellContext(join(store.work, 'c'), lines('first'), files);
    const open = (): void => {
      chmodSync(context, 0o755);
      chmodSync(join(context, 'busybox'), 0o755);
    };
    open();
    const first = await build(store, context, { user });
    // As BuildKit has it: a linked copy brings the folders that lead to it along as it made them, and follows no links.
    assert.deepEqual(said(first.log, ' L'), ['first one x one 755 4:5 directory']);
    shellContext(join(store.work, 'c'), lines('second'), files);
    open();
    const second = await build(store, context, { user });
    assert.deepEqual(said(second.log, ' L'), ['second one x one 755 4:5 directory']);
    const [before, after] = [await layersOf(store, first.id, user), await layersOf(store, second.id, user)];
    assert.equal(before.length, 7);
    assert.notEqual(before[2], after[2]);
    assert.deepEqual(before.slice(3, 6), after.slice(3, 6));
    const linked = Object.entries(second.steps).filter(([name]) => name.startsWith('COPY --link'));
    assert.equal(linked.length, 3);
    for (const [name, state] of linked) assert.equal(state, 'CACHED', name);
    assert.deepEqual(leftovers(store.root), []);
  };

  test('a linked layer is the same whatever is below it, and is not made again', () => run());

  test('the same as an ordinary user', { skip: userLacking() }, async () => {
    using user = testUser();
    await run(user);
  });

  test('onto another base, from a stage and from elsewhere, the same blobs', async () => {
    await using web = await FileServer.open();
    using store = emptyStore();
    web.file('/f', 'f', { etag: '"1"', 'last-modified': MODIFIED });
    const build1 = async (base: string): Promise<readonly string[]> => {
      const context = folderWith(join(store.work, 'c'), {
        Dockerfile: `FROM scratch AS files\nCOPY a b /\nFROM scratch\nCOPY ${base} /base\nCOPY --link --from=files /a /b /x/\nADD --link ${web.url}/f /y/f\nCOPY --link <<here /z/\ntext\nhere\n`,
        a: 'a',
        b: 'b',
      });
      return layersOf(store, (await build(store, context)).id);
    };
    const [one, two] = [await build1('a'), await build1('b')];
    assert.equal(one.length, 4);
    assert.deepEqual(one.slice(1), two.slice(1));
    assert.notEqual(one[0], two[0]);
  });
});

suite('COPY --parents, --exclude, --chmod, --unpack', { skip: noBusybox }, () => {
  test('as BuildKit copies; a file that is left out changes nothing', async () => {
    using store = emptyStore();
    const context = shellContext(
      join(store.work, 'c'),
      [
        'COPY busybox /bin/busybox',
        'COPY --parents a/b/one.txt a/c /whole/',
        'COPY --parents a/./b/one.txt a/./*/two.txt /pivot/',
        'COPY --parents ./**/one.txt /deep/',
        'COPY --exclude=**/*.txt --exclude=c a /excluded/',
        'COPY --chmod=u=rwX,go=rX,a-w a/b /symbolic/',
        'ADD app.tar /unpacked/',
        'ADD --unpack=false app.tar /packed/',
        'COPY none* a/b/one.txt /wild/',
        `RUN ${['whole', 'pivot', 'deep', 'excluded', 'symbolic', 'unpacked', 'packed', 'wild'].map((name) => show(name, `/${name}`)).join(' && ')}`,
      ],
      { 'a/b/one.txt': '1', 'a/b/keep.md': 'k', 'a/c/two.txt': '2', 'a/run.sh': 'x' },
    );
    chmodSync(join(context, 'a/b/one.txt'), 0o640);
    chmodSync(join(context, 'a/b'), 0o750);
    spawnSync('tar', ['cf', join(context, 'app.tar'), '-C', context, 'a/run.sh']);
    if (!existsSync(join(context, 'link'))) symlinkSync('a', join(context, 'link'));
    const first = await build(store, context);
    const names = (mark: string): string[] =>
      said(first.log, ` ${mark}`).map((line) => line.replace(/^(\d+) \d+:\d+ (.).* (\S+)$/, '$3 $1 $2'));
    assert.deepEqual(names('whole'), [
      '. 755 d',
      './a 755 d',
      './a/b 750 d',
      './a/b/one.txt 640 r',
      './a/c 755 d',
      './a/c/two.txt 644 r',
    ]);
    assert.deepEqual(names('pivot'), ['. 755 d', './b 750 d', './b/one.txt 640 r', './c 755 d', './c/two.txt 644 r']);
    assert.deepEqual(names('deep'), ['. 755 d', './a 755 d', './a/b 750 d', './a/b/one.txt 640 r']);
    assert.deepEqual(names('excluded'), ['. 755 d', './b 750 d', './b/keep.md 644 r', './run.sh 644 r']);
    assert.deepEqual(names('symbolic'), ['. 755 d', './keep.md 444 r', './one.txt 444 r']);
    assert.deepEqual(names('unpacked'), ['. 755 d', './a 755 d', './a/run.sh 644 r']);
    assert.deepEqual(names('packed'), ['. 755 d', './app.tar 644 r']);
    assert.deepEqual(names('wild'), ['. 755 d', './one.txt 640 r']);
    writeFileSync(join(context, 'a/new.txt'), 'left out by --exclude');
    const again = await build(store, context);
    assert.equal(again.steps['COPY --exclude=**/*.txt --exclude=c a /excluded/'], 'CACHED');
    assert.equal(again.id, first.id);
    assert.ok(statSync(context).isDirectory());
  });
});
