import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, afterEach, before, suite, test } from 'node:test';
import { findTool } from '../../src/base/index.ts';
import { leftovers } from '../lib/leftovers.ts';
import { emptyStore, type TestStore } from '../lib/store.ts';
import { CHECKOUT, ok, strake, type StrakeResult } from '../lib/strake.ts';
import { testUser, userLacking, type TestUser } from '../lib/user.ts';
import { buildBox } from './busybox-image.ts';
import { OPEN_TUN } from './open-tun.ts';
import { freePort } from './running.ts';

const FULL = process.env['STRAKE_TEST_FULL'] === '1';
const lacking = userLacking();
const SERVE = 'trap "echo stopped; exit 3" USR1; echo up; while :; do sleep 0.1; done';

for (const as of ['root', 'user'] as const) {
  const skip =
    process.getuid?.() === 0 ? (as === 'user' ? lacking : undefined) : as === 'root' ? 'not root' : undefined;
  suite(`containers in the background, as ${as}`, { skip: skip ?? false }, () => {
    let user: TestUser | undefined;
    let store: TestStore;
    before(async () => {
      if (as === 'user' && process.getuid?.() === 0) user = testUser();
      store = emptyStore(user);
      await buildBox(store, user);
    });
    const removeAll = async (): Promise<void> => {
      for (const { ID } of await list('-a')) await cli('rm', '-f', ID);
    };
    // What one that failed has left is not to fail the next.
    afterEach(async (t) => {
      if ('passed' in t && !t.passed) await removeAll();
    });
    after(async () => {
      await removeAll();
      store[Symbol.dispose]();
      user?.[Symbol.dispose]();
    });

    const cli = (...args: string[]): Promise<StrakeResult> => strake(args, { root: store.root, user });
    const good = async (...args: string[]): Promise<string> => (await ok(args, { root: store.root, user })).stdout;
    const run = (name: string, script: string, ...flags: string[]): Promise<string> =>
      good('run', '-d', '--name', name, '--network', 'none', ...flags, 'box', 'sh', '-c', script);
    const list = async (...flags: string[]): Promise<readonly Row[]> =>
      JSON.parse(await good('ps', '--format', 'json', ...flags)) as Row[];
    const row = async (name: string): Promise<Row> => {
      const found = (await list('-a')).find(({ Names }) => Names === name);
      assert.ok(found, `${name} is not listed`);
      return found;
    };
    const state = async (name: string): Promise<State> =>
      (JSON.parse(await good('inspect', name)) as [{ State: State }])[0].State;
    const until = async (what: string, is: () => Promise<boolean> | boolean): Promise<void> => {
      for (let looks = 0; !(await is()); looks++) {
        assert.ok(looks < 300, what);
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    };

    test('it serves a published port, is healthy, takes commands, ends by its own signal, and goes on with what it wrote', async (t) => {
      if (!existsSync('/dev/net/tun') || (findTool('pasta') ?? findTool('slirp4netns')) === undefined) {
        t.skip('neither pasta nor slirp4netns works here');
        return;
      }
      const port = await freePort();
      // Where only root may open /dev/net/tun: one of this test's own in its place.
      const opened = user && { ...user, prefix: ['unshare', '--mount', 'sh', '-c', OPEN_TUN, 'sh', ...user.prefix] };
      const started = await ok(
        ['run', '-d', '--name', 'web', '-l', 'tier=front', '-p', `127.0.0.1:${port}:8080`, 'box'],
        {
          root: store.root,
          user: opened,
        },
      );
      const id = started.stdout.trim();
      assert.match(id, /^[0-9a-f]{12}$/);
      await until('it does not listen', async () => (await good('logs', 'web')).includes('started'));
      const page = async (): Promise<string> =>
        (await fetch(`http://127.0.0.1:${port}`, { headers: { connection: 'close' } })).text();
      assert.equal(await page(), 'a page\n');
      assert.equal(await good('port', 'web', '8080'), `127.0.0.1:${port}\n`);
      await until('it is not healthy', async () => (await row('web')).Health === 'healthy');
      const [shown] = await list('--filter', 'label=tier=front', '--filter', 'health=healthy');
      assert.deepEqual([shown?.ID, shown?.Image, shown?.Ports], [id, 'box', [`127.0.0.1:${port}->8080/tcp`]]);
      assert.match(shown?.Status ?? '', /^Up .* \(healthy\)$/);

      const exec = (...args: string[]): Promise<StrakeResult> => cli('exec', ...args);
      const told = await exec(
        '-e',
        'MORE=1',
        '-u',
        'web',
        '-w',
        '/data',
        'web',
        'sh',
        '-c',
        'echo $MORE $NAME $(pwd) $(id -u); exit 9',
      );
      assert.deepEqual([told.code, told.stdout], [9, '1 image /data 1000\n'], told.stderr);
      assert.equal((await exec('web', 'no-such-program')).code, 127);
      const fed = await strake(['exec', '-i', id.slice(0, 10), 'sh', '-c', 'cat; echo err >&2'], {
        root: store.root,
        user,
        input: 'given\n',
      });
      assert.deepEqual([fed.stdout, fed.stderr], ['given\n', 'err\n']);
      await good('exec', '-d', 'web', 'sh', '-c', 'echo kept >/www/kept');
      if (findTool('script') !== undefined) {
        const inner = `stty rows 31 cols 71; ${join(CHECKOUT, 'strake')} exec -it web sh -c "until stty size 2>/dev/null; do :; done; test -t 0 && echo terminal; exit 5"`;
        const [program, ...rest] = [...(user?.prefix ?? []), 'script', '-qefc', inner, '/dev/null'];
        const env = {
          PATH: process.env['PATH'],
          HOME: user?.home ?? process.env['HOME'],
          STRAKE_ROOT: store.root,
          TERM: 'xterm',
        };
        const screen = spawnSync(program, rest, { env, encoding: 'utf8', input: '' });
        assert.equal(screen.status, 5, screen.stdout);
        assert.match(screen.stdout, /31 71\r+\nterminal\r+\n/);
      }

      assert.equal(await good('stop', 'web'), 'web\n');
      assert.equal(await good('wait', 'web'), '3\n');
      assert.equal(await good('logs', 'web'), 'started\nstopped\n');
      assert.deepEqual([(await state('web')).Status, (await state('web')).ExitCode], ['exited', 3]);
      await assert.rejects(page());
      assert.equal((await exec('web', 'true')).code, 75);
      await ok(['start', 'web'], { root: store.root, user: opened });
      assert.equal((await exec('web', 'cat', '/www/kept')).stdout, 'kept\n', 'what it wrote is lost');
      const refused = await cli('rm', 'web');
      assert.match(refused.stderr, /it is running[^]*rm -f web/);
      assert.equal(await good('rm', '-f', 'web'), 'web\n');
      assert.deepEqual(await list('-a'), []);
    });

    test('files go in and out while it runs and after; what it uses is told', async () => {
      await run('files', 'echo up; ln -s /../../../etc/shadow /www/out; exec sleep 600', '-v', 'kept:/v');
      await until('it is not up', async () => (await good('logs', 'files')).includes('up'));
      const here = join(store.work, 'copied');
      mkdirSync(join(here, 'in/deep'), { recursive: true });
      writeFileSync(join(here, 'in/deep/file'), 'deep\n');
      writeFileSync(join(here, 'in/one'), 'one\n');
      if (user) spawnSync('chown', ['-R', user.name, here]);
      await good('cp', join(here, 'in'), 'files:/v');
      await good('cp', `${here}/in/.`, 'files:/www');
      const inside = await cli(
        'exec',
        'files',
        'sh',
        '-c',
        'cat /v/in/deep/file /www/one; ls -n /www/one | tr -s " " | head -c 24',
      );
      assert.match(inside.stdout, /^deep\none\n-rw-r--r-- 1 0 0 4/);
      const leak = await cli('cp', '-L', 'files:/www/out', join(here, 'leak'));
      assert.deepEqual([leak.code, existsSync(join(here, 'leak'))], [66, false], leak.stderr);
      // What `exec` ran may take a moment to be gone from its control group.
      const used = async (): Promise<Record<string, number>> => {
        const [stats] = JSON.parse(await good('stats', '--no-stream', '--format', 'json', 'files')) as [
          Record<string, number>,
        ];
        return stats;
      };
      await until('more than its one process is counted', async () => (await used())['PIDs'] === 1);
      assert.ok(((await used())['Memory'] ?? 0) > 4096);
      await good('stop', 'files');
      await good('cp', 'files:/v/in', join(here, 'back'));
      assert.equal(readFileSync(join(here, 'back/deep/file'), 'utf8'), 'deep\n');
      const packed = spawnSync('tar', ['-C', here, '-c', 'in/one']).stdout;
      const sent = await strake(['cp', '-', 'files:/data'], { root: store.root, user, input: packed });
      assert.equal(sent.code, 0, sent.stderr);
      await good('start', 'files');
      assert.equal((await cli('exec', 'files', 'cat', '/data/in/one')).stdout, 'one\n');
      assert.equal((await cli('exec', 'files', 'ls', '-a', '/')).stdout.includes('strake'), false);
      const absent = await cli('cp', 'files:/no/such', here);
      assert.match(absent.stderr, /"\/no\/such" is not in the container/);
      await good('rm', '-f', 'files');
      await good('volume', 'rm', 'kept');
    });

    test('limits, and what it may do', async () => {
      const script =
        'grep ^CapEff /proc/self/status; ulimit -n; cat /sys/fs/cgroup/pids/pids.max /sys/fs/cgroup/pids.max 2>/dev/null; true';
      const common = ['run', '--network', 'none', '--cap-drop', 'ALL', '--cap-add', 'chown', '--ulimit', 'nofile=77'];
      const bare = await cli(...common, 'box', 'sh', '-c', script);
      assert.match(bare.stdout, /^CapEff:\s0000000000000001\n77\n/);
      const limited = await cli(
        ...common,
        '-m',
        '64m',
        '--cpus',
        '0.5',
        '--pids-limit',
        '30',
        'box',
        'sh',
        '-c',
        script,
      );
      if (as === 'root') assert.match(limited.stdout, /\n30\n$/, limited.stderr);
      else
        assert.deepEqual(
          [limited.code, /there are no control groups/.test(limited.stderr)],
          [78, true],
          limited.stderr,
        );
    });

    test('a great many lines to both streams and the end: every one is in the log, in order', async () => {
      const lines = FULL ? 200_000 : as === 'root' ? 100_000 : 10_000;
      await run('loud', `i=0; while [ $i -lt ${lines} ]; do echo o$i; echo e$i >&2; i=$((i+1)); done; echo -n last`);
      const [followed, code] = await Promise.all([cli('logs', '-f', 'loud'), good('wait', 'loud')]);
      assert.equal(code, '0\n');
      const numbered = (letter: string): string => Array.from({ length: lines }, (_, i) => `${letter}${i}\n`).join('');
      for (const said of [followed, await cli('logs', 'loud')]) {
        assert.ok(said.stdout === `${numbered('o')}last`, `standard output: ${said.stdout.length} bytes`);
        assert.ok(said.stderr === numbered('e'), `standard error: ${said.stderr.length} bytes`);
      }
      const tail = await cli('logs', '-n', '1', '-t', 'loud');
      assert.match(tail.stdout + tail.stderr, /^\d{4}-\d\d-\d\dT[\d:.]+Z (?:last|e\d+\n)$/);
      await good('rm', 'loud');
    });

    test('a stop waits for one that obeys, kills one that does not, and ends at once one that cannot hear', async () => {
      await Promise.all([
        run('obeys', SERVE),
        run('ignores', 'trap "echo no" USR1; sleep 600 & echo up; while :; do wait; done'),
        run('deaf', 'echo up; exec sleep 600'),
      ]);
      for (const name of ['obeys', 'ignores', 'deaf'])
        await until(`${name} is not up`, async () => (await good('logs', name)).includes('up'));
      // Were one of them waited for in full, the test would run into its time limit.
      await good('stop', '-t', '3600', 'obeys', 'deaf');
      await good('stop', '-t', '1', 'ignores');
      assert.equal(await good('wait', 'obeys', 'ignores', 'deaf'), '3\n137\n138\n');
      assert.equal(await good('logs', 'ignores'), 'up\nno\n');
      await good('container', 'rm', 'obeys', 'ignores', 'deaf');
    });

    // What root's containers show is shown once more for another user at full size only.
    const again = { skip: as === 'user' && !FULL ? 'as root it is; with npm run test:full here, too' : false };

    test('its policy starts it again; a kill ends it for good', again, async () => {
      await run('flaky', 'echo run; exit 4', '--restart', 'on-failure:2');
      assert.equal(await good('wait', 'flaky'), '4\n');
      assert.equal(await good('logs', 'flaky'), 'run\nrun\nrun\n');
      assert.equal((await row('flaky')).RestartCount, 2);
      await run(
        'stays',
        'echo run; while [ -e /www/up ]; do sleep 0.1; done; : >/www/up; exit 0',
        '--restart',
        'always',
      );
      await until(
        'it is not started again',
        async () => (await row('stays')).RestartCount >= 1 && (await row('stays')).State === 'running',
      );
      await good('kill', 'stays');
      assert.equal(await good('wait', 'stays'), '137\n');
      assert.equal((await state('stays')).Running, false);
      await good('rm', 'flaky', 'stays');
    });

    test('a health check of the flags is told of by ps', again, async () => {
      await run('sick', 'sleep 600', '--health-cmd', 'exit 1', '--health-interval', '100ms', '--health-retries', '2');
      await until('it is not unhealthy', async () => (await row('sick')).Health === 'unhealthy');
      await good('rm', '-f', 'sick');
    });

    test('when its monitor is killed it ends; the next command says so, and nothing of it is left', async () => {
      const id = (await run('orphan', 'echo before; exec sleep 98764')).trim();
      await until('it is not up', async () => (await good('logs', 'orphan')).includes('before'));
      const monitor = (JSON.parse(await good('inspect', 'orphan')) as [{ Monitor: number }])[0].Monitor;
      process.kill(monitor, 'SIGKILL');
      await until('its monitor lives', () => !isAlive(monitor));
      const lost = await row('orphan');
      assert.match(lost.Status, /^Exited \(lost\)/);
      assert.equal(spawnSync('pgrep', ['-f', '^sleep 98764$']).status, 1);
      assert.deepEqual(leftovers(store.root), []);
      assert.equal(spawnSync('find', ['/sys/fs/cgroup', '-name', id], { encoding: 'utf8' }).stdout, '');
      assert.equal(await good('logs', 'orphan'), 'before\n');
      assert.equal(await good('wait', 'orphan'), '137\n');
      await good('start', 'orphan');
      assert.equal((await state('orphan')).Lost, false);
      await good('rm', '-f', 'orphan');

      // Shown once more for another user at full size only.
      if (as === 'user' && !FULL) return;
      // One with a policy is started again by whoever looks next, unless that is to stop it.
      const lose = async (name: string): Promise<void> => {
        const [{ Monitor }] = JSON.parse(await good('inspect', name)) as [{ Monitor: number }];
        process.kill(Monitor, 'SIGKILL');
        await until('its monitor lives', () => !isAlive(Monitor));
      };
      await run('phoenix', 'echo up; exec sleep 98765', '--restart', 'unless-stopped');
      await lose('phoenix');
      const seen = await cli('ps', '-a');
      assert.match(seen.stdout, /\sUp .*\sphoenix$/m);
      assert.match(seen.stderr, /note: Container "phoenix" had lost what watches it, and was started again/);
      assert.equal((await cli('exec', 'phoenix', 'true')).code, 0);
      await lose('phoenix');
      await good('stop', 'phoenix');
      assert.match((await row('phoenix')).Status, /^Exited \(lost\)/);
      await good('rm', 'phoenix');
    });

    test(
      'a record of another boot of the machine is an end; so is one whose monitor has another number now',
      again,
      async () => {
        const id = (await run('booted', 'exit 5')).trim();
        assert.equal(await good('wait', 'booted'), '5\n');
        const file = join(store.root, 'containers', id, 'container.json');
        await until('its monitor still has it', () => leftovers(store.root).length === 0);
        const record = JSON.parse(readFileSync(file, 'utf8')) as { monitor: object };
        for (const changes of [{ bootId: 'before' }, { pid: process.pid }]) {
          const monitor = { ...record.monitor, ...changes };
          writeFileSync(file, JSON.stringify({ ...record, status: 'running', monitor }));
          const { Status, ExitCode, Running } = await state('booted');
          assert.deepEqual([Status, ExitCode, Running], ['exited', 137, false]);
        }
        await good('rm', 'booted');
      },
    );

    test(
      'killed at random moments of a start, nothing of it is left',
      { skip: FULL ? false : 'with npm run test:full' },
      async (t) => {
        const seed = Date.now() & 0xffff;
        t.diagnostic(`seed ${seed}`);
        const monitor = (): number | undefined => {
          const { stdout } = spawnSync('pgrep', ['-f', `[_]_monitor ${store.root} `], { encoding: 'utf8' });
          const pid = Number(stdout.split('\n')[0]);
          return pid > 0 ? pid : undefined;
        };
        for (let round = 0; round < 20; round++) {
          const name = `k${round}`;
          const starting = cli('run', '-d', '--name', name, 'box');
          await until('it is not started', () => monitor() !== undefined);
          await new Promise((resolve) => setTimeout(resolve, (seed * (round + 1) * 7919) % 600));
          const pid = monitor();
          if (pid !== undefined) process.kill(pid, 'SIGKILL');
          const { code } = await starting;
          assert.ok(code === 0 || code === 69, `run ended with ${code}`);
          if (pid !== undefined) await until('its monitor lives', () => !isAlive(pid));
          await cli('rm', '-f', name);
          assert.deepEqual(leftovers(store.root), []);
          const names = existsSync(join(store.root, 'ground/exec')) ? readdirSync(join(store.root, 'ground/exec')) : [];
          assert.deepEqual(
            names.filter((one) => one.startsWith('exec-')),
            [],
          );
        }
        assert.deepEqual(await list('-a'), []);
      },
    );

    test(
      'a shell in the background takes what is typed by who attaches',
      { skip: findTool('script') ? false : 'no script(1)' },
      async () => {
        await good('run', '-d', '-it', '--name', 'shell', '--network', 'none', 'box', 'sh');
        const [program, ...rest] = [
          ...(user?.prefix ?? []),
          'script',
          '-qefc',
          `${join(CHECKOUT, 'strake')} attach shell`,
          '/dev/null',
        ];
        const env = {
          PATH: process.env['PATH'],
          HOME: user?.home ?? process.env['HOME'],
          STRAKE_ROOT: store.root,
          TERM: 'xterm',
        };
        const screen = spawnSync(program, rest, { env, encoding: 'utf8', input: 'echo he""llo\nexit 9\n' });
        assert.equal(screen.status, 9, screen.stdout);
        assert.match(await good('logs', 'shell'), /^hello\r$/m);
        await good('rm', 'shell');
      },
    );

    test('nobody but its user gets at its files and its socket', async () => {
      const id = (await run('private', 'sleep 600')).trim();
      const folder = join(store.root, 'containers', id);
      const modes = [
        folder,
        join(folder, 'container.json'),
        join(folder, 'monitor.sock'),
        join(folder, 'log/000001.jsonl'),
      ];
      assert.deepEqual(
        modes.map((path) => statSync(path).mode & 0o777),
        [0o700, 0o600, 0o600, 0o600],
      );
      await good('rm', '-f', 'private');
    });

    for (const executor of FULL
      ? (['crun', 'runc', 'builtin'] as const)
      : as === 'root'
        ? (['runc', 'builtin'] as const)
        : (['runc'] as const))
      test(
        `by ${executor}`,
        { skip: executor === 'builtin' || findTool(executor) ? false : 'not installed' },
        async () => {
          await run('other', SERVE, '--executor', executor);
          const [{ RunsOn }] = JSON.parse(await good('inspect', 'other')) as [{ RunsOn: string }];
          assert.match(RunsOn, new RegExp(`${executor}$`));
          assert.equal((await cli('exec', 'other', 'sh', '-c', 'echo in; exit 4')).code, 4);
          await until('it is not up', async () => (await good('logs', 'other')) === 'up\n');
          await good('stop', 'other');
          assert.equal(await good('wait', 'other'), '3\n');
          await good('rm', 'other');
        },
      );

    test('many at once, each of its own; a prune takes nothing that they need', again, async () => {
      const many = 10;
      await good('tag', 'box', 'short-lived');
      await Promise.all(
        Array.from({ length: many }, () => good('run', '-d', '--network', 'none', 'short-lived', 'sh', '-c', SERVE)),
      );
      const all = await list();
      assert.equal(all.length, many);
      assert.equal(new Set(all.flatMap(({ ID, Names }) => [ID, Names])).size, 2 * many);
      assert.ok(all.every(({ State }) => State === 'running'));
      const [one] = all;
      const refused = await cli('rmi', one?.ImageID ?? '');
      assert.match(refused.stderr, /container ".*" was made of it/);
      await good('save', '-o', join(store.work, 'box.tar'), 'box');
      await good('rmi', '-f', one?.ImageID ?? '');
      await good('prune', '--all');
      assert.equal((await cli('exec', one?.ID ?? '', 'cat', '/www/index.html')).stdout, 'a page\n');
      await good('restart', one?.ID ?? '');
      assert.equal((await cli('exec', one?.ID ?? '', 'cat', '/data/file')).stdout, 'of the image\n');
      await good('rm', '-f', ...all.map(({ ID }) => ID));
      await good('load', '-i', join(store.work, 'box.tar'));
    });

    test('names, volumes, --rm, and one in the foreground that has a name', again, async () => {
      await run('first', 'echo mine >/v/file; exit 6', '-v', 'shared:/v');
      const clash = await cli('run', '-d', '--name', 'first', 'box');
      assert.equal(clash.code, 75);
      assert.match(clash.stderr, /there is one of this name/);
      assert.equal(await good('wait', 'first'), '6\n');
      const attached = await cli(
        'run',
        '--name',
        'second',
        '--network',
        'none',
        '--mount',
        'type=volume,src=shared,dst=/w,readonly',
        'box',
        'sh',
        '-c',
        'cat /w/file; touch /w/no; echo err >&2; exit 8',
      );
      assert.deepEqual([attached.code, attached.stdout], [8, 'mine\n'], attached.stderr);
      assert.match(attached.stderr, /err/);
      assert.equal((await row('second')).ExitCode, 8);
      assert.equal((await cli('start', '-a', 'second')).code, 8);
      const used = await cli('volume', 'rm', 'shared');
      assert.match(used.stderr, /container "(?:first|second)" has it/);
      await good('rm', 'first', 'second');
      await good('volume', 'rm', 'shared');
      await run('gone', 'exit 0', '--rm');
      await until('it is still there', async () => (await list('-a')).length === 0);
      const missing = await cli('run', '-d', '--name', 'bad', '--network', 'none', 'box', 'no-such-program');
      assert.deepEqual([missing.code, /is not there/.test(missing.stderr)], [127, true], missing.stderr);
      await good('rm', 'bad');
      const failed = await cli('run', '-d', '--name', 'bad', '-u', 'nobody-known', 'box');
      assert.equal(failed.code, 64);
      assert.deepEqual(await list('-a'), []);
    });

    test('nothing is left: no mount, no process, no file', async () => {
      await until('a monitor still runs', () => leftovers(store.root).length === 0);
      const names = (folder: string): string[] =>
        existsSync(join(store.root, folder)) ? readdirSync(join(store.root, folder)) : [];
      assert.deepEqual(names('containers'), ['lock']);
      assert.deepEqual(names('volumes'), []);
      assert.deepEqual(
        [...names('ground/exec').filter((name) => name.startsWith('exec-')), ...names('ground/snapshots/new')],
        [],
      );
      assert.ok(!readFileSync('/proc/mounts', 'utf8').includes(store.root));
    });
  });
}

/** A process that nobody has taken note of the end of lives no more. */
function isAlive(pid: number): boolean {
  try {
    return !/^State:\s+[ZX]/m.test(readFileSync(`/proc/${pid}/status`, 'latin1'));
  } catch {
    return false;
  }
}

interface Row {
  readonly ID: string;
  readonly Names: string;
  readonly Image: string;
  readonly ImageID: string;
  readonly State: string;
  readonly Status: string;
  readonly Health: string;
  readonly ExitCode: number | null;
  readonly RestartCount: number;
  readonly Ports: readonly string[];
}

interface State {
  readonly Status: string;
  readonly Running: boolean;
  readonly Lost: boolean;
  readonly ExitCode: number;
}
