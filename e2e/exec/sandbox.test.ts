import assert from 'node:assert/strict';
import { lstatSync, mkdirSync, mkdtempSync, readlinkSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, suite, test } from 'node:test';
import { findTool, hasErrno, sys, systemClock, systemRandom } from '../../src/base/index.ts';
import { createExecutor, probeExecutors, type OpenExecutor, type Process } from '../../src/exec/index.ts';
import type { Mount } from '../../src/tree/index.ts';

const isRoot = process.getuid?.() === 0;
const folder = mkdtempSync(join(tmpdir(), 'strake-sandbox-'));
if (isRoot) sys.unshareMounts();
after(() => rmSync(folder, { recursive: true, force: true }));
let count = 0;
const options = { stateFolder: join(folder, 'state'), random: systemRandom, clock: systemClock };

/** A root of its own with the machine's programs, read-only. */
function machineRoot(): Mount[] {
  const base = join(folder, `root-${count}`);
  const mounts: Mount[] = [{ type: 'bind', source: base, options: ['bind'] }];
  for (const name of ['usr', 'bin', 'sbin', 'lib', 'lib64'])
    try {
      const link = lstatSync(`/${name}`).isSymbolicLink();
      mkdirSync(base, { recursive: true });
      try {
        if (link) symlinkSync(readlinkSync(`/${name}`), join(base, name));
        else mkdirSync(join(base, name));
      } catch (error) {
        if (!hasErrno(error, 'EEXIST')) throw error;
      }
      if (!link) mounts.push({ type: 'bind', source: `/${name}`, target: `/${name}`, options: ['bind', 'ro'] });
    } catch (error) {
      if (!hasErrno(error, 'ENOENT')) throw error;
    }
  return mounts;
}

async function run(
  executor: OpenExecutor,
  args: readonly string[],
  o: Partial<Process> = {},
): Promise<{ code: number; text: string }> {
  const process: Process = {
    id: `sandbox-${count++}`,
    args,
    env: ['PATH=/usr/sbin:/usr/bin:/sbin:/bin'],
    cwd: '/',
    user: { uid: 0, gid: 0, additionalGids: [] },
    hostname: 'box',
    network: 'host',
    security: 'sandbox',
    extraHosts: [],
    ulimits: [],
    shmSize: 0,
    mounts: [],
    ...o,
  };
  const out: Uint8Array[] = [];
  const io = { stdout: (c: Uint8Array) => void out.push(c), stderr: (c: Uint8Array) => void out.push(c) };
  const code = await executor.run(process, { root: machineRoot(), io });
  return { code, text: Buffer.concat(out).toString() };
}

/** Makes system calls and prints each one's errno, 0 for success. x86-64 and arm64 numbers. */
const NUMBERS: Readonly<Record<string, Readonly<Record<string, number>>>> = {
  x64: {
    unshare: 272,
    mount: 165,
    keyctl: 250,
    socket: 41,
    clone3: 435,
    io_uring_setup: 425,
    personality: 135,
    openat2: 437,
  },
  arm64: {
    unshare: 97,
    mount: 40,
    keyctl: 219,
    socket: 198,
    clone3: 435,
    io_uring_setup: 425,
    personality: 92,
    openat2: 437,
  },
};
const EPERM = 1;
const ENOSYS = 38;
const EXPECTED = 'unshare mount keyctl vsock alg unix clone3 io_uring personality'.split(' ');
const script = (n: Readonly<Record<string, number>>): string => `
  my $path = "none"; my $type = "tmpfs"; my $dir = "/";
  sub t { my ($name, $n, @a) = @_; $! = 0; my $r = syscall($n, @a); print "$name ", ($r == -1 ? $!+0 : 0), "\\n"; }
  t("unshare", ${n['unshare']}, 0x20000);
  t("mount", ${n['mount']}, $path, $dir, $type, 0, 0);
  t("keyctl", ${n['keyctl']}, 0, -3, 0);
  t("vsock", ${n['socket']}, 40, 1, 0);
  t("alg", ${n['socket']}, 38, 5, 0);
  t("unix", ${n['socket']}, 1, 1, 0);
  t("clone3", ${n['clone3']}, 0, 0);
  t("io_uring", ${n['io_uring_setup']}, 0, 0);
  t("personality", ${n['personality']}, 0x20);
`;

