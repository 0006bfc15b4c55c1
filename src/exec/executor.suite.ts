import assert from 'node:assert/strict';
import { existsSync, readFileSync, readlinkSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { hasCode, kindOf } from '../base/index.ts';
import { capabilityMask, STEP_CAPABILITIES } from './capabilities.ts';
import { mountTests } from './executor-mounts.suite.ts';
import { runningTests } from './executor-running.suite.ts';
import { hardLimits } from './machine.ts';
import {
  ancestors,
  capsOf,
  contents,
  harness,
  mountPoints,
  pidOf,
  pidsOf,
  seconds,
  type ExecutorSetup,
  type Options,
} from './suite-tools.ts';

/** What every executor does. Call it in a mount namespace of the process's own. */
export function executorSuite(setup: ExecutorSetup): void {
  suite(`executor: ${setup.name}`, { skip: setup.skip ?? false }, () => {
    const h = harness(setup);
    const { run, text, newRoot } = h;
    let mountsBefore: readonly string[] = [];
    const mounts = (): string[] => mountPoints(dirname(setup.folder));
    before(async () => {
      await h.open();
      // The default network is started with the executor, in the background.
      await run('true', { network: 'default' });
      mountsBefore = mounts();
    });
    after(() => h.close());

    test('the exit code is the process’s', async () => {
      assert.equal((await run('exit 0')).code, 0);
      assert.equal((await run('exit 3')).code, 3);
      assert.equal((await run('exit 255')).code, 255);
    });

    test('output comes apart, each stream in its order, bytes as they are', async () => {
      const got = await run('echo a; echo b >&2; echo c; printf "\\377\\376\\000x"; echo d >&2');
      assert.equal(got.stderr, 'b\nd\n');
      const bytes: Uint8Array[] = [];
      await run('echo a; echo c; printf "\\377\\376\\000x"', { stdout: (chunk) => void bytes.push(chunk) });
      assert.deepEqual(Buffer.concat(bytes), Buffer.from('a\nc\n\xff\xfe\x00x', 'latin1'));
    });

    test('/dev/stdout and /dev/stderr can be opened, by any user', async () => {
      const user = setup.ids === 'single' ? 0 : 1234;
      const got = await run('echo out > /dev/stdout; echo err > /dev/stderr; echo more', {
        user: { uid: user, gid: user, additionalGids: [] },
      });
      assert.equal(got.code, 0, got.stderr);
      assert.equal(got.stdout, 'out\nmore\n');
      assert.equal(got.stderr, 'err\n');
    });

    test('stdin is what is given, and empty when nothing is', async () => {
      const stdin = (async function* () {
        yield Buffer.from('one ');
        yield Buffer.from('two');
      })();
      assert.equal(await text('cat', { stdin }), 'one two');
      assert.equal(await text('cat'), '');
      // eslint-disable-next-line typescript/require-await -- an endless stream that nobody reads to its end
      const endless = (async function* () {
        for (;;) yield Buffer.alloc(65536, 'x');
      })();
      assert.equal(await text('head -c 3', { stdin: endless }), 'xxx');
    });

    test('the environment is exactly what is given, and HOME', async () => {
      const env = ['PATH=/bin', 'A=b c', 'QUOTES=\'"$(x)`\\', 'EMPTY=', 'NON=\u00e9\n2'];
      const seen = async (given: readonly string[]): Promise<string[]> => {
        const got = await run(['/bin/busybox', 'env', '-0'], { env: given });
        return got.stdout.split('\0').filter(Boolean).sort();
      };
      assert.deepEqual(await seen(env), [...env, 'HOME=/root'].sort());
      assert.deepEqual(await seen([...env, 'HOME=/x']), [...env, 'HOME=/x'].sort());
    });

    test('the working folder is made, and given to the user', async () => {
      const user = setup.ids === 'single' ? 0 : 7;
      const got = await run('pwd; stat -c "%a %u:%g" /a /a/b', {
        cwd: '/a/b',
        user: { uid: user, gid: user, additionalGids: [] },
      });
      assert.equal(got.stdout, `/a/b\n755 ${user}:${user}\n755 ${user}:${user}\n`);
      assert.ok(existsSync(join(got.root.upper, 'a/b')));
    });

    test('a working folder behind a link stays in the root', async () => {
      const got = await run('pwd -P', { cwd: '/out/suite-cwd/x' });
      assert.equal(got.stdout, '/target/suite-cwd/x\n', got.stderr);
      assert.ok(existsSync(join(got.root.upper, 'target/suite-cwd/x')));
      const up = await run('pwd -P', { cwd: '/../../up' });
      assert.equal(up.stdout, '/up\n', up.stderr);
      await assert.rejects(run('true', { cwd: '/bin/busybox/x' }), (error) => hasCode(error, 'STEP_INVALID'));
      await assert.rejects(run('true', { cwd: '/loop/x' }), (error) => hasCode(error, 'STEP_INVALID'));
    });

    test('user and groups', { skip: setup.ids === 'single' ? 'one id only' : false }, async () => {
      const got = await text('grep -E "^(Uid|Gid|Groups):" /proc/self/status', {
        user: { uid: 1000, gid: 1001, additionalGids: [1002, 1003] },
      });
      assert.deepEqual(
        got
          .replaceAll(/[\t ]+/g, ' ')
          .split(' \n')
          .join('\n')
          .trim()
          .split('\n'),
        ['Uid: 1000 1000 1000 1000', 'Gid: 1001 1001 1001 1001', 'Groups: 1002 1003'],
      );
      const none = await text('grep "^Groups:" /proc/self/status', { user: { uid: 0, gid: 0, additionalGids: [] } });
      assert.match(none, /^Groups:\s*(0\s*)?$/);
    });

    test(
      'with one id, another user is refused before the start',
      { skip: setup.ids === 'single' ? false : 'ids are mapped' },
      async () => {
        await assert.rejects(run('true', { user: { uid: 5, gid: 5, additionalGids: [] } }), (error) => {
          assert.ok(hasCode(error, 'STEP_UNSUPPORTED'));
          assert.match(error.remedy ?? '', /subuid/);
          return true;
        });
      },
    );

    test('limits are kept, or refused before the start', async () => {
      const limits = { memory: 64 << 20, cpuShares: 512, pids: 40 };
      if (!h.executor().report.devicesCgroup) {
        await assert.rejects(run('true', { limits }), (error) => hasCode(error, 'STEP_UNSUPPORTED'));
        return;
      }
      const files =
        '/sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/memory.max /sys/fs/cgroup/pids/pids.max /sys/fs/cgroup/pids.max';
      const got = await text(`cat ${files} 2>/dev/null; true`, { limits });
      assert.equal(got.trim(), `${64 << 20}\n40`);
    });

    test('host name and hosts', async () => {
      const got = await text('hostname; cat /etc/hosts', {
        hostname: 'a-box',
        extraHosts: [{ host: 'db', ip: '10.1.2.3' }],
      });
      assert.equal(got, 'a-box\n127.0.0.1\tlocalhost a-box\n::1\tlocalhost ip6-localhost ip6-loopback\n10.1.2.3\tdb\n');
      assert.match(await text('cat /etc/resolv.conf'), /^nameserver /m);
    });

    test('without network there is loopback at most', async () => {
      const got = await text('cat /proc/net/route /proc/net/dev', { network: 'none' });
      const names = [...got.matchAll(/^\s*(\S+):/gm)].map((match) => match[1]);
      assert.deepEqual(names, ['lo']);
      assert.doesNotMatch(got, /^\w+\t[0-9A-F]{8}\t/m);
    });

    test('the machine’s network is the machine’s', async () => {
      const got = await run(['/bin/busybox', 'readlink', '/proc/self/ns/net'], { network: 'host' });
      assert.equal(got.stdout.trim(), readlinkSync('/proc/self/ns/net'));
      const none = await run(['/bin/busybox', 'readlink', '/proc/self/ns/net'], { network: 'none' });
      assert.notEqual(none.stdout, got.stdout);
    });

    test('capabilities are Docker’s fourteen', async () => {
      const mask = capabilityMask(STEP_CAPABILITIES);
      const status = await text('grep ^Cap /proc/self/status');
      assert.deepEqual(capsOf(status), {
        CapInh: '0'.repeat(16),
        CapPrm: mask,
        CapEff: mask,
        CapBnd: mask,
        CapAmb: '0'.repeat(16),
      });
      if (setup.ids === 'single') return;
      const user = await text('grep ^Cap /proc/self/status', { user: { uid: 5, gid: 5, additionalGids: [] } });
      assert.deepEqual(capsOf(user), {
        CapInh: '0'.repeat(16),
        CapPrm: '0'.repeat(16),
        CapEff: '0'.repeat(16),
        CapBnd: mask,
        CapAmb: '0'.repeat(16),
      });
    });

    test('a step cannot mount, see the machine’s processes or write its kernel settings', async () => {
      assert.notEqual((await run('mount -t tmpfs none /mnt')).code, 0);
      assert.match(await text('echo $$; ls -d /proc/[0-9]* | wc -l'), /^1\n[1-4]\n$/);
      const got = await run(
        'echo 1 > /proc/sys/kernel/ns_last_pid; echo h > /proc/sysrq-trigger; cat /proc/kcore | head -c 1; cat /proc/timer_list',
      );
      assert.equal(got.stdout, '');
      assert.equal(await text('umask; grep NoNewPrivs /proc/self/status'), '0022\nNoNewPrivs:\t0\n');
    });

    test(
      'a device that a step makes cannot be opened',
      { skip: setup.ids === 'root' ? false : 'no devices can be made' },
      async () => {
        const got = await run(
          'mknod /tmp/disk b 1 0 && ! head -c 1 /tmp/disk && mknod /dev/disk b 1 0 && ! head -c 1 /dev/disk; echo $?',
        );
        assert.match(got.stdout, /^0$/m);
        assert.match(got.stderr, /not permitted|denied/);
        assert.equal(
          await text(
            'head -c 2 /dev/zero | wc -c; echo x > /dev/null; head -c 1 /dev/urandom | wc -c; test -c /dev/tty && test -d /dev/pts && test -d /dev/mqueue',
          ),
          '2\n1\n',
        );
      },
    );

    test('limits: those asked for, never above the own', async () => {
      const ulimits = [
        { name: 'nofile', soft: 64, hard: 128 },
        { name: 'core', soft: 0, hard: -1 },
      ];
      assert.equal(await text('ulimit -Sn; ulimit -Hn; ulimit -Sc', { ulimits }), '64\n128\n0\n');
      const most = hardLimits().get('nofile') ?? 0;
      const high = [{ name: 'nofile', soft: 2_000_000_000, hard: 2_000_000_000 }];
      assert.ok(Number(await text('ulimit -Hn', { ulimits: high })) <= most);
    });

    test('a signal’s death is 128 + n', async () => {
      const marker = seconds();
      const done = run(['/bin/busybox', 'sleep', marker]);
      process.kill(await pidOf(marker), 'SIGKILL');
      assert.equal((await done).code, 137);
      assert.equal((await run('sh -c "kill -TERM \\$\\$"; exit $?')).code, 143);
    });

    test('a missing command is 127, one that cannot run 126, said on stderr', async () => {
      for (const [command, code] of [
        ['no-such-command', 127],
        ['/no/such', 127],
        ['/etc/passwd', 126],
      ] as const) {
        const got = await run([command, 'x']);
        assert.equal(got.code, code, `${command}: ${got.stderr}`);
        assert.ok(got.stderr.includes(command), got.stderr);
      }
    });

    test('background processes end with the process', async () => {
      const marker = seconds();
      const got = await run(`sleep ${marker} & setsid sleep ${marker} & echo started`);
      assert.equal(got.stdout, 'started\n');
      assert.deepEqual(pidsOf(marker), []);
    });

    test('a cancelled step is gone within a second, with all it started', async () => {
      const marker = seconds();
      const controller = new AbortController();
      const root = newRoot();
      const done = run(`trap "" TERM INT HUP; sleep ${marker} & setsid sleep ${marker} & sleep ${marker}`, {
        signal: controller.signal,
        root,
      });
      await pidOf(marker);
      const started = performance.now();
      controller.abort(new Error('enough'));
      await assert.rejects(done, (error) => kindOf(error) === 'cancelled');
      // The promise is a second; a loaded machine gets more, a hang none.
      assert.ok(performance.now() - started < 5_000);
      assert.deepEqual(pidsOf(marker), []);
      assert.deepEqual(contents(root.upper), []);
    });

    test('cancelled at any moment of its start, nothing is left', async () => {
      const marker = seconds();
      for (let i = 0; i < 15; i++) {
        const root = newRoot();
        const done = run(['/bin/busybox', 'sleep', marker], { signal: AbortSignal.timeout(i * 4), root });
        await assert.rejects(done, (error) => kindOf(error) === 'cancelled');
        assert.deepEqual(contents(root.upper), []);
      }
      assert.deepEqual(pidsOf(marker), []);
      assert.deepEqual(mounts(), mountsBefore);
    });

    test('steps side by side do not hold each other’s roots', async () => {
      const marker = seconds();
      const controller = new AbortController();
      const first = newRoot();
      const quick = run('sleep 0.3; echo one', { root: first });
      const slow = run(['/bin/busybox', 'sleep', marker], { signal: controller.signal });
      assert.equal((await quick).stdout, 'one\n');
      const pid = await pidOf(marker);
      for (const task of [pid, ...ancestors(pid)])
        assert.ok(
          !readFileSync(`/proc/${task}/mountinfo`, 'utf8').includes(`upperdir=${first.upper}`),
          `process ${task}`,
        );
      controller.abort();
      await assert.rejects(slow);
    });

    test('100 MB of output pass in bounded memory', async () => {
      let bytes = 0;
      const held = process.memoryUsage().rss;
      let most = 0;
      const got = await run('head -c 100000000 /dev/zero', {
        stdout: (chunk) => {
          bytes += chunk.length;
          most = Math.max(most, process.memoryUsage().rss - held);
        },
      });
      assert.equal(got.code, 0);
      assert.equal(bytes, 100_000_000);
      assert.ok(most < 80e6, `grew by ${most} bytes`);
    });

    test('an insecure step has all capabilities', async () => {
      const all = /^CapEff:\s*(\w+)/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1];
      assert.equal(capsOf(await text('grep ^CapEff /proc/self/status', { security: 'insecure' }))['CapEff'], all);
    });

    test('privileges of its own, also of a process beside it', async () => {
      const own = await run('grep -E "^(CapEff|CapBnd|NoNewPrivs)" /proc/self/status', {
        privileges: { drop: ['CAP_CHOWN', 'CAP_KILL'], noNewPrivileges: true },
      });
      assert.match(own.stdout, /^CapEff:\s00000000a80425da\nCapBnd:\s00000000a80425da\nNoNewPrivs:\s1\n$/);
      const none = run('grep ^CapEff /proc/self/status', { privileges: { drop: ['ALL'] } });
      if (h.executor().report.name !== 'builtin') assert.match((await none).stdout, /^CapEff:\s0+\n$/);
      else await assert.rejects(none, (error) => hasCode(error, 'STEP_UNSUPPORTED'));
    });

    test('what cannot be is refused before the start', async () => {
      const refused = (o: Options, code: string): Promise<void> =>
        assert.rejects(run('true', o), (error) => hasCode(error, code));
      await refused({ network: 'none', ports: [{ protocol: 'tcp', hostPort: 1, port: 1 }] }, 'STEP_INVALID');
      await refused({ id: '../x' }, 'STEP_INVALID');
      await refused({ args: [] }, 'STEP_INVALID');
      await refused({ cwd: 'relative' }, 'STEP_INVALID');
      await refused({ env: ['A=\0'] }, 'STEP_INVALID');
      await assert.rejects(run('true', { signal: AbortSignal.abort() }), (error) => kindOf(error) === 'cancelled');
    });

    mountTests(h, setup);
    runningTests(h, setup);

    test('afterwards no mount is left', () => {
      assert.deepEqual(mounts(), mountsBefore);
    });
  });
}
