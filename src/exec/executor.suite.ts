import assert from 'node:assert/strict';
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { copyFileSync, chownSync, utimesSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { hasCode, kindOf, systemRandom } from '../base/index.ts';
import { capabilityMask, STEP_CAPABILITIES } from './capabilities.ts';
import { hardLimits } from './machine.ts';
import type { Mount } from '../tree/index.ts';
import type { OpenExecutor } from './create-executor.ts';
import type { Process, StepMount } from './executor.ts';

export interface ExecutorSetup {
  readonly name: string;
  open(): Promise<OpenExecutor>;
  /** Empty, on a file system that overlay takes an upper folder from. */
  readonly folder: string;
  /** A static busybox. */
  readonly busybox: string;
  readonly ids: 'root' | 'range' | 'single';
  readonly skip?: string | undefined;
}

/** A root of its own for one test: an overlay over a small tree. */
interface Root {
  readonly mounts: readonly Mount[];
  readonly lower: string;
  readonly upper: string;
}

interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
  readonly root: Root;
}

type Options = Partial<Process> & {
  readonly root?: Root | undefined;
  readonly stdin?: AsyncIterable<Uint8Array> | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly stdout?: ((chunk: Uint8Array) => void) | undefined;
};

/** What every executor does. Call it in a mount namespace of the process's own. */
export function executorSuite(setup: ExecutorSetup): void {
  suite(`executor: ${setup.name}`, { skip: setup.skip ?? false }, () => {
    const lower = join(setup.folder, 'lower');
    let executor: OpenExecutor;
    let count = 0;
    let mountsBefore = '';

    before(async () => {
      makeLower(lower, setup.busybox);
      executor = await setup.open();
      // The default network is started with the executor, in the background.
      await run('true', { network: 'default' });
      mountsBefore = mountPoints();
    });
    after(async () => executor[Symbol.asyncDispose]());

    const newRoot = (base = lower): Root => {
      const folder = join(setup.folder, `root-${count++}`);
      const upper = join(folder, 'upper');
      mkdirSync(upper, { recursive: true });
      mkdirSync(join(folder, 'work'));
      chmodSync(upper, 0o755);
      const options = [`lowerdir=${base}`, `upperdir=${upper}`, `workdir=${join(folder, 'work')}`, 'index=off'];
      if (setup.ids !== 'root') options.push('userxattr');
      return { mounts: [{ type: 'overlay', source: 'overlay', options }], lower: base, upper };
    };
    const run = async (args: readonly string[] | string, o: Options = {}): Promise<Outcome> => {
      const { root = newRoot(), stdin, signal, stdout: see, ...rest } = o;
      const out: Uint8Array[] = [];
      const err: Uint8Array[] = [];
      const process: Process = {
        id: `suite-${count++}`,
        args: typeof args === 'string' ? ['/bin/sh', '-c', args] : args,
        env: ['PATH=/bin'],
        cwd: '/',
        user: { uid: 0, gid: 0, additionalGids: [] },
        hostname: 'buildkitsandbox',
        network: 'host',
        security: 'sandbox',
        extraHosts: [],
        ulimits: [],
        shmSize: 0,
        mounts: [],
        ...rest,
      };
      const io = {
        stdout: see ?? ((c: Uint8Array) => void out.push(c)),
        stderr: (c: Uint8Array) => void err.push(c),
        stdin,
      };
      const code = await executor.run(process, { root: root.mounts, io, signal });
      return { code, stdout: Buffer.concat(out).toString(), stderr: Buffer.concat(err).toString(), root };
    };
    const text = async (command: string, o: Options = {}): Promise<string> => {
      const { code, stdout, stderr } = await run(command, o);
      assert.equal(code, 0, stderr);
      return stdout;
    };

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

    test('the machine’s network has the machine’s interfaces', async () => {
      const count = (dev: string): number => dev.split('\n').length;
      assert.equal(
        count(await text('cat /proc/net/dev', { network: 'host' })),
        count(readFileSync('/proc/net/dev', 'utf8')),
      );
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

    test('bind mounts, read-only and not, of folders and files', async () => {
      const source = join(setup.folder, 'bound');
      mkdirSync(source, { recursive: true });
      chmodSync(source, 0o777);
      writeFileSync(join(source, 'file'), 'content');
      const mounts: StepMount[] = [
        { type: 'bind', source, target: '/ro', readonly: true },
        { type: 'bind', source, target: '/deep/er/rw', readonly: false },
        { type: 'bind', source: join(source, 'file'), target: '/one/file', readonly: true },
      ];
      const got = await run(
        'cat /ro/file /one/file; touch /ro/x || echo ro; touch /one/file || echo ro; echo new > /deep/er/rw/new',
        { mounts },
      );
      assert.equal(got.stdout, 'contentcontentro\nro\n', got.stderr);
      assert.equal(readFileSync(join(source, 'new'), 'utf8'), 'new\n');
      assert.deepEqual(contents(got.root.upper), []);
      const missing: StepMount[] = [{ type: 'bind', source: join(source, 'nothing'), target: '/x', readonly: true }];
      await assert.rejects(run('true', { mounts: missing }), (error) => hasCode(error, 'STEP_MOUNT_MISSING'));
    });

    test('tmpfs mounts have their size and mode', async () => {
      const mounts: StepMount[] = [
        { type: 'tmpfs', target: '/scratch', size: 1 << 20, mode: 0o1777 },
        { type: 'tmpfs', target: '/plain' },
      ];
      const got = await run(
        'stat -c %a /scratch /plain; head -c 2000000 /dev/zero > /scratch/x || echo full; df -k /dev/shm | tail -n 1',
        { mounts, shmSize: 4 << 20 },
      );
      assert.match(got.stdout, /^1777\n755\nfull\n\S+\s+4096 /);
      assert.deepEqual(contents(got.root.upper), []);
    });

    test('files exist for the process only', async () => {
      const user = setup.ids === 'single' ? 0 : 9;
      const mounts: StepMount[] = [
        { type: 'file', target: '/run/secrets/token', content: Buffer.from('hush'), mode: 0o400, uid: user, gid: user },
        {
          type: 'file',
          target: '/run/script',
          content: Buffer.from('#!/bin/sh\necho ran\n'),
          mode: 0o755,
          uid: 0,
          gid: 0,
        },
      ];
      const got = await run(
        'cat /run/secrets/token; /run/script; stat -c "%a %u" /run/secrets/token; grep -c tmpfs /proc/self/mountinfo > /dev/null; echo x > /run/script || echo kept',
        { mounts, user: { uid: user, gid: user, additionalGids: [] } },
      );
      assert.equal(got.stdout, `hushran\n400 ${user}\nkept\n`, got.stderr);
      assert.deepEqual(contents(got.root.upper), []);
      assert.doesNotMatch(await text('ls /'), /run/);
    });

    test('trees, and folders and files of trees, links resolved inside them', async () => {
      const tree = join(setup.folder, 'tree');
      mkdirSync(join(tree, 'sub/deep'), { recursive: true });
      writeFileSync(join(tree, 'sub/deep/f'), 'deep');
      if (!existsSync(join(tree, 'escape'))) symlinkSync('/../../../sub', join(tree, 'escape'));
      const mounts = (source: string): StepMount[] => [
        {
          type: 'tree',
          mounts: [{ type: 'bind', source: tree, options: ['bind'] }],
          source,
          target: '/t',
          readonly: true,
        },
      ];
      assert.equal(await text('cat /t/sub/deep/f', { mounts: mounts('/') }), 'deep');
      assert.equal(await text('cat /t/deep/f', { mounts: mounts('/sub') }), 'deep');
      assert.equal(await text('cat /t/deep/f', { mounts: mounts('/escape') }), 'deep');
      assert.equal(await text('cat /t', { mounts: mounts('sub/deep/f') }), 'deep');
      await assert.rejects(run('true', { mounts: mounts('/no/such') }), (error) =>
        hasCode(error, 'STEP_MOUNT_MISSING'),
      );
    });

    test('a mount below a mount', async () => {
      const mounts: StepMount[] = [
        { type: 'tmpfs', target: '/cache' },
        { type: 'file', target: '/cache/in/key', content: Buffer.from('k'), mode: 0o444, uid: 0, gid: 0 },
      ];
      const got = await run('cat /cache/in/key; pwd', { mounts, cwd: '/cache/work' });
      assert.equal(got.stdout, 'k/cache/work\n', got.stderr);
      assert.deepEqual(contents(got.root.upper), []);
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
      assert.equal(mountPoints(), mountsBefore);
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

    test('mount points leave no trace, not even a time or a copied folder', async () => {
      const root = newRoot();
      const was = contents(lower);
      const mounts: StepMount[] = [
        { type: 'tmpfs', target: '/var/lib/new/deep' },
        { type: 'tmpfs', target: '/opt' },
        { type: 'file', target: '/etc/own', content: Buffer.from('x'), mode: 0o444, uid: 0, gid: 0 },
      ];
      assert.equal((await run('ls /var/lib/new/deep /opt; cat /etc/own', { root, mounts })).code, 0);
      assert.deepEqual(contents(root.upper), []);
      assert.deepEqual(contents(lower), was);
    });

    test('what the step does beside a mount point stays', async () => {
      const root = newRoot();
      const mounts: StepMount[] = [
        { type: 'tmpfs', target: '/var/lib/new/deep' },
        { type: 'tmpfs', target: '/made' },
      ];
      assert.equal(
        (await run('echo x > /var/lib/new/kept; touch /etc/here; chmod 700 /var', { root, mounts })).code,
        0,
      );
      assert.deepEqual(contents(root.upper), ['etc', 'etc/here', 'var', 'var/lib', 'var/lib/new', 'var/lib/new/kept']);
      assert.equal(lstatSync(join(root.upper, 'var')).mode & 0o777, 0o700);
    });

    test('an empty root with one static program', async () => {
      const bare = join(setup.folder, 'bare');
      mkdirSync(bare, { recursive: true });
      chmodSync(bare, 0o755);
      copyFileSync(setup.busybox, join(bare, 'busybox'));
      chmodSync(join(bare, 'busybox'), 0o755);
      const root = newRoot(bare);
      const got = await run(['/busybox', 'ls', '/'], { root });
      assert.equal(got.code, 0, got.stderr);
      assert.deepEqual(contents(root.upper), []);
    });

    test('a root that is a plain folder', async () => {
      const plain = join(setup.folder, 'plain');
      makeLower(plain, setup.busybox);
      const was = contents(plain);
      const root: Root = { mounts: [{ type: 'bind', source: plain, options: ['rbind'] }], lower: plain, upper: plain };
      assert.equal(await text('cat /etc/hosts > /dev/null; echo ok', { root }), 'ok\n');
      assert.deepEqual(contents(plain), was);
    });

    test('dangling links as mount points are followed inside the root', async () => {
      const linked = join(setup.folder, 'linked');
      makeLower(linked, setup.busybox);
      if (!existsSync(join(linked, 'etc/resolv.conf')))
        symlinkSync('../run/systemd/resolve/stub-resolv.conf', join(linked, 'etc/resolv.conf'));
      const root = newRoot(linked);
      assert.match(await text('cat /etc/resolv.conf', { root }), /nameserver/);
      assert.deepEqual(contents(root.upper), []);
    });

    test('an insecure step has all capabilities', async () => {
      const all = /^CapEff:\s*(\w+)/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1];
      assert.equal(capsOf(await text('grep ^CapEff /proc/self/status', { security: 'insecure' }))['CapEff'], all);
    });

    test('what cannot be is refused before the start', async () => {
      const refused = (o: Options, code: string): Promise<void> =>
        assert.rejects(run('true', o), (error) => hasCode(error, code));
      await refused({ terminal: true }, 'STEP_UNSUPPORTED');
      await refused({ id: '../x' }, 'STEP_INVALID');
      await refused({ args: [] }, 'STEP_INVALID');
      await refused({ cwd: 'relative' }, 'STEP_INVALID');
      await refused({ env: ['A=\0'] }, 'STEP_INVALID');
      await assert.rejects(run('true', { signal: AbortSignal.abort() }), (error) => kindOf(error) === 'cancelled');
    });

    test('afterwards no mount is left', () => {
      assert.equal(mountPoints(), mountsBefore);
    });
  });
}

function makeLower(folder: string, busybox: string): void {
  for (const name of ['bin', 'etc', 'var/lib', 'tmp', 'target', 'root', 'mnt']) {
    mkdirSync(join(folder, name), { recursive: true });
    chmodSync(join(folder, name), name === 'tmp' ? 0o1777 : 0o755);
  }
  chmodSync(folder, 0o755);
  copyFileSync(busybox, join(folder, 'bin/busybox'));
  chmodSync(join(folder, 'bin/busybox'), 0o755);
  const tools =
    'sh cat cp chmod df echo env grep head hostname id ls mkdir mknod mount mv printf pwd rm rmdir setsid sleep stat tail test touch tr true wc';
  for (const name of tools.split(' '))
    if (!hasLink(join(folder, 'bin', name))) symlinkSync('busybox', join(folder, 'bin', name));
  writeFileSync(join(folder, 'etc/passwd'), 'root:x:0:0:root:/root:/bin/sh\n');
  chmodSync(join(folder, 'etc/passwd'), 0o644);
  if (!hasLink(join(folder, 'out'))) symlinkSync('/../../target', join(folder, 'out'));
  if (!hasLink(join(folder, 'loop'))) symlinkSync('loop', join(folder, 'loop'));
  for (const name of ['var/lib', 'var', 'etc', '.']) utimesSync(join(folder, name), 1_000_000_000, 1_000_000_000);
  chownSync(folder, 0, 0);
}

function hasLink(path: string): boolean {
  try {
    readlinkSync(path);
    return true;
  } catch {
    return false;
  }
}

/** Everything below a folder, with what a layer would record of it for all but plain new files. */
function contents(folder: string): string[] {
  const found: string[] = [];
  const walk = (at: string): void => {
    for (const entry of readdirSync(join(folder, at), { withFileTypes: true }).sort((a, b) =>
      a.name < b.name ? -1 : 1,
    )) {
      const path = at === '' ? entry.name : `${at}/${entry.name}`;
      found.push(path);
      if (entry.isDirectory()) walk(path);
    }
  };
  walk('');
  return found;
}

function capsOf(status: string): Record<string, string> {
  return Object.fromEntries(
    [...status.matchAll(/^(Cap\w+):\s*(\w+)$/gm)].map((match) => [match[1] ?? '', match[2] ?? '']),
  );
}

function mountPoints(): string {
  return readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .map((line) => line.split(' ')[4])
    .join('\n');
}

/** A time to sleep for that no other process has in its arguments. */
function seconds(): string {
  return `9${parseInt(systemRandom.hex(4), 16)}`;
}

function pidsOf(marker: string): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => {
      try {
        const args = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
        return (
          (args.includes(marker) && !args.includes('run') && (args[0] ?? '').endsWith('sleep')) ||
          (args[1] === 'sleep' && args[2] === marker)
        );
      } catch {
        return false;
      }
    })
    .map(Number);
}

async function pidOf(marker: string): Promise<number> {
  for (let i = 0; i < 2_000; i++) {
    const [pid] = pidsOf(marker);
    if (pid !== undefined) return pid;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  throw new Error(`no process sleeps ${marker}`);
}

function ancestors(pid: number): number[] {
  const parent = Number(/^PPid:\s*(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0);
  return parent <= 1 || parent === process.pid ? [] : [parent, ...ancestors(parent)];
}
