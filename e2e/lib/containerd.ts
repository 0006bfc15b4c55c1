import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { findTool } from '../../src/base/index.ts';

/** Another containerd than that in PATH: STRAKE_TEST_CONTAINERD names the program, with its shim and ctr beside it. */
const NAMED = process.env['STRAKE_TEST_CONTAINERD'];
const PROGRAM = NAMED ?? 'containerd';
const CTR = NAMED === undefined ? 'ctr' : join(dirname(NAMED), 'ctr');

/** Why no containerd can be started here; false when one can. */
export const needsContainerd: string | false =
  process.getuid?.() !== 0
    ? 'not root'
    : !(NAMED === undefined ? findTool(PROGRAM) !== undefined : existsSync(NAMED))
      ? 'containerd is not installed'
      : findTool('runc') === undefined
        ? 'runc is not installed'
        : false;

/** The same for the suites that every snapshotter and executor runs, which take their time. */
export const needsContainerdAndTime: string | false =
  needsContainerd === false && process.env['STRAKE_TEST_FULL'] !== '1'
    ? 'in npm run test:full only: builds by containerd are in npm test'
    : needsContainerd;

/** A containerd of a test's own. */
export interface TestContainerd extends AsyncDisposable {
  readonly folder: string;
  /** Its socket. */
  readonly address: string;
  readonly pid: number;
  /** `ctr` in a namespace; gives what it prints. */
  ctr(namespace: string, ...args: readonly string[]): string;
  /** Kills it alone, as a crash would; its tasks run on. */
  crash(): Promise<void>;
  start(): Promise<void>;
  /** What containers, tasks, leases, snapshots and uploads there are. */
  left(
    namespace: string,
    snapshotter?: string,
  ): { containers: string[]; tasks: string[]; leases: string[]; snapshots: string[] };
}

/** Starts one with its files in a folder of their own; the end of the scope ends it with all of its tasks and mounts. */
export async function startContainerd(): Promise<TestContainerd> {
  const folder = mkdtempSync(join(tmpdir(), 'strake-ctd-'));
  const address = join(folder, 'c.sock');
  const disabled = [
    'io.containerd.grpc.v1.cri',
    'io.containerd.internal.v1.opt',
    'io.containerd.snapshotter.v1.btrfs',
    'io.containerd.snapshotter.v1.zfs',
    'io.containerd.snapshotter.v1.devmapper',
    'io.containerd.snapshotter.v1.aufs',
    'io.containerd.tracing.processor.v1.otlp',
  ];
  const state = join(folder, 'state');
  writeFileSync(
    join(folder, 'config.toml'),
    `version = 2
root = "${join(folder, 'root')}"
state = "${state}"
disabled_plugins = ${JSON.stringify(disabled)}
[grpc]
address = "${address}"
[ttrpc]
address = "${join(folder, 't.sock')}"
`,
  );
  // Its own shim, but the machine's runc.
  mkdirSync(join(folder, 'bin'));
  if (NAMED !== undefined)
    symlinkSync(join(dirname(NAMED), 'containerd-shim-runc-v2'), join(folder, 'bin/containerd-shim-runc-v2'));
  let child: ChildProcess | undefined;
  const log = openSync(join(folder, 'log'), 'a');
  const start = async (): Promise<void> => {
    const started = spawn(PROGRAM, ['--config', join(folder, 'config.toml'), '--log-level', 'warn'], {
      stdio: ['ignore', log, log],
      env: { ...process.env, PATH: `${join(folder, 'bin')}:${process.env['PATH'] ?? ''}` },
    });
    child = started;
    for (let i = 0; i < 500; i++) {
      if (started.exitCode !== null) break;
      if (await answers(address)) return;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    throw new Error(`containerd does not start: ${readFileSync(join(folder, 'log'), 'utf8')}`);
  };
  const crash = async (): Promise<void> => {
    const dying = child;
    child = undefined;
    if (!dying || dying.exitCode !== null) return;
    const gone = new Promise((resolve) => dying.once('exit', resolve));
    dying.kill('SIGKILL');
    await gone;
  };
  const ctr = (namespace: string, ...args: readonly string[]): string => {
    const { status, stdout, stderr } = spawnSync(CTR, ['-a', address, '-n', namespace, ...args], {
      encoding: 'utf8',
    });
    if (status !== 0) throw new Error(`ctr ${args.join(' ')}: ${stderr}`);
    return stdout;
  };
  const names = (text: string): string[] =>
    text
      .split('\n')
      .slice(1)
      .flatMap((line) => line.split(/\s+/)[0] || []);
  await start();
  return {
    folder,
    address,
    get pid() {
      return child?.pid ?? 0;
    },
    ctr,
    crash,
    start,
    left: (namespace, snapshotter = 'overlayfs') => ({
      containers: names(ctr(namespace, 'containers', 'ls')),
      tasks: names(ctr(namespace, 'tasks', 'ls')),
      leases: names(ctr(namespace, 'leases', 'ls')),
      snapshots: names(ctr(namespace, 'snapshots', '--snapshotter', snapshotter, 'ls')),
    }),
    [Symbol.asyncDispose]: async () => {
      await crash();
      killShims(state, address);
      unmountBelow(folder);
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** Shims are told their containerd's socket: those of this one alone, and what they run. */
function killShims(state: string, address: string): void {
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    try {
      const args = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
      if ((args[0] ?? '').includes('containerd-shim') && args.includes(address)) process.kill(Number(pid), 'SIGKILL');
    } catch {
      continue;
    }
  }
  const tasks = join(state, 'io.containerd.runtime.v2.task');
  if (!existsSync(tasks)) return;
  for (const namespace of readdirSync(tasks))
    for (const id of readdirSync(join(tasks, namespace))) {
      try {
        process.kill(Number(readFileSync(join(tasks, namespace, id, 'init.pid'), 'utf8')), 'SIGKILL');
      } catch {
        continue;
      }
    }
}

/** Away with what a test that failed has left mounted. */
export function unmountBelow(folder: string): void {
  for (const point of mountsBelow(folder).toReversed()) spawnSync('umount', ['-l', point]);
}

function mountsBelow(folder: string): string[] {
  return readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .map((line) => line.split(' ')[4] ?? '')
    .filter((point) => point.startsWith(`${folder}/`));
}

function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}
