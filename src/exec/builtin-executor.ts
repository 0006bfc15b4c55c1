import { chownSync, existsSync, mkdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { mountAll, sys, type MountSpec } from '../base/index.ts';
import { capabilitiesFor } from './capabilities.ts';
import { environment } from './environment.ts';
import { execError } from './errors.ts';
import { fstab, type FstabEntry } from './fstab.ts';
import { makeFolders, resolveInRoot } from './in-root.ts';
import { enclosed, type Command } from './launch.ts';
import { effectiveCapabilities, hardLimits } from './machine.ts';
import { mountFlags } from './step-mounts.ts';
import { checkNames, nameOf, secretsFor } from './secret-env.ts';
import { MASKED_PATHS, READONLY_PATHS, specRlimits } from './spec.ts';
import { StarterPrograms } from './starter-programs.ts';
import { openTerminal } from './terminal.ts';
import type { Process, ProcessIo } from './process.ts';
import type { Driver, Step } from './run-step.ts';
import type { Place } from './running.ts';
import type { JoiningProcess } from './running-processes.ts';
import type { MountPoint } from './stubs.ts';
import { refuseLimits } from './refuse-limits.ts';

export interface BuiltinTools {
  readonly setpriv: string;
  readonly unshare: string;
  readonly sh: string;
  readonly nsenter: string;
  readonly prlimit: string;
  readonly setsid: string;
  /** Brings the loopback interface of an empty network up; without it, it stays down. */
  readonly ip: string | undefined;
  /** The folder that `makeToolRoot` made with `BUILTIN_PROGRAMS`. */
  readonly root: string;
}

/** What a step's start needs inside its own mount namespace. */
export const BUILTIN_PROGRAMS: readonly string[] = ['umount', 'setpriv', 'env', 'unshare'];

/**
 * Runs steps with util-linux alone. This process mounts what it can in the step's root (a system call each); a small script does what needs the new namespaces: proc, sys, mqueue and the masked paths by one `mount -a`, pivot_root into
 * the tool root, the machine's root unmounted; `setpriv` and `unshare` then leave only the step's capabilities, ids, root and folder.
 */
export class BuiltinDriver implements Driver {
  readonly points: readonly MountPoint[];
  readonly nodev: boolean;
  readonly depth = 1;
  readonly #starters: StarterPrograms;
  readonly #tools: BuiltinTools;
  readonly #rootless: 'range' | 'single' | undefined;
  readonly #limits = hardLimits();
  readonly #capabilities = effectiveCapabilities();

  constructor(tools: BuiltinTools, rootless: 'range' | 'single' | undefined) {
    this.#tools = tools;
    const { setpriv, unshare, sh, setsid } = tools;
    const inside = BUILTIN_PROGRAMS.map((name) => join(tools.root, 'bin', name));
    this.#starters = new StarterPrograms([setpriv, unshare, sh, setsid, ...inside]);
    this.#rootless = rootless;
    this.nodev = rootless === undefined;
    const folders = ['/proc', '/dev', ...(rootless === undefined ? ['/sys'] : [])];
    this.points = folders.map((target) => ({ target, kind: 'folder' }));
  }

  start(step: Step, undo: (() => void)[]): Command {
    const { process } = step;
    checkNames(process);
    refuseLimits(process);
    const tools = join(step.folder, 'tools');
    const root = join(tools, 'rootfs');
    mkdirSync(tools);
    sys.mount(this.#tools.root, tools, { flags: sys.MS.BIND });
    // All that is mounted on this second view of the root goes with it, at once.
    undo.push(() => sys.umount(tools, sys.MNT_DETACH));
    sys.mount('none', tools, { flags: sys.MS.BIND | sys.MS.REMOUNT | sys.MS.RDONLY });
    sys.mount(step.rootfs, root, { flags: sys.MS.BIND | sys.MS.REC });
    const mount = (mounts: readonly MountSpec[]): void => void mountAll(mounts, root);
    mountDevices(step, { root, mount, single: this.#rootless === 'single' });
    const bound = ['bind', 'ro', 'nosuid', 'noexec', 'nodev'];
    mount([
      { type: 'bind', source: step.resolvConf, target: '/etc/resolv.conf', options: bound },
      { type: 'bind', source: step.hosts, target: '/etc/hosts', options: bound },
    ]);
    for (const prepared of step.mounts) {
      const { type, source, options } = prepared.spec;
      makePoint(root, prepared);
      mount([{ type, source, target: prepared.target, options: [...options, 'nodev'] }]);
    }
    makeFolders(root, resolveInRoot(root, process.cwd), process.user);
    const terminal =
      process.terminal && openTerminal(process.terminal, { ptmx: join(root, 'dev/pts/ptmx'), raw: false });
    if (terminal) {
      undo.push(() => terminal.close());
      writeFileSync(join(root, 'dev/console'), '');
      mount([{ type: 'bind', source: join(root, 'dev/pts/0'), target: '/dev/console', options: ['bind'] }]);
      chownSync(join(root, 'dev/pts/0'), process.user.uid, -1);
    }
    if (process.readonlyRoot === true) makeReadonly(root);
    writeFileSync(join(step.folder, 'fstab'), fstab(this.#insideMounts(step, tools)));
    const { kind } = step.network;
    const up = kind === 'empty' ? (this.#tools.ip ?? '') : '';
    const { file, args } = this.#prefix(step);
    if (terminal) args.push(this.#tools.setsid, '--ctty');
    args.push(this.#tools.sh, '-c', SCRIPT, 'sh');
    args.push(process.hostname, join(step.folder, 'fstab'), tools, up);
    args.push(...this.#inside(step));
    return {
      file,
      args,
      aside: join(step.folder, FAILURE),
      terminal,
      env: { PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', ...secretsFor(process) },
    };
  }

  exit(step: Step, o: { code: number }): number {
    const failure = readFileSync(join(step.folder, FAILURE), 'utf8').trim();
    if (KILLED.test(failure)) return 137;
    if (failure !== '' && o.code !== 0)
      throw execError('RUNTIME_FAILED', `start "${step.process.args[0] ?? ''}" by unshare: ${failure}`);
    return o.code;
  }

  killed(): void {}

  isStarting(pid: number): boolean {
    return this.#starters.has(pid);
  }

  /** From outside into its namespaces, whose root is the tool root, and on from there as the process itself. */
  join(step: Step, process: JoiningProcess, o: { readonly place: Place }): Command {
    const { setpriv, nsenter } = this.#tools;
    const spaces = ['--mount', '--uts', '--ipc', '--net', '--pid'];
    const enter = ['--pdeathsig', 'KILL', nsenter, `--target=${o.place.process}`, ...spaces];
    checkNames(process);
    const { secretEnv, security = 'sandbox' } = process;
    const joined: Step = { ...step, process: { ...step.process, ...process, security, secretEnv } };
    // The namespaces' root has no terminal of the machine's: one of the process's own devpts would have to be opened there.
    if (process.terminal)
      throw execError(
        'STEP_UNSUPPORTED',
        'run a process with a terminal beside another: not supported by the built-in executor',
        {
          remedy: 'Install crun or runc.',
        },
      );
    // By a shell out here: the tool root has none.
    const unpacked = secretEnv && secretEnv.length > 0 ? [this.#tools.sh, '-c', UNPACK, 'sh'] : [];
    const [pdeathsig = '', kill = '', ...into] = enter;
    const args = [pdeathsig, kill, ...unpacked, ...into, ...this.#inside(joined)];
    return { file: setpriv, args, env: secretsFor(process) };
  }

  joinExit(_: JoiningProcess, o: { code: number; folder: string; io: ProcessIo }): number {
    return o.code;
  }

  /** Up to the script: limits, death with this process, the network and the namespaces. */
  #prefix(step: Step): { file: string; args: string[] } {
    const { network } = step;
    const limits = specRlimits(step.process, this.#limits).map(({ type, soft, hard }) => {
      const text = (n: number): string => (n === Infinity ? 'unlimited' : String(n));
      return `--${type.slice('RLIMIT_'.length).toLowerCase()}=${text(soft)}:${text(hard)}`;
    });
    const namespaces = ['--ipc', '--uts', ...(network.kind === 'empty' ? ['--net'] : [])];
    const all = enclosed(this.#tools, namespaces);
    if (network.kind === 'path') all.unshift(this.#tools.nsenter, `--net=${network.path}`);
    if (limits.length > 0) all.unshift(this.#tools.prlimit, ...limits);
    return { file: all[0]!, args: all.slice(1) };
  }

  /** What is mounted in the new namespaces. */
  #insideMounts(step: Step, tools: string): FstabEntry[] {
    const root = join(tools, 'rootfs');
    const quiet = ['nosuid', 'noexec', 'nodev'];
    const at = (type: string, target: string, options: readonly string[]): FstabEntry => ({
      source: type,
      target,
      type,
      options,
    });
    const insecure = step.process.security === 'insecure';
    const own = new Set(step.mounts.map((mount) => mount.target));
    const entries = [
      at('proc', join(root, 'proc'), quiet),
      at('proc', join(tools, 'proc'), quiet),
      at('mqueue', join(root, 'dev/mqueue'), quiet),
    ];
    if (this.#rootless === undefined && !own.has('/sys'))
      entries.push(at('sysfs', join(root, 'sys'), [...quiet, insecure ? 'rw' : 'ro']));
    if (insecure || step.process.privileges?.openSystemPaths === true) return entries;
    const seen = (path: string): boolean =>
      existsSync(path) && (this.#rootless === undefined || path.startsWith('/proc'));
    for (const path of MASKED_PATHS.filter(seen))
      entries.push(
        statSync(path).isDirectory()
          ? at('tmpfs', join(root, path), ['ro', 'size=0'])
          : { source: '/dev/null', target: join(root, path), type: 'none', options: ['bind'] },
      );
    for (const path of READONLY_PATHS.filter(seen))
      entries.push({
        source: join(root, path),
        target: join(root, path),
        type: 'none',
        options: ['bind', 'ro', ...quiet],
      });
    return entries;
  }

  /** From the tool root on: capabilities, groups, the exact environment, root, folder, user. */
  #inside(step: Step): string[] {
    const { user, args, cwd, security, privileges: wanted } = step.process;
    const privileges: string[] = ['--inh-caps=-all'];
    if (security !== 'insecure' || wanted !== undefined) {
      const all = capabilitiesFor(step.process, this.#capabilities);
      const needed = ['CAP_SYS_CHROOT', ...(user.uid === 0 ? [] : ['CAP_SETUID'])].find((name) => !all.includes(name));
      if (needed !== undefined)
        throw execError(
          'STEP_UNSUPPORTED',
          `run "${args[0] ?? ''}" without ${needed}: the built-in executor starts processes by it`,
          { remedy: 'Install crun or runc, or leave it to the process.' },
        );
      const given = all.map((name) => `,+${name.slice(4).toLowerCase()}`);
      privileges.push(`--bounding-set=-all${given.join('')}`);
    }
    if (wanted?.noNewPrivileges === true) privileges.push('--no-new-privs');
    if (this.#rootless !== 'single')
      privileges.push(
        `--regid=${user.gid}`,
        ...(user.additionalGids.length > 0 ? [`--groups=${user.additionalGids.join(',')}`] : ['--clear-groups']),
      );
    return [
      '/bin/setpriv',
      ...privileges,
      '/bin/env',
      ...cleared(step.process),
      ...environment(step.process, step.rootfs),
      '/bin/unshare',
      '--root=/rootfs',
      `--wd=${cwd}`,
      ...(user.uid === 0 ? [] : [`--setuid=${user.uid}`]),
      '--',
      ...args,
    ];
  }
}

const FAILURE = 'failure';
/** Sets the secret variables that came under other names (`secretsFor`); the rest is run. */
const UNPACK = `i=0
while eval "[ -n \\"\\\${STRAKE_SECRET_$i+x}\\" ]"; do
  eval "export \\"\\$STRAKE_SECRET_$i\\"; unset STRAKE_SECRET_$i"
  i=$((i + 1))
done
exec "$@"
`;
/** $1 host name, $2 fstab, $3 tool root, $4 `ip` or nothing; the rest is run. Descriptor 9 is for what goes wrong. */
const SCRIPT = `exec 9>&2 2>&3 3>&-
fail() { echo "$1" >&9; exit 125; }
umask 022
echo "$1" 2>/dev/null >/proc/sys/kernel/hostname || hostname "$1" 2>&9 || fail 'set the host name'
mount -a -T "$2" 2>&9 || fail 'mount in the new namespaces'
if [ -n "$4" ]; then "$4" link set lo up 2>&9 || fail 'bring loopback up'; fi
cd "$3" && pivot_root . old 2>&9 || fail 'change the root'
umount -l /old /proc 2>&9 || fail 'leave the old root'
shift 4
exec 9>&-
${UNPACK}`;

/** How `env` drops what the script's own environment was. */
function cleared({ secretEnv = [] }: Process): string[] {
  if (secretEnv.length === 0) return ['-i'];
  const kept = new Set(secretEnv.map(nameOf));
  return SHELL_VARIABLES.filter((name) => !kept.has(name)).map((name) => `--unset=${name}`);
}

const SHELL_VARIABLES = ['PATH', 'PWD', 'OLDPWD', 'SHLVL', '_'];
/** unshare of util-linux 2.38 says this, and exits with 1, when its child was killed by SIGKILL. */
const KILLED = /^unshare: sigprocmask unblock failed/m;

const DEVICES = ['null', 'zero', 'full', 'random', 'urandom', 'tty'];

/** The step's /dev: the machine's harmless devices bound into a tmpfs on which no other device can be opened. */
function mountDevices(
  step: Step,
  o: { readonly root: string; readonly mount: (mounts: readonly MountSpec[]) => void; readonly single: boolean },
): void {
  const dev = join(o.root, 'dev');
  const insecure = step.process.security === 'insecure';
  o.mount([
    {
      type: 'tmpfs',
      source: 'tmpfs',
      target: '/dev',
      options: ['nosuid', 'nodev', 'strictatime', 'mode=755', 'size=65536k'],
    },
  ]);
  for (const name of ['pts', 'shm', 'mqueue']) mkdirSync(join(dev, name), { mode: 0o755 });
  for (const [name, target] of [
    ['fd', '/proc/self/fd'],
    ['stdin', '/proc/self/fd/0'],
    ['stdout', '/proc/self/fd/1'],
    ['stderr', '/proc/self/fd/2'],
    ['ptmx', 'pts/ptmx'],
  ] as const)
    symlinkSync(target, join(dev, name));
  const shm = step.process.shmSize > 0 ? String(step.process.shmSize) : '65536k';
  const pts = ['nosuid', 'noexec', 'newinstance', 'ptmxmode=0666', 'mode=0620', ...(o.single ? [] : ['gid=5'])];
  o.mount([
    { type: 'devpts', source: 'devpts', target: '/dev/pts', options: pts },
    {
      type: 'tmpfs',
      source: 'shm',
      target: '/dev/shm',
      options: ['nosuid', 'noexec', 'nodev', 'mode=1777', `size=${shm}`],
    },
  ]);
  for (const name of [...DEVICES, ...(insecure ? ['kmsg', 'fuse', 'kvm', 'loop-control'] : [])]) {
    const device = `/dev/${name}`;
    if (!existsSync(device)) continue;
    writeFileSync(join(dev, name), '');
    o.mount([{ type: 'bind', source: device, target: device, options: ['bind'] }]);
  }
}

/** The root itself, not what is mounted on it. */
function makeReadonly(root: string): void {
  const kept = mountFlags(root).map((flag) => KEPT[flag] ?? 0);
  const flags = kept.reduce((all, flag) => all | flag, sys.MS.BIND | sys.MS.REMOUNT | sys.MS.RDONLY);
  sys.mount('none', root, { flags });
}

/** Flags that a remount of a bind would take away, which a user namespace may not. */
const KEPT: Readonly<Record<string, number>> = {
  nosuid: sys.MS.NOSUID,
  nodev: sys.MS.NODEV,
  noexec: sys.MS.NOEXEC,
  noatime: sys.MS.NOATIME,
  relatime: sys.MS.RELATIME,
};

/** A mount point inside what is mounted already. */
function makePoint(root: string, point: MountPoint): void {
  const place = resolveInRoot(root, point.target);
  if (place.missing.length === 0) return;
  if (point.kind === 'folder') makeFolders(root, place);
  else {
    const parent = makeFolders(root, { exists: place.exists, missing: place.missing.slice(0, -1) });
    writeFileSync(join(parent, place.missing.at(-1)!), '');
  }
}
