import { readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import type { ProcessUsage } from './running-processes.ts';

const CGROUPS = '/sys/fs/cgroup';
/** Of /proc/PID/stat (proc(5)): Linux gives user space so many in a second, whatever its own clock does. */
const TICKS = 100;
/** What version 1 has where there is no limit. */
const NO_LIMIT = 2 ** 60;

/**
 * What a process and all that it started use: by their control group (both versions) where they have one of their own, else (an ordinary user's) summed over the processes. `all` are those processes, the first one among them.
 */
export function usageOf(pid: number, all: readonly number[]): ProcessUsage {
  const folders = cgroupFoldersOf(pid);
  const own = folders.size > 0 ? byCgroup(folders, all) : bySum(all);
  return { ...own, ...networkOf(pid) };
}

/** The folders of a process's control groups by controller ("" is version 2), of those that this process is not in itself. */
function cgroupFoldersOf(pid: number): ReadonlyMap<string, string> {
  const own = new Set(read('/proc/self/cgroup').split('\n'));
  const found = new Map<string, string>();
  for (const line of read(`/proc/${pid}/cgroup`).split('\n')) {
    const [, controllers, path] = /^\d+:([^:]*):(\/.+)$/.exec(line) ?? [];
    if (controllers === undefined || path === undefined || own.has(line) || path.startsWith('/..')) continue;
    for (const controller of controllers.split(',')) found.set(controller, join(CGROUPS, controllers, path));
  }
  return found;
}

type Usage = Omit<ProcessUsage, 'received' | 'sent'>;

function byCgroup(folders: ReadonlyMap<string, string>, all: readonly number[]): Usage {
  const file = (controller: string, name: string): string => {
    const folder = folders.get(controller) ?? folders.get('');
    return folder === undefined ? '' : read(join(folder, name));
  };
  const cpu = file('cpuacct', 'cpuacct.usage') || field(file('', 'cpu.stat'), 'usage_usec', 1000);
  const memory = file('memory', 'memory.usage_in_bytes') || file('memory', 'memory.current');
  const kept = file('memory', 'memory.stat');
  // What could be given back at once is not counted, as in "docker stats".
  const spare = field(kept, folders.has('memory') ? 'total_inactive_file' : 'inactive_file');
  const limit = Number(file('memory', 'memory.limit_in_bytes') || file('memory', 'memory.max').replace('max', ''));
  const io = file('blkio', 'blkio.throttle.io_service_bytes') || file('', 'io.stat');
  const sum = bySum(all);
  return {
    cpuNs: cpu === '' ? sum.cpuNs : Number(cpu),
    memory: memory === '' ? sum.memory : Math.max(0, Number(memory) - Number(spare || 0)),
    memoryLimit: limit > 0 && limit < NO_LIMIT ? limit : undefined,
    processes: Number(file('pids', 'pids.current') || all.length),
    read: total(io, /(?:\bRead |rbytes=)(\d+)/g),
    written: total(io, /(?:\bWrite |wbytes=)(\d+)/g),
  };
}

function bySum(all: readonly number[]): Usage {
  let [cpu, memory, read1, written] = [0, 0, 0, 0];
  for (const pid of all) {
    const stat = read(`/proc/${pid}/stat`);
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    // utime, stime, and those of children that are gone: fields 14 to 17.
    for (const at of [11, 12, 13, 14]) cpu += Number(fields[at] ?? 0);
    memory += Number(field(read(`/proc/${pid}/smaps_rollup`), 'Pss:', 1024) || 0);
    const io = read(`/proc/${pid}/io`);
    read1 += Number(field(io, 'read_bytes:') || 0);
    written += Number(field(io, 'write_bytes:') || 0);
  }
  return { cpuNs: (cpu / TICKS) * 1e9, memory, memoryLimit: undefined, processes: all.length, read: read1, written };
}

/** Bytes over all interfaces but loopback, of a network of its own. */
function networkOf(pid: number): Pick<ProcessUsage, 'received' | 'sent'> {
  if (link(`/proc/${pid}/ns/net`) === link('/proc/self/ns/net')) return { received: undefined, sent: undefined };
  let [received, sent] = [0, 0];
  for (const line of read(`/proc/${pid}/net/dev`).split('\n')) {
    const [, name, numbers = ''] = /^\s*([^:\s]+):\s*(.*)$/.exec(line) ?? [];
    if (name === undefined || name === 'lo') continue;
    const values = numbers.split(/\s+/).map(Number);
    received += values[0] ?? 0;
    sent += values[8] ?? 0;
  }
  return { received, sent };
}

function field(text: string, name: string, scale = 1): string {
  const found = text.split('\n').find((line) => line.startsWith(`${name} `) || line.startsWith(`${name}\t`));
  const value = found === undefined ? '' : (/\s(\d+)/.exec(found)?.[1] ?? '');
  return value === '' ? '' : String(Number(value) * scale);
}

function total(text: string, pattern: RegExp): number {
  return [...text.matchAll(pattern)].reduce((sum, [, value]) => sum + Number(value), 0);
}

function read(path: string): string {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return '';
  }
}

function link(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch {
    return undefined;
  }
}
