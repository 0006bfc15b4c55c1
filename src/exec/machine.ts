import { readFileSync, readlinkSync, statfsSync } from 'node:fs';
import { capabilitiesOf } from './capabilities.ts';

/** How this machine mounts cgroups: version 2 alone, version 1 with 2 beside it, version 1, or not at all. */
export type CgroupMode = 'unified' | 'hybrid' | 'legacy' | 'none';

const CGROUP2_SUPER_MAGIC = 0x63677270;
const TMPFS_MAGIC = 0x01021994;

export function cgroupMode(): CgroupMode {
  const type = fileSystemType('/sys/fs/cgroup');
  if (type === CGROUP2_SUPER_MAGIC) return 'unified';
  if (type !== TMPFS_MAGIC) return 'none';
  return fileSystemType('/sys/fs/cgroup/unified') === CGROUP2_SUPER_MAGIC ? 'hybrid' : 'legacy';
}

/** This process's hard limits by the names `--ulimit` uses (`nofile`, `nproc`...); `Infinity` is none. */
export function hardLimits(): Map<string, number> {
  const limits = new Map<string, number>();
  for (const line of read('/proc/self/limits').split('\n')) {
    const match = /^Max (.+?)\s{2,}(\S+)\s+(\S+)/.exec(line);
    const name = LIMITS[match?.[1] ?? ''];
    if (name !== undefined) limits.set(name, match?.[3] === 'unlimited' ? Infinity : Number(match?.[3]));
  }
  return limits;
}

/** What this process may do. */
export function effectiveCapabilities(): string[] {
  return capabilitiesOf(/^CapEff:\s*([0-9a-f]+)/m.exec(read('/proc/self/status'))?.[1] ?? '0');
}

/** True when the kernel can filter system calls. */
export function seccompSupported(): boolean {
  return /^Seccomp:/m.test(read('/proc/self/status'));
}

/** Changes with every boot. */
export function bootId(): string {
  return read('/proc/sys/kernel/random/boot_id').trim();
}

/** The children of a process that has one thread. */
export function childrenOf(pid: number): number[] {
  return read(`/proc/${pid}/task/${pid}/children`).trim().split(' ').filter(Boolean).map(Number);
}

/** False when this process has the same mount namespace as all the processes that it comes from, as far as they can be seen. */
export function mountsArePrivate(): boolean {
  const own = mountNamespace('self');
  let seen = 0;
  for (let pid = process.ppid; pid > 0; pid = parentOf(pid)) {
    const other = mountNamespace(String(pid));
    if (other === undefined) break;
    if (other !== own) return true;
    seen++;
  }
  return seen === 0;
}

function mountNamespace(pid: string): string | undefined {
  try {
    return readlinkSync(`/proc/${pid}/ns/mnt`);
  } catch {
    return undefined;
  }
}

function parentOf(pid: number): number {
  return Number(/^PPid:\s*(\d+)/m.exec(read(`/proc/${pid}/status`))?.[1] ?? 0);
}

const LIMITS: Readonly<Record<string, string>> = {
  'cpu time': 'cpu',
  'file size': 'fsize',
  'data size': 'data',
  'stack size': 'stack',
  'core file size': 'core',
  'resident set': 'rss',
  processes: 'nproc',
  'open files': 'nofile',
  'locked memory': 'memlock',
  'address space': 'as',
  'file locks': 'locks',
  'pending signals': 'sigpending',
  'msgqueue size': 'msgqueue',
  'nice priority': 'nice',
  'realtime priority': 'rtprio',
  'realtime timeout': 'rttime',
};

function fileSystemType(path: string): number | undefined {
  try {
    return statfsSync(path).type;
  } catch {
    return undefined;
  }
}

function read(path: string): string {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return '';
  }
}