for (const name of ['crun', 'runc'] as const) {
  const numbers = NUMBERS[process.arch];
  const skip = !isRoot
    ? 'not root'
    : findTool(name) === undefined
      ? `${name} is not installed`
      : findTool('perl') === undefined
        ? 'perl is not installed'
        : numbers === undefined
          ? `no system call numbers for ${process.arch}`
          : false;
  suite(`the sandbox of ${name}`, { skip }, () => {
    test('closed system calls fail as under Docker', async () => {
      await using executor = await createExecutor({ ...options, prefer: name });
      assert.equal(executor.report.name, name);
      const { text } = await run(executor, ['perl', '-e', script(numbers ?? {})]);
      const got = Object.fromEntries(
        text
          .trim()
          .split('\n')
          .map((line) => line.split(' ')),
      );
      const want = [EPERM, EPERM, EPERM, EPERM, EPERM, 0, ENOSYS, EPERM, EPERM];
      assert.deepEqual(got, Object.fromEntries(EXPECTED.map((call, i) => [call, String(want[i])])));
    });

    test('devices are closed by the cgroup', async () => {
      await using executor = await createExecutor({ ...options, prefer: name });
      if (!executor.report.devicesCgroup) return;
      const { text } = await run(executor, [
        'sh',
        '-c',
        'mknod /dev/x b 254 0; head -c 1 /dev/x 2>&1 | tail -c 30; mknod /dev/n c 1 3; echo fine > /dev/n; echo $?',
      ]);
      assert.match(text, /not permitted\n0\n$/);
    });
  });
}

test(
  'every way of running steps is probed, with a reason where it does not work',
  { skip: isRoot ? false : 'not root' },
  async () => {
    const probes = await probeExecutors(options);
    assert.deepEqual(
      probes.map((probe) => probe.name),
      ['crun', 'runc', 'builtin'],
    );
    for (const probe of probes) {
      assert.equal(probe.works, probe.reason === undefined, probe.name);
      if (probe.works) assert.match(probe.version ?? '', /\d/);
    }
  },
);

suite('networks', { skip: isRoot ? false : 'not root' }, () => {
  test('the default network is the one reported, and shared by steps', async (t) => {
    await using executor = await createExecutor(options);
    const { network } = executor.report;
    const [first, second] = await Promise.all(
      [1, 2].map(async () => (await run(executor, ['readlink', '/proc/self/ns/net'], { network: 'default' })).text),
    );
    assert.equal(first, second);
    const host = `${readlinkSync('/proc/self/ns/net')}\n`;
    if (network === 'host') {
      assert.equal(first, host);
      t.skip('no program for a network namespace works here');
      return;
    }
    assert.notEqual(first, host);
    assert.match((await run(executor, ['cat', '/proc/net/route'], { network: 'default' })).text, /\t00000000\t/);
    assert.notEqual((await run(executor, ['readlink', '/proc/self/ns/net'], { network: 'none' })).text, first);
  });

  test('loopback of the machine is out of reach from the default network', async (t) => {
    const { createServer } = await import('node:net');
    await using executor = await createExecutor(options);
    if (executor.report.network === 'host') {
      t.skip('the default network is the machine’s');
      return;
    }
    if (findTool('perl') === undefined) {
      t.skip('perl is not installed');
      return;
    }
    const server = createServer((socket) => socket.end('hello'));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as { port: number };
    const connect = `use IO::Socket::INET; my $s = IO::Socket::INET->new(PeerAddr => "127.0.0.1:${port}", Timeout => 3); print $s ? <$s> : "no";`;
    assert.equal((await run(executor, ['perl', '-e', connect], { network: 'default' })).text, 'no');
    assert.equal((await run(executor, ['perl', '-e', connect], { network: 'host' })).text, 'hello');
    server.close();
  });
});
