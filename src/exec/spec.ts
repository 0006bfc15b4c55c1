import { capabilitiesFor } from './capabilities.ts';
import { plainEnv } from './secret-env.ts';
import { defaultSeccomp, type Seccomp } from './seccomp.ts';
import type { Process, ProcessLimits } from './process.ts';

/** OCI runtime configuration (runtime-spec config.md), as far as steps use it. */
export interface RuntimeSpec {
  readonly ociVersion: string;
  readonly process: SpecProcess;
  readonly root: { readonly path: string; readonly readonly: boolean };
  readonly hostname: string;
  readonly mounts: readonly SpecMount[];
  readonly linux: {
    readonly resources?: SpecResources | undefined;
    readonly cgroupsPath?: string | undefined;
    readonly namespaces: readonly { readonly type: string; readonly path?: string }[];
    readonly devices?: readonly SpecDevice[] | undefined;
    readonly seccomp?: Seccomp | undefined;
    readonly maskedPaths: readonly string[];
    readonly readonlyPaths: readonly string[];
  };
}

interface SpecResources {
  readonly devices: readonly DeviceRule[];
  readonly pids?: { readonly limit: number } | undefined;
  readonly memory?: { readonly limit?: number | undefined; readonly swap?: number | undefined } | undefined;
  readonly cpu?:
    | {
        readonly shares?: number | undefined;
        readonly period?: number | undefined;
        readonly quota?: number | undefined;
        readonly cpus?: string | undefined;
        readonly mems?: string | undefined;
      }
    | undefined;
}

export interface SpecProcess {
  readonly terminal: boolean;
  readonly consoleSize?: { readonly height: number; readonly width: number } | undefined;
  readonly user: { readonly uid: number; readonly gid: number; readonly additionalGids?: readonly number[] };
  readonly args: readonly string[];
  readonly env: readonly string[];
  readonly cwd: string;
  readonly capabilities: Readonly<Record<string, readonly string[]>>;
  readonly rlimits?: readonly Rlimit[] | undefined;
  readonly noNewPrivileges: boolean;
}

/** `Infinity` is no limit; `specJson` writes it as the runtimes want it. */
export interface Rlimit {
  readonly type: string;
  readonly soft: number;
  readonly hard: number;
}

export interface SpecMount {
  readonly destination: string;
  readonly type: string;
  readonly source: string;
  readonly options: readonly string[];
}

interface DeviceRule {
  readonly allow: boolean;
  readonly type?: string;
  readonly access: string;
}

interface SpecDevice {
  readonly path: string;
  readonly type: 'c' | 'b';
  readonly major: number;
  readonly minor: number;
}

export interface SpecOptions {
  readonly rootfs: string;
  /** Files of this machine that the step sees as /etc/resolv.conf and /etc/hosts. */
  readonly resolvConf: string;
  readonly hosts: string;
  /** The process's own mounts, ready to use. */
  readonly mounts: readonly SpecMount[];
  readonly network: SpecNetwork;
  /** None leaves cgroups to the runtime's default. */
  readonly cgroupsPath?: string | undefined;
  /** The machine has the unified hierarchy at /sys/fs/cgroup. */
  readonly cgroup2: boolean;
  /** Off where the kernel has no seccomp. */
  readonly seccomp: boolean;
  /** Hard limits of this process by name (`nofile`). */
  readonly hardLimits: ReadonlyMap<string, number>;
  /** What an insecure step gets: all that this process has. */
  readonly allCapabilities: readonly string[];
  /** The runtime is called inside a user namespace. */
  readonly rootless?: 'range' | 'single' | undefined;
  /** For an insecure step: the loop devices to show, from 0. */
  readonly loopDevices?: number | undefined;
}

/** The host's network, an empty one of its own, or one that is ready at a path. */
export type SpecNetwork =
  | { readonly kind: 'host' }
  | { readonly kind: 'empty' }
  | { readonly kind: 'path'; readonly path: string };

/**
 * The runtime configuration that BuildKit gives to a build step (executor/oci of 2026-08 with containerd's defaults), rootless conversion and insecure mode included. One thing differs: a limit above this process's own hard
 * limit is lowered to it, because the runtime would fail to set it.
 */
