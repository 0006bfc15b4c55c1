import { chmodSync, fchownSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { hasErrno, Semaphore, sys, throwIfCancelled, type Random, type Wait } from '../base/index.ts';
import { capabilitiesOf } from './capabilities.ts';
import { descendantsOf, killTree, signal } from './descendants.ts';
import { environment } from './environment.ts';
import { execError } from './errors.ts';
import { hostsFile } from './hosts.ts';
import { coverAll, coverFile } from './in-place-mounts.ts';
import type { InPlaceStep } from './in-place-step.ts';
import { lstatIfThere, makeFolders, resolveInRoot } from './in-root.ts';
import { launch } from './launch.ts';
import { effectiveCapabilities, hardLimits } from './machine.ts';
import { resolvConf } from './resolv.ts';
import { check, undoAll } from './run-step.ts';
import { secretsFor } from './secret-env.ts';
import { specRlimits } from './spec.ts';
import { keepingTimes } from './stubs.ts';
import { openTerminal, type Terminal } from './terminal.ts';
import type { ExecutorReport } from './executor.ts';
import type { Process, ProcessIo } from './process.ts';
import type { RunningProcesses } from './running-processes.ts';
import type { Mount } from '../tree/index.ts';
import type { OpenExecutor } from './create-executor.ts';

export interface InPlaceExecutorOptions {
  /** A folder of its own, on the roots' file system if that can be. */
  readonly folder: string;
  /** How this program is started to become a step: `stepMain`. */
  readonly step: { readonly command: string; readonly args: readonly string[] };
  /** `in place`: the only root is this process's own. `chroot`: roots are folders. */
  readonly how: 'in place' | 'chroot';
  readonly random: Random;
}

/** What a process needs to run steps for any user on files of any. */
const NEEDED = ['CAP_CHOWN', 'CAP_DAC_OVERRIDE', 'CAP_FOWNER', 'CAP_SETGID', 'CAP_SETUID', 'CAP_KILL'];

/** Why steps cannot be run without namespaces here; undefined when they can. */
export function inPlaceHindrance(how: 'in place' | 'chroot'): string | undefined {
  if (process.geteuid?.() !== 0) return 'not root';
  const has = new Set(effectiveCapabilities());
  const missing = [...NEEDED, ...(how === 'chroot' ? ['CAP_SYS_CHROOT'] : [])].filter((name) => !has.has(name));
  return missing.length === 0 ? undefined : `without ${missing.join(', ')}`;
}

/**
 * Runs steps as ordinary child processes of this one, in its own root or in a folder by chroot(2): for containers that may not mount and not make namespaces. A step sees this container's processes, network, /proc and /sys. When it ends, all it
 * has started is killed: what lost its parent falls to this process, which makes itself their reaper.
 */
export function createInPlaceExecutor(o: InPlaceExecutorOptions): OpenExecutor {
  const hindrance = inPlaceHindrance(o.how);
  if (hindrance !== undefined)
    throw execError('EXECUTOR_UNAVAILABLE', `run steps ${o.how === 'chroot' ? 'by chroot' : 'in place'}: ${hindrance}`);
  rmSync(o.folder, { recursive: true, force: true });
  mkdirSync(o.folder, { recursive: true, mode: 0o711 });
  sys.adoptOrphans();
  // Before the first step takes them away.
  const names = resolvConf({ hostNetwork: true });
  const turns = new Semaphore(1);
  const terminals = new Map<string, Terminal>();
  return {
    report: reportOf(o.how),
    running: { ...NONE, resize: async (id, size) => terminals.get(id)?.resize(size) },
    run: async (process, options) => {
      // One at a time: whose a process is that has lost its parent, nobody could tell.
      using _ = await turns.take(options);
      return await runInPlace(process, { ...options, ...o, names, terminals });
    },
    look: (_, { path }) =>
      Promise.reject(execError('STEP_UNSUPPORTED', `look at "${path}": roots are not mounted on this ground`)),
    [Symbol.asyncDispose]: async () => rmSync(o.folder, { recursive: true, force: true }),
  };
}

function reportOf(how: InPlaceExecutorOptions['how']): ExecutorReport {
  const lacks = [
    'Steps share this container’s processes, network, host name and limits, and nothing keeps them from strake’s own files: build only what you trust.',
    ...(how === 'chroot' ? ['Steps find /proc and /sys empty.'] : []),
  ];
  return {
    name: how,
    seccomp: /^Seccomp:\s*2/m.test(readFileSync('/proc/self/status', 'latin1')),
    devicesCgroup: false,
    capabilities: effectiveCapabilities().length < ALL_CAPABILITIES,
    ids: 'root',
    network: 'host',
    networks: ['default', 'host'],
    lacks,
  };
}

const ALL_CAPABILITIES = capabilitiesOf('1ffffffffff').length;

async function runInPlace(
  process: Process,
  o: InPlaceExecutorOptions & {
    readonly root: readonly Mount[];
    readonly io: ProcessIo;
    readonly names: string;
    readonly terminals: Map<string, Terminal>;
  } & Wait,
): Promise<number> {
  throwIfCancelled(o);
  check(process, { rootless: undefined });
  checkPossible(process);
  const root = rootOf(o.root);
  const undo: (() => void)[] = [];
  const folder = join(o.folder, process.id);
  try {
    mkdirSync(folder, { mode: 0o700 });
    undo.push(() => rmSync(folder, { recursive: true, force: true }));
    const covering = { root, folder, undo, io: o.io };
    if (o.how === 'chroot') makeDevices(root, undo);
    if (!isMounted('/etc/resolv.conf') || root !== '/')
      coverFile('/etc/resolv.conf', o.names, { ...covering, name: 'resolv' });
    if (!isMounted('/etc/hosts') || root !== '/')
      coverFile('/etc/hosts', hostsFile(process), { ...covering, name: 'hosts' });
    coverAll(process.mounts, covering);
    makeFolders(root, resolveInRoot(root, process.cwd), process.user);
    const spec = join(folder, 'step.json');
    writeFileSync(spec, JSON.stringify(stepOf(process, root)), { mode: 0o600, flag: 'wx' });
    const aside = join(folder, 'failure');
    const before = new Set(descendantsOf(globalThis.process.pid));
    let own = 0;
    const terminal = process.terminal && openTerminal(process.terminal, { raw: false });
    if (terminal) {
      fchownSync(terminal.fd, process.user.uid, -1);
      o.terminals.set(process.id, terminal);
      undo.push(() => {
        o.terminals.delete(process.id);
        terminal.close();
      });
    }
    const code = await launch(
      { file: o.step.command, args: [...o.step.args, spec], env: secretsFor(process), aside, terminal },
      {
        folder,
        io: o.io,
        signal: o.signal,
        onStart: (pid) => void (own = pid),
        onEnd: () => endStrays(before, own),
        kill: ({ pid }) => {
          if (pid !== undefined) killTree(pid);
        },
      },
    );
    const failure = readFileSync(aside, 'utf8').trim();
    if (failure !== '' && code !== 0)
      throw execError('RUNTIME_FAILED', `start "${process.args[0] ?? ''}" in place: ${failure.split('\n').at(-1)}`);
    return code;
  } finally {
    undoAll(undo);
  }
}

function checkPossible(process: Process): void {
  const wants =
    process.security === 'insecure'
      ? 'all privileges'
      : process.network === 'none'
        ? 'a network of its own'
        : (process.ports ?? []).length > 0
          ? 'ports of its own'
          : process.readonlyRoot === true
            ? 'a root that cannot be written to'
            : process.limits !== undefined
              ? 'limits of its own'
              : process.privileges !== undefined
                ? 'capabilities of its own'
                : undefined;
  if (wants === undefined) return;
  throw execError('STEP_UNSUPPORTED', `run "${process.args[0] ?? ''}" in place: it asks for ${wants}`, {
    remedy: 'Run strake where it may make namespaces: "strake doctor" says what it lacks.',
  });
}

function rootOf(mounts: readonly Mount[]): string {
  const [only, ...more] = mounts;
  if (only?.type === 'bind' && more.length === 0) return only.source;
  throw execError('STEP_UNSUPPORTED', 'run a process in place: its root would have to be mounted');
}

function stepOf(process: Process, root: string): InPlaceStep {
  const limits = specRlimits(process, hardLimits()).map(({ type, soft, hard }) => {
    const resource = RESOURCES.indexOf(type.slice('RLIMIT_'.length).toLowerCase());
    if (resource < 0) throw execError('STEP_INVALID', `limit a process: there is no limit "${type}"`);
    return { resource, soft: soft === Infinity ? -1 : soft, hard: hard === Infinity ? -1 : hard };
  });
  const { args, cwd, user } = process;
  return { parent: globalThis.process.pid, root, cwd, user, limits, args, env: environment(process, root) };
}

/** By their numbers (getrlimit(2), x86-64 and arm64). */
const RESOURCES =
  'cpu fsize data stack core rss nproc nofile memlock as locks sigpending msgqueue nice rtprio rttime'.split(' ');

/** Kills and reaps what a step has left running. It has sessions of its own; this process's helpers share this one's. */
async function endStrays(before: ReadonlySet<number>, step: number): Promise<void> {
  const self = globalThis.process.pid;
  const session = statOf(self)?.session;
  for (;;) {
    const strays = descendantsOf(self).filter(
      (pid) => pid !== step && !before.has(pid) && statOf(pid)?.session !== session,
    );
    if (strays.length === 0) return;
    for (const pid of strays) signal(pid, 'SIGKILL');
    for (const pid of strays) if (statOf(pid)?.parent === self) sys.reap(pid);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

function statOf(pid: number): { readonly parent: number; readonly session: number } | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'latin1');
    const [, parent, , session] = text.slice(text.lastIndexOf(')') + 2).split(' ');
    return { parent: Number(parent), session: Number(session) };
  } catch (error) {
    if (hasErrno(error, 'ENOENT', 'ESRCH')) return undefined;
    throw error;
  }
}

