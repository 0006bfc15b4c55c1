import { readFileSync, readlinkSync } from 'node:fs';

/** A process, told from every other one that has or had the same pid. */
export interface ProcessId {
  readonly pid: number;
  /** Clock ticks from boot to its start (proc(5), stat field 22). */
  readonly startedAt: string;
  readonly bootId: string;
  /** Its pid namespace, as `/proc/PID/ns/pid` names it. */
  readonly namespace: string;
}

let own: ProcessId | undefined;

/** This process. */
export function ownProcess(): ProcessId {
  return (own ??= {
    pid: process.pid,
    startedAt: startOf(process.pid) ?? '',
    bootId: bootId(),
    namespace: namespaceOf('self'),
  });
}

/** Whether a process lives. One of another pid namespace cannot be looked at: `unknown`. */
export function stateOfProcess(id: ProcessId): 'alive' | 'ended' | 'unknown' {
  const { bootId: boot, namespace } = ownProcess();
  if (id.bootId !== boot) return 'ended';
  if (id.namespace !== namespace) return 'unknown';
  return startOf(id.pid) === id.startedAt ? 'alive' : 'ended';
}

/** Undefined for one that has ended, though nobody has taken note of that (a zombie). */
function startOf(pid: number): string | undefined {
  const stat = readText(`/proc/${pid}/stat`);
  const [state = '', ...fields] = stat?.slice(stat.lastIndexOf(')') + 2).split(' ') ?? [];
  return state === 'Z' || state === 'X' ? undefined : fields[18];
}

/** The boot of the machine that this process runs in. */
export function bootId(): string {
  return readText('/proc/sys/kernel/random/boot_id')?.trim() ?? '';
}

function namespaceOf(pid: string): string {
  try {
    return readlinkSync(`/proc/${pid}/ns/pid`);
  } catch {
    return '';
  }
}

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return undefined;
  }
}
