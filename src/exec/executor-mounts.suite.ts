import assert from 'node:assert/strict';
import {
  chmodSync,
  copyFileSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createConnection } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { Channel, hasCode } from '../base/index.ts';
import {
  ancestors,
  contents,
  makeLower,
  pidOf,
  seconds,
  type ExecutorSetup,
  type Harness,
  type Root,
} from './suite-tools.ts';
import type { StepChannel, StepMount } from './process.ts';

/** The part of `executor.suite.ts` about what is mounted in a step's root, and what is left of it. */
export function mountTests(h: Harness, setup: ExecutorSetup): void {
  const { run, text, newRoot, lower } = h;

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

  test('a volume that is empty is filled with what the root has there, with owner and mode; one that is not stays as it is', async () => {
    const source = join(setup.folder, 'volume');
    mkdirSync(source, { recursive: true });
    const mounts: StepMount[] = [{ type: 'bind', source, target: '/etc', readonly: false, fill: true }];
    const got = await run('stat -c "%a %u" /etc; cat /etc/passwd | head -n 1; echo mine >/etc/passwd', { mounts });
    const plain = await run('stat -c "%a %u" /etc; cat /etc/passwd | head -n 1');
    assert.equal(got.stdout, plain.stdout, got.stderr);
    assert.equal((await run('cat /etc/passwd', { mounts })).stdout, 'mine\n');
    const absent: StepMount[] = [
      { type: 'bind', source: join(setup.folder, 'none'), target: '/no/where', readonly: false, fill: true },
    ];
    mkdirSync(join(setup.folder, 'none'));
    assert.equal((await run('ls -A /no/where', { mounts: absent })).stdout, '');
  });

  test('tmpfs mounts have their size and mode', async () => {
    const mounts: StepMount[] = [
      { type: 'tmpfs', target: '/scratch', size: 1 << 20, mode: 0o1777 },
      { type: 'tmpfs', target: '/plain' },
      { type: 'tmpfs', target: '/etc' },
    ];
    const got = await run(
      'stat -c %a /scratch /plain /etc; head -c 2000000 /dev/zero > /scratch/x || echo full; df -k /dev/shm | tail -n 1',
      { mounts, shmSize: 4 << 20 },
    );
    assert.match(got.stdout, /^1777\n1777\n755\nfull\n\S+\s+4096 /);
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

  test('a socket leads to whom the caller connects it with, for each connection anew', async () => {
    const asked: string[] = [];
    const mounts: StepMount[] = [
      { type: 'socket', target: '/run/agent/socket', name: 'agent', mode: 0o600, uid: 0, gid: 0 },
    ];
    const connect = async (name: string): Promise<StepChannel> => {
      asked.push(name);
      if (asked.length > 2) throw new Error('enough');
      const back = new Channel<Uint8Array>();
      return {
        readable: back,
        write: async (chunk) => {
          back.push(Buffer.from(Buffer.from(chunk).toString().toUpperCase()));
          back.end();
        },
        [Symbol.asyncDispose]: async () => back.end(),
      };
    };
    const marker = seconds();
    const running = run(`stat -c %a:%F /run/agent/socket; sleep ${marker}`, { mounts, connect });
    const pid = await pidOf(marker);
    const speak = async (text: string): Promise<string> => {
      const socket = createConnection({ path: `/proc/${pid}/root/run/agent/socket` });
      socket.on('error', () => undefined);
      socket.write(text);
      let said = '';
      socket.on('data', (chunk) => (said += String(chunk)));
      await new Promise((resolve) => socket.once('close', resolve));
      return said;
    };
    assert.deepEqual([await speak('one'), await speak('two'), await speak('three')], ['ONE', 'TWO', '']);
    process.kill(pid, 'SIGKILL');
    const got = await running;
    assert.equal(got.stdout, '600:socket\n', got.stderr);
    assert.match(got.stderr, /connection to "agent": enough/);
    assert.deepEqual(asked, ['agent', 'agent', 'agent']);
    assert.deepEqual(contents(got.root.upper), []);
  });

  test('secret variables are the process’s own, and on no command line', async () => {
    const value = `hush "'$(x) \n\\ ${seconds()}`;
    const marker = seconds();
    const running = run(
      `printf %s "$TOKEN"; printf '|%s' "$PLAIN" "$PWD" "$HOME"; env | grep -c STRAKE_SECRET; sleep ${marker}`,
      {
        env: ['PATH=/bin', 'PLAIN=plain', 'TOKEN=not this'],
        secretEnv: [`TOKEN=${value}`],
      },
    );
    const pid = await pidOf(marker);
    for (const one of [pid, ...ancestors(pid)])
      assert.ok(!readFileSync(`/proc/${one}/cmdline`, 'latin1').includes('hush'), `process ${one}`);
    process.kill(pid, 'SIGKILL');
    assert.equal((await running).stdout, `${value}|plain|/|/root0\n`);
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
    await assert.rejects(run('true', { mounts: mounts('/no/such') }), (error) => hasCode(error, 'STEP_MOUNT_MISSING'));
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
    assert.equal((await run('echo x > /var/lib/new/kept; touch /etc/here; chmod 700 /var', { root, mounts })).code, 0);
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
}
