import { chmodSync, mkdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { mountAll, sys, throwIfCancelled, type Wait } from '../base/index.ts';
import { killTree } from './descendants.ts';
import { fillVolumes } from './fill-volumes.ts';
import { execError } from './errors.ts';
import { hostsFile } from './hosts.ts';
import { makeFolders, resolveInRoot } from './in-root.ts';
import { launch, type Command } from './launch.ts';
import { resolvConf } from './resolv.ts';
import { mountFlags, prepareMounts, type PreparedMount } from './step-mounts.ts';
import { makeStubs, type MountPoint, type Stubs } from './stubs.ts';
import type { Mount } from '../tree/index.ts';
import type { Survive } from './executor.ts';
import type { Process, ProcessIo } from './process.ts';
import type { Network, StepNetwork } from './network.ts';
import { publishedNetwork } from './published-network.ts';
import type { Place, RunningTable } from './running.ts';
import type { JoiningProcess } from './running-processes.ts';
import type { Workspace } from './workspace.ts';

/** A process with its root mounted and its sources ready. All paths are of this machine. */
export interface Step {
  readonly process: Process;
  /** Its own folder on the workspace's tmpfs. */
  readonly folder: string;
  readonly rootfs: string;
  readonly resolvConf: string;
  readonly hosts: string;
  readonly mounts: readonly PreparedMount[];
  readonly network: StepNetwork;
}

/** What differs between executors. */
export interface Driver {
  /** What the driver itself mounts in the root, besides resolv.conf, hosts and the process's mounts. */
  readonly points: readonly MountPoint[];
  /** No cgroup keeps a step from devices: the root is mounted so that none in it can be opened. */
  readonly nodev: boolean;
  /** Gets the step ready and says how to start it; what it puts on `undo` is undone in reverse when all its processes are gone. */
  start(step: Step, undo: (() => void)[]): Command;
  /** What the command's exit code says of the process. Throws `RUNTIME_FAILED` when the process was never started. */
  exit(step: Step, o: { code: number; io: ProcessIo }): number;
  /** After a step that was killed. */
  killed(step: Step): void;
  /** In which PID namespace below this process's own the process is number 1. */
  readonly depth: number;
  /** True for one of the programs that start a process, which will become it. */
  isStarting(pid: number): boolean;
  /** How to start another process beside a running one; `folder` is for its files. */
  join(step: Step, process: JoiningProcess, o: { readonly place: Place; readonly folder: string }): Command;
  /** As `exit`, for a process that joined. */
  joinExit(process: JoiningProcess, o: { code: number; folder: string; io: ProcessIo }): number;
}

/** What runs a step that is ready in its own way, not by a command of this process. */
export interface Performer {
  readonly points: readonly MountPoint[];
  readonly nodev: boolean;
  /** Runs it to its end; all its processes are gone then, whatever happens. `stubs`: what was made in its root. */
  perform(
    step: Step,
    o: { readonly io: ProcessIo; readonly stubs: Stubs; readonly survive?: Survive | undefined } & Wait,
  ): Promise<number>;
}

export interface StepRunner {
  readonly workspace: Workspace;
  readonly network: Network;
  readonly rootless: 'range' | 'single' | undefined;
  readonly driver: Driver | Performer;
  /** Where the process can be found while it runs. */
  readonly running?: RunningTable | undefined;
}

/** The part of `Executor.run` that is the same everywhere: checks, root, mount points, sources, working folder, the process, and all of it undone. */
export async function runStep(
  runner: StepRunner,
  process: Process,
  o: { readonly root: readonly Mount[]; readonly io: ProcessIo; readonly survive?: Survive | undefined } & Wait,
): Promise<number> {
  throwIfCancelled(o);
  const { driver } = runner;
  check(process, runner);
  await using network = await networkOf(process, { runner, signal: o.signal });
  const undo: (() => void)[] = [];
  const folder = join(runner.workspace.run, process.id);
  const rootfs = join(folder, 'rootfs');
  try {
    mkdirSync(folder, { mode: 0o700 });
    undo.push(() => rmSync(folder, { recursive: true, force: true }));
    mkdirSync(rootfs, { mode: 0o755 });
    const mountedRoot = mountAll(o.root, rootfs);
    let settle = (): void => undefined;
    undo.push(() => {
      mountedRoot[Symbol.dispose]();
      settle();
    });
    if (driver.nodev) forbidDevices(rootfs);
    const prepared = prepareMounts(process, { folder, rootless: runner.rootless !== undefined, io: o.io });
    undo.push(() => prepared[Symbol.dispose]());
    const points = [...driver.points, ...OWN_POINTS, ...prepared.mounts];
    takeModes(prepared.mounts, rootfs);
    const stubs = makeStubs(rootfs, points, o.root);
    settle = () => stubs.settle();
    undo.push(() => stubs.remove());
    fillVolumes(process, rootfs);
    makeCwd(process, { rootfs, targets: stubs.targets });
    const targets = stubs.targets.slice(-prepared.mounts.length);
    const step: Step = {
      process,
      folder,
      rootfs,
      mounts: prepared.mounts.map((mount, i) => inRoot(mount, join(rootfs, targets[i] ?? ''))),
      network,
      resolvConf: join(folder, 'resolv.conf'),
      hosts: join(folder, 'hosts'),
    };
    const resolvers = { hostNetwork: network.kind === 'host', fallback: network.nameservers };
    writeReadable(step.resolvConf, resolvConf(resolvers));
    writeReadable(step.hosts, hostsFile(process));
    if ('perform' in driver) return await driver.perform(step, { ...o, stubs });
    const command = driver.start(step, undo);
    using found = new DisposableStack();
    const onStart = (pid: number): void => {
      if (runner.running)
        found.use(runner.running.add(process.id, { pid, step, terminal: command.terminal ?? command.handed }));
    };
    let ended = false;
    try {
      const code = await launch(command, { folder, io: o.io, onStart, signal: o.signal });
      ended = true;
      return driver.exit(step, { code, io: o.io });
    } finally {
      if (!ended) driver.killed(step);
    }
  } finally {
    undoAll(undo);
  }
}

/** Runs a process beside one that runs. */
export async function runJoining(
  driver: Driver,
  process: JoiningProcess,
  o: {
    readonly step: Step;
    readonly place: Place;
    readonly run: string;
    readonly io: ProcessIo;
    /** Where it can be found while it runs. */
    readonly running: RunningTable;
  } & Wait,
): Promise<number> {
  if (!ID.test(process.id)) throw badId(process.id);
  const folder = join(o.run, process.id);
  mkdirSync(folder, { mode: 0o700 });
  try {
    const command = driver.join(o.step, process, { place: o.place, folder });
    using found = new DisposableStack();
    const terminal = command.terminal ?? command.handed;
    if (terminal) found.adopt(terminal, () => terminal.close());
    const kill = ({ pid }: { readonly pid?: number | undefined }): void => {
      if (pid !== undefined) killTree(pid);
    };
    const onStart = (pid: number): void => void found.use(o.running.addJoined(process.id, { pid, terminal }));
    const code = await launch(command, { folder, io: o.io, kill, onStart, signal: o.signal });
    return driver.joinExit(process, { code, folder, io: o.io });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The network it asks for, or one of its own with its ports. */
async function networkOf(
  process: Process,
  o: { readonly runner: StepRunner } & Wait,
): Promise<StepNetwork & AsyncDisposable> {
  const { ports = [], id } = process;
  if (ports.length > 0) return publishedNetwork(ports, { ...o.runner, id, signal: o.signal });
  const network = await o.runner.network.open(process.network, o);
  return { ...network, [Symbol.asyncDispose]: async () => undefined };
}

/** A mount of the root's own folder has its place as its source. */
function inRoot(mount: PreparedMount, place: string): PreparedMount {
  return mount.own === true ? { ...mount, spec: { ...mount.spec, source: place } } : mount;
}

/** Readable by every user of the step, whatever this process's umask is. */
function writeReadable(path: string, text: string): void {
  writeFileSync(path, text);
  chmodSync(path, 0o644);
}

/** Undoes all, whatever fails on the way, and throws the first failure. */
export function undoAll(undo: readonly (() => void)[]): void {
  const failures: unknown[] = [];
  for (const step of undo.toReversed()) {
    try {
      step();
    } catch (error) {
      failures.push(error);
    }
  }
  if (failures.length > 0) throw failures[0];
}

function forbidDevices(rootfs: string): void {
  const readonly = mountFlags(rootfs).includes('ro') ? sys.MS.RDONLY : 0;
  sys.mount('none', rootfs, { flags: sys.MS.BIND | sys.MS.REMOUNT | sys.MS.NODEV | readonly });
}

const OWN_POINTS: readonly MountPoint[] = [
  { target: '/etc/resolv.conf', kind: 'file' },
  { target: '/etc/hosts', kind: 'file' },
];

const ID = /^[a-z0-9][a-z0-9-]*$/;

function badId(id: string): Error {
  return execError('STEP_INVALID', `run a process: "${id}" is no id of letters, digits and "-"`);
}

/** Throws for what no executor can run. */
export function check(process: Process, runner: Pick<StepRunner, 'rootless'>): void {
  if (!ID.test(process.id)) throw badId(process.id);
  if (process.args.length === 0) throw execError('STEP_INVALID', 'run a process: no command is given');
  if (!process.cwd.startsWith('/'))
    throw execError('STEP_INVALID', `run a process in "${process.cwd}": not an absolute path`);
  if (
    [...process.args, ...process.env, ...(process.secretEnv ?? []), process.cwd, process.hostname].some((text) =>
      text.includes('\0'),
    )
  )
    throw execError('STEP_INVALID', 'run a process: a NUL character in its arguments, environment or folder');
  if (process.ports !== undefined && process.ports.length > 0 && process.network !== 'default')
    throw execError(
      'STEP_INVALID',
      `publish ports of a process with network "${process.network}": it has none of its own`,
    );
  const { uid, gid, additionalGids } = process.user;
  if (runner.rootless === 'single' && [uid, gid, ...additionalGids].some((id) => id !== 0))
    throw execError(
      'STEP_UNSUPPORTED',
      `run a process as user ${uid}:${gid}: only one id is mapped here, which is root's`,
      {
        remedy:
          'Give this user a range of ids in /etc/subuid and /etc/subgid and install newuidmap (package uidmap), or run as root.',
      },
    );
}

/** A tmpfs without a mode of its own gets that of its mount point, as under runc; where there is none yet, the kernel's: 1777. */
function takeModes(mounts: readonly PreparedMount[], rootfs: string): void {
  for (const { takesMode, target, spec } of mounts) {
    if (takesMode !== true) continue;
    const place = resolveInRoot(rootfs, target);
    if (place.missing.length === 0) chmodSync(spec.source, statSync(join(rootfs, ...place.exists)).mode & 0o7777);
  }
}

/** Makes the working folder in the root, unless a mount will be there. */
function makeCwd(process: Process, o: { readonly rootfs: string; readonly targets: readonly string[] }): void {
  const place = resolveInRoot(o.rootfs, process.cwd);
  const real = `/${[...place.exists, ...place.missing].join('/')}`;
  if (o.targets.some((target) => real === target || real.startsWith(`${target}/`))) return;
  makeFolders(o.rootfs, place, process.user);
}
