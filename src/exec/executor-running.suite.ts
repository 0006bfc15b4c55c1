import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createServer, connect } from 'node:net';
import type { AddressInfo } from 'node:net';
import { constants } from 'node:os';
import { test } from 'node:test';
import { Channel, hasCode, kindOf } from '../base/index.ts';
import type { Looked } from './executor.ts';
import type { ProcessIo, StepMount } from './process.ts';
import type { RunningProcesses } from './running-processes.ts';
import { mountPoints, type ExecutorSetup, type Harness, type Options, type Outcome } from './suite-tools.ts';

const { SIGTERM, SIGUSR1 } = constants.signals;
let ids = 0;

/** The part of `executor.suite.ts` about processes that live for a while: terminals, signals, company, ports. */
export function runningTests(h: Harness, setup: ExecutorSetup): void {
  const { run, text } = h;
  const running = (): RunningProcesses => h.executor().running;

  /** Runs a command and waits until it has printed `until`. */
  const started = async (
    command: string,
    o: Options & { until: string },
  ): Promise<{ id: string; ended: Promise<Outcome>; said: () => string; saying: (part: string) => Promise<void> }> => {
    const { until, ...options } = o;
    const id = `running-${process.pid}-${ids++}`;
    let said = '';
    let wake = (): void => undefined;
    const saying = async (part: string): Promise<void> => {
      while (!said.includes(part)) await new Promise<void>((resolve) => (wake = resolve));
    };
    const stdout = (chunk: Uint8Array): void => {
      said += Buffer.from(chunk).toString();
      wake();
    };
    const ended = run(command, { ...options, id, stdout });
    await Promise.race([saying(until), ended.then(({ stderr }) => assert.fail(`ended: ${said} ${stderr}`))]);
    return { id, ended, said: () => said, saying };
  };
  const heard = (): { io: ProcessIo; out: () => string; err: () => string } => {
    const [out, err]: [Uint8Array[], Uint8Array[]] = [[], []];
    return {
      io: { stdout: (chunk) => void out.push(chunk), stderr: (chunk) => void err.push(chunk) },
      out: () => Buffer.concat(out).toString(),
      err: () => Buffer.concat(err).toString(),
    };
  };
  const beside = (args: readonly string[]) => ({
    id: `beside-${process.pid}-${ids++}`,
    args,
    env: ['PATH=/bin', 'BESIDE=1'],
    cwd: '/tmp',
    user: { uid: 0, gid: 0, additionalGids: [] },
  });

  test('a terminal: its size and name, lines and signals, until the end', async () => {
    const input = new Channel<Uint8Array>();
    const script =
      'busybox stty size; busybox tty; trap "busybox stty size" WINCH; [ -t 0 ] && [ -t 2 ] && echo all; ' +
      'while ! read line; do :; done; echo "<$line>"; trap : INT; sh -c "echo sleeping; sleep 600"; echo "code $?"; echo there >/dev/tty; echo console >/dev/console; exit 7';
    const it = await started(script, {
      until: 'all\r\n',
      terminal: { columns: 132, rows: 43 },
      stdin: input,
      user: { uid: 0, gid: 0, additionalGids: [] },
    });
    await running().resize(it.id, { columns: 91, rows: 22 });
    await it.saying('22 91\r\n');
    input.push(Buffer.from('typed\x7fX\n'));
    await it.saying('sleeping');
    input.push(Buffer.from('\x03'));
    const { code } = await it.ended;
    input.end();
    assert.equal(code, 7);
    assert.match(it.said(), /^43 132\r\n\/dev\/pts\/0\r\nall\r\n22 91\r\n/);
    assert.match(it.said(), /<typeX>\r\nsleeping\r\n\^C\r?\n?code 130\r\nthere\r\nconsole\r\n$/);
  });

  test('all output of a terminal arrives, whoever its user is', async () => {
    const uid = setup.ids === 'single' ? 0 : 1234;
    let size = 0;
    const got = await run('busybox seq 1 50000; [ -w /dev/tty ] && : >/dev/stdout && echo end', {
      terminal: { columns: 80, rows: 24 },
      user: { uid, gid: uid, additionalGids: [] },
      stdout: (chunk) => void (size += chunk.length),
    });
    assert.equal(got.code, 0);
    assert.equal(size, 238_894 + 50_000 * '\r\n'.length + 'end\r\n'.length);
  });

  test('signals reach it; what the kernel would drop is told', async () => {
    const it = await started('trap "echo term; exit 9" TERM; echo up; while :; do sleep 1 & wait $!; done', {
      until: 'up',
    });
    assert.equal(await running().signal(it.id, 0), 'sent');
    assert.equal(await running().signal(it.id, SIGUSR1), 'ignored');
    assert.equal(await running().signal(it.id, SIGTERM), 'sent');
    assert.equal((await it.ended).code, 9);
    assert.match(it.said(), /term/);
    assert.equal(await running().signal(it.id, SIGTERM), 'absent');
    assert.equal(await running().signal(it.id, 0), 'absent');
    assert.equal(await running().signal('nobody', SIGTERM), 'absent');
  });

  test('a process beside it sees what it sees, and is no more than it', async () => {
    const stop = new AbortController();
    const it = await started('echo inside >/tmp/file; echo up; exec sleep 600', {
      until: 'up',
      signal: stop.signal,
      network: 'none',
      hostname: 'together',
    });
    const script =
      'cat file; hostname; echo $BESIDE; echo err >&2; grep ^CapBnd /proc/self/status; ls /proc | grep -c "^[0-9]"; exit 5';
    const one = heard();
    assert.equal(await running().join(it.id, beside(['/bin/sh', '-c', script]), one), 5);
    assert.match(one.out(), /^inside\ntogether\n1\nCapBnd:\s00000000a80425fb\n[2-6]\n$/);
    assert.equal(one.err(), 'err\n');
    const two = heard();
    assert.equal(await running().join(it.id, beside(['no-such-program']), two), 127);
    assert.match(two.err(), /no-such-program/);
    const giving = new AbortController();
    const three = heard();
    const cut = running().join(it.id, beside(['/bin/sh', '-c', 'echo begun; exec sleep 611']), {
      io: { ...three.io, stdout: () => giving.abort() },
      signal: giving.signal,
    });
    await assert.rejects(cut, (error) => kindOf(error) === 'cancelled');
    const four = heard();
    await running().join(it.id, beside(['/bin/sh', '-c', 'busybox ps | grep -c "[s]leep 611"']), four);
    assert.equal(four.out(), '0\n');
    await assert.rejects(running().join('nobody', beside(['true']), heard()), (error) =>
      hasCode(error, 'PROCESS_ABSENT'),
    );
    stop.abort();
    await assert.rejects(it.ended, (error) => kindOf(error) === 'cancelled');
  });

  test('a process beside it is signalled by its id, and has secrets that no command line tells', async () => {
    const stop = new AbortController();
    const it = await started('echo up; exec sleep 600', { until: 'up', signal: stop.signal, network: 'none' });
    const one = heard();
    const joining = {
      ...beside([
        '/bin/sh',
        '-c',
        'trap "echo term; exit 9" TERM; echo "<$HUSH>"; while :; do sleep 1 & wait $!; done',
      ]),
      secretEnv: ['HUSH=a secret word'],
    };
    let told = '';
    const stdout = (chunk: Uint8Array): void => {
      told += Buffer.from(chunk).toString();
      if (told === '<a secret word>\n') void running().signal(joining.id, SIGTERM);
    };
    assert.equal(await running().join(it.id, joining, { io: { ...one.io, stdout } }), 9);
    assert.equal(told, '<a secret word>\nterm\n');
    assert.equal(await running().signal(joining.id, SIGTERM), 'absent');
    const two = { ...beside(['sleep', '600']) };
    const killed = running().join(it.id, two, heard());
    while ((await running().signal(two.id, SIGTERM)) === 'absent')
      await new Promise((resolve) => setTimeout(resolve, 5));
    assert.equal(await killed, 143);
    stop.abort();
    await assert.rejects(it.ended, (error) => kindOf(error) === 'cancelled');
  });

  test('a root and its mounts are looked into, also while a process runs there; no link leads out', async () => {
    const root = h.newRoot();
    const stop = new AbortController();
    const script = `mkdir /made; echo text >/made/file; ln -s /made/file /abs; ln -s ../../../..${h.lower} /leads-out; ln -s nowhere /dangling; rm /etc/passwd; echo up; exec sleep 600`;
    const mounts: StepMount[] = [
      { type: 'file', target: '/run/given', content: Buffer.from('given'), mode: 0o640, uid: 0, gid: 0 },
      { type: 'tree', mounts: h.newRoot().mounts, source: '/etc', target: '/deep/er', readonly: false },
    ];
    const look = (kind: 'stat' | 'list' | 'read', path: string, limit?: number): Promise<Looked | undefined> =>
      h.executor().look({ root: root.mounts, mounts }, { kind, path, limit });
    const it = await started(script, { until: 'up', root, mounts, signal: stop.signal });
    for (const running of [true, false]) {
      const text = (looked: Looked | undefined): string => Buffer.from(looked?.content ?? []).toString();
      assert.equal(text(await look('read', '/abs')), 'text\n');
      assert.equal(text(await look('read', '/run/given')), 'given');
      assert.match(text(await look('read', '/deep/er/passwd')), /^root:/);
      assert.equal(await look('read', '/etc/passwd'), undefined);
      assert.equal((await look('stat', '/leads-out'))?.entries[0]?.type, 'symlink');
      const [made] = (await look('stat', '/made/file'))?.entries ?? [];
      assert.deepEqual([made?.path, made?.type, made?.size], ['file', 'file', 5]);
      const [dangling] = (await look('stat', '/dangling'))?.entries ?? [];
      assert.deepEqual([dangling?.type, dangling?.link], ['symlink', 'nowhere']);
      const all = (await look('list', '/'))?.entries.map(({ path }) => path) ?? [];
      assert.ok(all.includes('made') && all.includes('abs') && all.includes('bin'), all.join());
      await assert.rejects(look('read', '/made/file', 4), (error) => hasCode(error, 'STEP_INVALID'));
      await assert.rejects(look('read', '/made'), (error) => hasCode(error, 'STEP_INVALID'));
      if (!running) continue;
      stop.abort();
      await assert.rejects(it.ended, (error) => kindOf(error) === 'cancelled');
    }
    assert.deepEqual(mountPoints(setup.folder), []);
  });

  test('a terminal of a process beside it follows its size', async (t) => {
    const stop = new AbortController();
    const it = await started('echo up; exec sleep 600', { until: 'up', signal: stop.signal, network: 'none' });
    const attempt = async (): Promise<{ code: number; said: string }> => {
      const input = new Channel<Uint8Array>();
      // Of crun 1.8 a terminal has no size for a moment.
      const joining = {
        ...beside(['/bin/sh', '-c', 'until stty size 2>/dev/null; do :; done; read x; stty size; exit 4']),
        terminal: { columns: 71, rows: 31 },
      };
      let said = '';
      const stdout = (chunk: Uint8Array): void => {
        if (said === '')
          void running()
            .resize(joining.id, { columns: 72, rows: 32 })
            .then(() => input.push(Buffer.from('\n')));
        said += Buffer.from(chunk).toString();
      };
      try {
        const io = { stdout, stderr: () => undefined, stdin: input };
        return { code: await running().join(it.id, joining, { io }), said };
      } finally {
        input.end();
      }
    };
    try {
      const { code, said } = await attempt();
      assert.equal(code, 4);
      assert.match(said, /^31 71\r\n[^]*32 72\r\n$/);
      // Also of one that ends as soon as it has spoken.
      for (let i = 0; i < 5; i++) {
        const last = heard();
        const quick = { ...beside(['/bin/sh', '-c', 'echo last; exit 5']), terminal: { columns: 71, rows: 31 } };
        assert.equal(await running().join(it.id, quick, last), 5);
        assert.equal(last.out(), 'last\r\n');
      }
    } catch (error) {
      if (!hasCode(error, 'STEP_UNSUPPORTED')) throw error;
      t.diagnostic('no terminals beside a running process here');
    } finally {
      stop.abort();
      await assert.rejects(it.ended);
    }
  });

  test('the ports that something listens on', async () => {
    const stop = new AbortController();
    const it = await started('busybox httpd -p 127.0.0.1:7070; busybox httpd -p 7071; echo up; exec sleep 600', {
      until: 'up',
      signal: stop.signal,
      network: 'none',
    });
    const found = await running().listening(it.id);
    assert.deepEqual(
      [...found].sort((a, b) => a.port - b.port),
      [
        { port: 7070, everywhere: false },
        { port: 7071, everywhere: true },
      ],
    );
    stop.abort();
    await assert.rejects(it.ended);
  });

  test('a published port leads to it, and to nobody when it is gone', async (t) => {
    if (h.executor().report.publishes === undefined) {
      await assert.rejects(
        run('true', { network: 'default', ports: [{ protocol: 'tcp', hostPort: 1025, port: 1 }] }),
        (error) => hasCode(error, 'PORTS_UNSUPPORTED'),
      );
      t.diagnostic('nothing publishes ports here');
      return;
    }
    const hostPort = await freePort();
    const stop = new AbortController();
    const it = await started('echo "from inside" | busybox nc -l -p 80 & sleep 0.3; echo up; exec sleep 600', {
      until: 'up',
      signal: stop.signal,
      network: 'default',
      ports: [{ protocol: 'tcp', hostAddress: '127.0.0.1', hostPort, port: 80 }],
    });
    assert.equal(await answer(hostPort), 'from inside\n');
    stop.abort();
    await assert.rejects(it.ended);
    await assert.rejects(answer(hostPort), /ECONNREFUSED/);
    assert.ok(!readFileSync('/proc/self/mountinfo', 'utf8').includes(`${it.id}-network`));
  });

  test('a root that cannot be written to, but for its mounts', async () => {
    const command =
      'echo x >/file || echo "no file"; echo x >/var/lib/file && cat /var/lib/file; echo y >/t/file && cat /t/file; /t/run || echo "no run"; echo z >/new/file; df /t | tail -1 | grep -c tmpfs';
    const said = await text(command, {
      readonlyRoot: true,
      mounts: [
        { type: 'own', target: '/var/lib' },
        { type: 'own', target: '/new' },
        { type: 'tmpfs', target: '/t', flags: ['noexec', 'nodev'] },
        { type: 'file', target: '/t/run', content: Buffer.from('#!/bin/sh\necho ran\n'), mode: 0o644, uid: 0, gid: 0 },
      ],
    });
    assert.equal(said, 'no file\nx\ny\nno run\n1\n');
  });
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

function answer(port: number): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const socket = connect(port, '127.0.0.1');
  let text = '';
  socket.on('data', (chunk: Buffer) => (text += chunk.toString()));
  socket.once('error', reject);
  socket.once('close', () => resolve(text));
  return promise;
}