export function runtimeSpec(process: Process, o: SpecOptions): RuntimeSpec {
  const insecure = process.security === 'insecure';
  const inUserNamespace = o.rootless !== undefined;
  const { noSeccomp, openSystemPaths } = process.privileges ?? {};
  const open = insecure || openSystemPaths === true;
  const capabilities = capabilitiesFor(process, o.allCapabilities);
  return {
    ociVersion: '1.0.2',
    process: specProcess(process, o),
    root: { path: o.rootfs, readonly: process.readonlyRoot === true },
    hostname: process.hostname,
    mounts: specMounts(process, o),
    linux: {
      ...(inUserNamespace
        ? {}
        : {
            resources: { devices: insecure ? ALL_DEVICES : NO_DEVICES, ...specLimits(process.limits) },
            ...(o.cgroupsPath === undefined ? {} : { cgroupsPath: o.cgroupsPath }),
          }),
      namespaces: namespaces(o),
      ...(insecure && !inUserNamespace ? { devices: insecureDevices(o.loopDevices ?? 0) } : {}),
      ...(insecure || noSeccomp === true || !o.seccomp ? {} : { seccomp: defaultSeccomp({ capabilities }) }),
      maskedPaths: open ? [] : MASKED_PATHS,
      readonlyPaths: open ? [] : READONLY_PATHS,
    },
  };
}

/** Memory and CPU as config-linux.md has them. */
function specLimits(limits: ProcessLimits | undefined): Omit<SpecResources, 'devices'> {
  if (limits === undefined) return {};
  const { memory, memorySwap, cpuShares, cpuPeriod, cpuQuota, cpusetCpus, cpusetMems, pids } = limits;
  const cpu = { shares: cpuShares, period: cpuPeriod, quota: cpuQuota, cpus: cpusetCpus, mems: cpusetMems };
  return {
    ...(pids === undefined ? {} : { pids: { limit: pids } }),
    ...(memory === undefined && memorySwap === undefined ? {} : { memory: { limit: memory, swap: memorySwap } }),
    ...(Object.values(cpu).every((value) => value === undefined) ? {} : { cpu }),
  };
}

/** The configuration as the runtimes read it: RLIM_INFINITY is a number that JavaScript cannot hold. */
export function specJson(spec: RuntimeSpec | SpecProcess): string {
  const infinity = (JSON as unknown as { rawJSON(text: string): unknown }).rawJSON('18446744073709551615');
  return JSON.stringify(spec, (_, value: unknown) => (value === Infinity ? infinity : value));
}

/** Kernel files that would tell a step about the machine (containerd pkg/oci and moby's GHSA-6fw5-f8r9-fgfm). */
export const MASKED_PATHS: readonly string[] = [
  '/proc/acpi',
  '/proc/asound',
  '/proc/interrupts',
  '/proc/kcore',
  '/proc/keys',
  '/proc/latency_stats',
  '/proc/timer_list',
  '/proc/timer_stats',
  '/proc/sched_debug',
  '/proc/scsi',
  '/sys/firmware',
  '/sys/devices/virtual/powercap',
];

export const READONLY_PATHS: readonly string[] = [
  '/proc/bus',
  '/proc/fs',
  '/proc/irq',
  '/proc/sys',
  '/proc/sysrq-trigger',
];

const ALL_DEVICES: readonly DeviceRule[] = [
  { allow: true, type: 'c', access: 'rwm' },
  { allow: true, type: 'b', access: 'rwm' },
];
/** The runtime allows the standard ones itself. */
const NO_DEVICES: readonly DeviceRule[] = [{ allow: false, access: 'rwm' }];

/** What a process is to a runtime; for one that joins another, too. */
export function specProcess(
  process: Pick<Process, 'args' | 'env' | 'cwd' | 'user' | 'terminal'> &
    Partial<Pick<Process, 'secretEnv' | 'security' | 'privileges' | 'ulimits'>>,
  o: Pick<SpecOptions, 'allCapabilities' | 'hardLimits'>,
): SpecProcess {
  const insecure = process.security === 'insecure';
  const capabilities = capabilitiesFor(process, o.allCapabilities);
  const { uid, gid, additionalGids } = process.user;
  const rlimits = specRlimits(process, o.hardLimits);
  return {
    terminal: process.terminal !== undefined,
    ...(process.terminal ? { consoleSize: { height: process.terminal.rows, width: process.terminal.columns } } : {}),
    user: { uid, gid, ...(additionalGids.length === 0 ? {} : { additionalGids }) },
    args: process.args,
    env: [...plainEnv(process), ...(process.secretEnv ?? [])],
    cwd: process.cwd,
    capabilities: {
      bounding: capabilities,
      permitted: capabilities,
      effective: capabilities,
      ...(insecure ? { inheritable: capabilities, ambient: capabilities } : {}),
    },
    ...(rlimits.length === 0 ? {} : { rlimits }),
    noNewPrivileges: process.privileges?.noNewPrivileges === true,
  };
}

