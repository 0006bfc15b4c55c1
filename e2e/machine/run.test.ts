import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chownSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { findTool } from '../../src/base/index.ts';
import { emptyStore, type TestStore } from '../lib/store.ts';
import { ok, strake, type StrakeResult } from '../lib/strake.ts';
import { testUser, userLacking, type TestUser } from '../lib/user.ts';
import { buildBox } from './busybox-image.ts';
import { OPEN_TUN } from './open-tun.ts';
import { freePort, startRun, type Running } from './running.ts';

const lacking = userLacking();

for (const as of ['root', 'user'] as const) {
  const skip =
    process.getuid?.() === 0 ? (as === 'user' ? lacking : undefined) : as === 'root' ? 'not root' : undefined;
  suite(`strake run as ${as}`, { skip: skip ?? false }, () => {
    let user: TestUser | undefined;
    let store: TestStore;
    before(async () => {
      if (as === 'user' && process.getuid?.() === 0) user = testUser();
      store = emptyStore(user);
      await buildBox(store, user);
    });
    after(() => {
      store[Symbol.dispose]();
      user?.[Symbol.dispose]();
    });

    const run = (args: readonly string[], o: { input?: string; cwd?: string } = {}): Promise<StrakeResult> =>
      strake(['run', ...args], { root: store.root, user, ...o });
    const sh = (script: string, ...flags: string[]): Promise<StrakeResult> =>
      run([...flags, 'box', 'sh', '-c', script]);
    const start = (args: readonly string[], prefix: readonly string[] = []): Running =>
      startRun(args, { root: store.root, prefix: [...prefix, ...(user?.prefix ?? [])], home: user?.home });
    const page = async (url: string): Promise<string> =>
      (await fetch(url, { headers: { connection: 'close' } })).text();

    test('what it says comes apart, and its exit code is passed on', async () => {
      const got = await sh('echo out; echo err >&2; exit 42');
      assert.deepEqual([got.code, got.stdout, got.stderr], [42, 'out\n', 'err\n']);
      assert.equal((await sh('kill -TERM $$; exit 0')).code, 0);
      assert.equal((await sh('sh -c "kill -KILL \\$\\$"; exit $?')).code, 137);
    });

    test('a command that is not there is 127, one that cannot run 126; mistakes have a code of their own', async () => {
      assert.equal((await run(['box', 'nothing-like-it'])).code, 127);
      assert.equal((await run(['box', '/etc/passwd'])).code, 126);
      const none = await run(['--entrypoint', '', 'box']);
      assert.equal(none.code, 64);
      assert.match(none.stderr, /neither ENTRYPOINT nor CMD/);
      const absent = await run(['--pull', 'never', 'no-such-image']);
      assert.equal(absent.code, 66);
      assert.match(absent.stderr, /"no-such-image"/);
      const user = await run(['-u', 'nobody-known', 'box', 'true']);
      assert.equal(user.code, 64);
      assert.match(user.stderr, /no such user in \/etc\/passwd/);
      const port = await run(['-p', '80:x', 'box']);
      assert.equal(port.code, 64);
      assert.match(port.stderr, /publish "80:x": "x" is no port/);
    });

    test('variables, user, folder, host name, entry point', async () => {
      writeFileSync(join(store.work, 'env'), '# comment\nFROM_FILE=a b\nNAME=file\n');
      const flags = [
        '-e',
        'NAME=flag',
        '--env-file',
        join(store.work, 'env'),
        '-e',
        'EMPTY=',
        '-w',
        '/made/here',
        '--hostname',
        'boxed',
      ];
      const got = await sh('echo "$NAME|$GREETING|$FROM_FILE|${EMPTY-unset}"; pwd; hostname; echo $HOSTNAME', ...flags);
      assert.equal(got.stdout, 'flag|hello|a b|\n/made/here\nboxed\nboxed\n', got.stderr);
      const web = await sh(
        'id; echo $HOME; touch /data/mine && echo written; touch /www/mine || echo refused',
        '-u',
        'web',
      );
      assert.match(
        web.stdout,
        /^uid=1000\(web\) gid=1000\(web\) groups=.*1001\(extra\)\n\/home\/web\nwritten\nrefused\n$/,
        web.stderr,
      );
      assert.equal((await run(['--entrypoint', 'echo', 'box', 'a', 'b'])).stdout, 'a b\n');
      assert.equal((await sh('cat /etc/hosts | grep -c "10.1.2.3.*db"', '--add-host', 'db=10.1.2.3')).stdout, '1\n');
    });

    test('standard input goes in with -i, and only then', async () => {
      assert.equal((await run(['-i', 'box', 'cat'], { input: 'given\n' })).stdout, 'given\n');
      assert.equal((await run(['box', 'cat'], { input: 'given\n' })).stdout, '');
      const much = 'x'.repeat(3 << 20);
      assert.equal((await run(['-i', 'box', 'wc', '-c'], { input: much })).stdout.trim(), String(much.length));
    });

    test('folders and files of this machine, read-only and not; volumes; memory; a root that cannot be written to', async () => {
      const folder = join(store.work, 'shared');
      mkdirSync(folder, { recursive: true });
      writeFileSync(join(folder, 'given'), 'from outside\n');
      if (user) chownSync(folder, user.uid, user.gid);
      const got = await run(
        [
          '-v',
          './shared:/s',
          '-v',
          `${folder}/given:/one:ro`,
          '-v',
          './made:/m',
          'box',
          'sh',
          '-c',
          'cat /s/given /one; echo new >/s/new; echo x >/one || echo ro; touch /m/x',
        ],
        { cwd: store.work },
      );
      assert.equal(got.stdout, 'from outside\nfrom outside\nro\n', got.stderr);
      assert.equal(readFileSync(join(folder, 'new'), 'utf8'), 'new\n');
      assert.ok(existsSync(join(store.work, 'made/x')));
      const script =
        'touch /x || echo root; cat /data/file; echo y >/data/y && echo volume; echo z >/t/z && echo memory; : >/v/x && echo own';
      const locked = await sh(script, '--read-only', '--tmpfs', '/t:size=1m', '-v', '/v');
      assert.equal(locked.stdout, 'root\nof the image\nvolume\nmemory\nown\n', locked.stderr);
      assert.equal((await sh('ls /data /www')).stdout, '/data:\nfile\n\n/www:\nindex.html\n');
      // A named volume begins with what the image has there, and stays.
      assert.equal((await sh('cat /data/file; echo more >/data/kept', '-v', 'name:/data')).stdout, 'of the image\n');
      assert.equal((await sh('ls /data', '-v', 'name:/data')).stdout, 'file\nkept\n');
      assert.equal((await ok(['volume', 'ls', '-q'], { root: store.root, user })).stdout, 'name\n');
      await ok(['volume', 'rm', 'name'], { root: store.root, user });
      assert.equal((await ok(['volume', 'ls', '-q'], { root: store.root, user })).stdout, '');
    });

    test(
      'a terminal by script(1): its size, its keys, its code',
      { skip: findTool('script') ? false : 'no script(1)' },
      async () => {
        const inner = `stty rows 33 cols 77; ${join(import.meta.dirname, '../../strake')} run -it box sh -c "stty size; tty; read x; echo got \\$x; exit 5"`;
        const args = ['-qefc', inner, '/dev/null'];
        const [program = '', ...rest] = [...(user?.prefix ?? []), 'script', ...args];
        const env = {
          PATH: process.env['PATH'],
          HOME: user?.home ?? process.env['HOME'],
          STRAKE_ROOT: store.root,
          TERM: 'xterm',
        };
        const got = spawnSync(program, rest, { env, input: 'typed\n', encoding: 'utf8' });
        assert.equal(got.status, 5, got.stdout + got.stderr);
        // The terminal's echo of the keys falls between any two lines of the command.
        const shown = got.stdout.replaceAll(/^typed\r+\n/gm, '');
        assert.match(shown, /33 77\r+\n\/dev\/pts\/0\r+\n/);
        assert.match(got.stdout, /got typed\r+\n/);
        const refused = await run(['-it', 'box', 'true'], { input: '' });
        assert.match(refused.stderr, /standard input is not a terminal/);
      },
    );

    test('it serves what the image exposes on 127.0.0.1; its own signal stops it; it is healthy', async () => {
      const it = start(['--verbose', 'box']);
      const [, url = ''] = /listening: (\S+)/.exec(await it.says(/listening: \S+\n/)) ?? [];
      assert.match(url, /^http:\/\/127\.0\.0\.1:\d+$/);
      assert.equal(await page(url), 'a page\n');
      await it.says(/^healthy$/m);
      process.kill(it.pid, 'SIGINT');
      assert.equal(await it.ended, 3);
      assert.match(it.stdout(), /started\nstopped\n$/);
      await assert.rejects(page(url));
    });

    test('a first process that cannot hear the signal is ended at once, one that ignores it after the grace', async () => {
      // Were it waited for, the test would run into its time limit.
      const deaf = start(['--stop-timeout', '1h', '--network', 'none', 'box', 'sh', '-c', 'echo up; exec sleep 600']);
      await deaf.says(/up/);
      process.kill(deaf.pid, 'SIGTERM');
      assert.equal(await deaf.ended, 128 + 10);
      const stubborn = start([
        '--stop-timeout',
        '3',
        '--network',
        'none',
        'box',
        'sh',
        '-c',
        // wait(1) hears a signal at once; a sleep in the foreground would put the trap off past the grace.
        'trap "echo no" USR1; sleep 600 & echo up; while :; do wait; done',
      ]);
      await stubborn.says(/up/);
      process.kill(stubborn.pid, 'SIGTERM');
      assert.equal(await stubborn.ended, 137);
      assert.match(stubborn.stdout(), /no/);
      const twice = start([
        '--network',
        'none',
        'box',
        'sh',
        '-c',
        'trap "echo no" USR1; trap "echo two" USR2; echo up; while :; do sleep 1; done',
      ]);
      await twice.says(/up/);
      process.kill(twice.pid, 'SIGUSR2');
      await twice.says(/two/);
      process.kill(twice.pid, 'SIGINT');
      await twice.says(/no/);
      process.kill(twice.pid, 'SIGINT');
      assert.equal(await twice.ended, 137);
    });

    test('what fails its health check is told of', async () => {
      const it = start([
        '--verbose',
        '--network',
        'none',
        'box',
        'sh',
        '-c',
        'sleep 1; : >/sick; trap "exit 0" USR1; while :; do sleep 1; done',
      ]);
      await it.says(/^healthy$/m);
      await it.says(/^unhealthy: checked$/m);
      process.kill(it.pid, 'SIGTERM');
      assert.equal(await it.ended, 0);
    });

    test('a reader that goes away ends it', async () => {
      const command = `${[...(user?.prefix ?? []), join(import.meta.dirname, '../../strake')].join(' ')} run --network none box yes | head -1`;
      const env = { PATH: process.env['PATH'], HOME: user?.home ?? process.env['HOME'], STRAKE_ROOT: store.root };
      const got = spawnSync('bash', ['-c', `${command}; exit \${PIPESTATUS[0]}`], { env, encoding: 'utf8' });
      assert.deepEqual([got.status, got.stdout], [141, 'y\n'], got.stderr);
    });

    test('-p leads another port to it, on the address that was named; a port that is taken is said', async (t) => {
      // Where only root may open it: one of this test's own in its place.
      const prefix = user ? ['unshare', '--mount', 'sh', '-c', OPEN_TUN, 'sh'] : [];
      if (!existsSync('/dev/net/tun') || (findTool('pasta') ?? findTool('slirp4netns')) === undefined) {
        t.skip('neither pasta nor slirp4netns works here');
        return;
      }
      const [one, two] = [await freePort(), await freePort()];
      const it = start(['-p', `127.0.0.1:${one}:8080`, '-p', `${two}:8080`, 'box'], prefix);
      await it.says(new RegExp(`listening: http://127.0.0.1:${one}\n`));
      await it.says(new RegExp(`listening: http://127.0.0.1:${two}\n`));
      assert.equal(await page(`http://127.0.0.1:${one}`), 'a page\n');
      assert.equal(await page(`http://127.0.0.1:${two}`), 'a page\n');
      process.kill(it.pid, 'SIGTERM');
      assert.equal(await it.ended, 3);
      const server = createServer().listen(one, '127.0.0.1');
      await new Promise((resolve) => server.once('listening', resolve));
      const taken = start(['-p', `127.0.0.1:${one}:8080`, 'box'], prefix);
      assert.equal(await taken.ended, 75);
      assert.match(
        taken.stderr(),
        new RegExp(`publish port 8080 on 127.0.0.1:${one}: something on this machine listens there`),
      );
      const own = start(['-p', '8080', 'box'], prefix);
      const [, port] = /127\.0\.0\.1:(\d+)/.exec(await own.says(/listening: \S+\n/)) ?? [];
      assert.equal(await page(`http://127.0.0.1:${port}`), 'a page\n');
      process.kill(own.pid, 'SIGTERM');
      await own.ended;
      server.close();
    });

    test('killed outright, nothing is left after the next command', async () => {
      const it = start(['--network', 'none', 'box', 'sh', '-c', 'echo x >/www/left; echo up; exec sleep 98765']);
      await it.says(/up/);
      process.kill(it.pid, 'SIGKILL');
      await it.ended;
      await ok(['run', '--network', 'none', 'box', 'true'], { root: store.root, user });
      assert.equal(spawnSync('pgrep', ['-f', '^sleep 98765$']).status, 1);
      assert.deepEqual(left(store.root), []);
    });

    test('nothing is left: no mount, no process, no file', () => {
      assert.ok(!readFileSync('/proc/mounts', 'utf8').includes(store.root));
      assert.deepEqual(left(store.root), []);
    });
  });
}

/** What containers leave in a store that ends well: nothing of executors, no snapshot that can be written to, no temporary file. */
function left(root: string): string[] {
  const names = (folder: string): string[] => (existsSync(join(root, folder)) ? readdirSync(join(root, folder)) : []);
  return [
    ...names('ground/exec').filter((name) => name.startsWith('exec-')),
    ...names('ground/snapshots/new'),
    ...names('ground/snapshots/trash'),
    ...names('tmp'),
  ];
}
