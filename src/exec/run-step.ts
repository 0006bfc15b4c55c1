import { chmodSync, mkdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { mountAll, sys, throwIfCancelled, type Wait } from '../base/index.ts';
import { execError } from './errors.ts';
import { hostsFile } from './hosts.ts';
import { makeFolders, resolveInRoot } from './in-root.ts';
import { launch, type Command } from './launch.ts';
import { resolvConf } from './resolv.ts';
import { mountFlags, prepareMounts, type PreparedMount } from './step-mounts.ts';
import { makeStubs, type MountPoint } from './stubs.ts';
import type { Mount } from '../tree/index.ts';
import type { Process, ProcessIo } from './executor.ts';
import type { Network, StepNetwork } from './network.ts';
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
}

export interface StepRunner {
  readonly workspace: Workspace;
  readonly network: Network;
  readonly rootless: 'range' | 'single' | undefined;
  readonly driver: Driver;
}

/** The part of `Executor.run` that is the same everywhere: checks, root, mount points, sources, working folder, the process, and all of it undone. */
export async function runStep(
  runner: StepRunner,
  process: Process,
  o: { readonly root: readonly Mount[]; readonly io: ProcessIo } & Wait,
): Promise<number> {
  throwIfCancelled(o);
  check(process, runner);
  const network = await runner.network.open(process.network, o);
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
    if (runner.driver.nodev) forbidDevices(rootfs);
    const prepared = prepareMounts(process, { folder, rootless: runner.rootless !== undefined });
    undo.push(() => prepared[Symbol.dispose]());
    const points = [...runner.driver.points, ...OWN_POINTS, ...prepared.mounts];
    const stubs = makeStubs(rootfs, points, o.root);
    settle = () => stubs.settle();
    undo.push(() => stubs.remove());
    takeModes(prepared.mounts, rootfs);
    makeCwd(process, { rootfs, targets: stubs.targets });
    const step: Step = {
      process,
      folder,
      rootfs,
      mounts: prepared.mounts,
      network,
      resolvConf: join(folder, 'resolv.conf'),
      hosts: join(folder, 'hosts'),
    };
    const resolvers = { hostNetwork: network.kind === 'host', fallback: network.nameservers };
    writeReadable(step.resolvConf, resolvConf(resolvers));
    writeReadable(step.hosts, hostsFile(process));
    const command = runner.driver.start(step, undo);
    let ended = false;
    try {
      const code = await launch(command, { folder, io: o.io, signal: o.signal });
      ended = true;
      return runner.driver.exit(step, { code, io: o.io });
    } finally {
      if (!ended) runner.driver.killed(step);
    }
  } finally {
    undoAll(undo);
  }
}

/** Readable by every user of the step, whatever this process's umask is. */
function writeReadable(path: string, text: string): void {
  writeFileSync(path, text);
  chmodSync(path, 0o644);
}

/** Undoes all, whatever fails on the way, and throws the first failure. */
function undoAll(undo: readonly (() => void)[]): void {
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

function check(process: Process, runner: StepRunner): void {
  if (!/^[a-z0-9][a-z0-9-]*$/.test(process.id))
    throw execError('STEP_INVALID', `run a process: "${process.id}" is no id of letters, digits and "-"`);
  if (process.args.length === 0) throw execError('STEP_INVALID', 'run a process: no command is given');
  if (!process.cwd.startsWith('/'))
    throw execError('STEP_INVALID', `run a process in "${process.cwd}": not an absolute path`);
  if ([...process.args, ...process.env, process.cwd, process.hostname].some((text) => text.includes('\0')))
    throw execError('STEP_INVALID', 'run a process: a NUL character in its arguments, environment or folder');
  if (process.terminal === true)
    throw execError('STEP_UNSUPPORTED', 'run a process with a terminal: not supported by this executor');
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

/** A tmpfs without a mode of its own gets its mount point's, as under runc. */
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