/** One that joins another has what that one has, and no more. */
export function withPrivileges<T extends object>(
  process: T,
  beside: Pick<Process, 'security' | 'privileges' | 'ulimits'> | undefined,
): T & Partial<Pick<Process, 'security' | 'privileges' | 'ulimits'>> {
  if (!beside) return process;
  const { security, privileges, ulimits } = beside;
  return { ...process, security, privileges, ulimits };
}

/** A process's limits in the kernel's names, -1 as `Infinity`, none above this process's own hard limit. */
export function specRlimits(
  process: Partial<Pick<Process, 'ulimits'>>,
  hardLimits: ReadonlyMap<string, number>,
): Rlimit[] {
  return (process.ulimits ?? []).map(({ name, soft, hard }) => {
    const most = hardLimits.get(name.toLowerCase()) ?? Infinity;
    const highest = Math.min(hard < 0 ? Infinity : hard, most);
    return {
      type: `RLIMIT_${name.toUpperCase()}`,
      soft: Math.min(soft < 0 ? Infinity : soft, highest),
      hard: highest,
    };
  });
}

function namespaces(o: SpecOptions): { type: string; path?: string }[] {
  const { network } = o;
  return [
    { type: 'pid' },
    { type: 'ipc' },
    { type: 'uts' },
    { type: 'mount' },
    ...(network.kind === 'host'
      ? []
      : [network.kind === 'path' ? { type: 'network', path: network.path } : { type: 'network' }]),
    ...(o.cgroup2 && o.rootless === undefined ? [{ type: 'cgroup' }] : []),
  ];
}

function specMounts(process: Process, o: SpecOptions): SpecMount[] {
  const writable = process.security === 'insecure' ? 'rw' : 'ro';
  const bound = ['nosuid', 'noexec', 'nodev', 'rbind', 'ro'];
  const devpts = ['nosuid', 'noexec', 'newinstance', 'ptmxmode=0666', 'mode=0620'];
  const mounts: SpecMount[] = [
    mount('/proc', 'proc', 'proc', ['nosuid', 'noexec', 'nodev']),
    mount('/dev', 'tmpfs', 'tmpfs', ['nosuid', 'strictatime', 'mode=755', 'size=65536k']),
    // Group 5 (tty) is not mapped where there is one id only.
    mount('/dev/pts', 'devpts', 'devpts', o.rootless === 'single' ? devpts : [...devpts, 'gid=5']),
    mount('/dev/shm', 'tmpfs', 'shm', ['nosuid', 'noexec', 'nodev', 'mode=1777', `size=${shmSize(process)}`]),
    mount('/dev/mqueue', 'mqueue', 'mqueue', ['nosuid', 'noexec', 'nodev']),
    mount('/sys', 'sysfs', 'sysfs', ['nosuid', 'noexec', 'nodev', writable]),
    mount('/etc/resolv.conf', 'bind', o.resolvConf, bound),
    mount('/etc/hosts', 'bind', o.hosts, bound),
    mount('/sys/fs/cgroup', 'cgroup', 'cgroup', [writable, 'nosuid', 'noexec', 'nodev']),
    ...o.mounts,
  ];
  const kept = o.rootless === undefined ? mounts : mounts.filter((m) => !/^\/sys(\/|$)/.test(m.destination));
  // A later mount takes the place of an earlier one at the same destination.
  return [...new Map(kept.map((m) => [m.destination, m])).values()];
}

function shmSize(process: Process): string {
  return process.shmSize > 0 ? String(process.shmSize) : '65536k';
}

function mount(destination: string, type: string, source: string, options: readonly string[]): SpecMount {
  return { destination, type, source, options };
}

function insecureDevices(loops: number): SpecDevice[] {
  const device = (type: 'c' | 'b', path: string, major: number, minor: number): SpecDevice => ({
    path,
    type,
    major,
    minor,
  });
  return [
    device('c', '/dev/kmsg', 1, 11),
    device('c', '/dev/cuse', 10, 203),
    device('c', '/dev/fuse', 10, 229),
    device('c', '/dev/kvm', 10, 232),
    device('c', '/dev/net/tun', 10, 200),
    device('c', '/dev/loop-control', 10, 237),
    ...Array.from({ length: loops }, (_, i) => device('b', `/dev/loop${i}`, 7, i)),
  ];
}