function isMounted(path: string): boolean {
  return readFileSync('/proc/self/mountinfo', 'latin1')
    .split('\n')
    .some((line) => line.split(' ')[4] === path);
}

const DEVICES = { null: [1, 3], zero: [1, 5], full: [1, 7], random: [1, 8], urandom: [1, 9], tty: [5, 0] } as const;

/** A root's /dev while a step runs, as far as nodes can be made. */
function makeDevices(root: string, undo: (() => void)[]): void {
  const place = resolveInRoot(root, '/dev');
  const dev = join(root, ...place.exists, ...place.missing);
  const within = (change: () => void): void => keepingTimes(root, change);
  const made: string[] = [];
  const make = (name: string, how: (path: string) => void): void => {
    const path = join(dev, name);
    if (lstatIfThere(path)) return;
    keepingTimes(dev, () => how(path));
    made.push(path);
  };
  if (!lstatIfThere(dev)) {
    within(() => mkdirSync(dev));
    chmodSync(dev, 0o755);
    undo.push(() => within(() => rmSync(dev, { recursive: true, force: true })));
  }
  undo.push(() => {
    for (const path of made) keepingTimes(dev, () => rmSync(path, { recursive: true, force: true }));
  });
  for (const [name, [major, minor]] of Object.entries(DEVICES))
    make(name, (path) => {
      sys.mknod(path, 0o020666, { major, minor });
      chmodSync(path, 0o666);
    });
  make('shm', (path) => {
    mkdirSync(path);
    chmodSync(path, 0o1777);
  });
  for (const [name, target] of [
    ['fd', '/proc/self/fd'],
    ['stdin', '/proc/self/fd/0'],
    ['stdout', '/proc/self/fd/1'],
    ['stderr', '/proc/self/fd/2'],
  ] as const)
    make(name, (path) => symlinkSync(target, path));
}

/** Nobody else can be let into a step's root here. */
const NONE: RunningProcesses = {
  signal: async () => 'absent',
  resize: async () => undefined,
  listening: async () => [],
  join: async (id, process) => {
    throw execError('PROCESS_ABSENT', `run "${process.args[0] ?? ''}" in "${id}": it does not run`);
  },
};
