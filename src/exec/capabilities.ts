import { execError } from './errors.ts';
import type { Process } from './process.ts';

/** Linux capabilities by number (include/uapi/linux/capability.h). */
const NAMES =
  `CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP LINUX_IMMUTABLE NET_BIND_SERVICE NET_BROADCAST NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE
  SYS_RAWIO SYS_CHROOT SYS_PTRACE SYS_PACCT SYS_ADMIN SYS_BOOT SYS_NICE SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG MKNOD LEASE AUDIT_WRITE AUDIT_CONTROL SETFCAP MAC_OVERRIDE MAC_ADMIN
  SYSLOG WAKE_ALARM BLOCK_SUSPEND AUDIT_READ PERFMON BPF CHECKPOINT_RESTORE`
    .split(/\s+/)
    .map((name) => `CAP_${name}`);

/** What a build step has: Docker's default set. */
export const STEP_CAPABILITIES: readonly string[] =
  'CHOWN DAC_OVERRIDE FSETID FOWNER MKNOD NET_RAW SETGID SETUID SETFCAP SETPCAP NET_BIND_SERVICE SYS_CHROOT KILL AUDIT_WRITE'
    .split(' ')
    .map((name) => `CAP_${name}`);

/** `CAP_SYS_PTRACE` from `sys_ptrace`; undefined for what is none. */
export function capabilityNamed(text: string): string | undefined {
  const name = `CAP_${text.toUpperCase().replace(/^CAP_/, '')}`;
  return NAMES.includes(name) ? name : undefined;
}

/** What a process has, given all that this one has. Throws `STEP_UNSUPPORTED` for one that this process does not have. */
export function capabilitiesFor(
  process: Partial<Pick<Process, 'security' | 'privileges'>>,
  all: readonly string[],
): readonly string[] {
  const { add = [], drop = [] } = process.privileges ?? {};
  const base = process.security === 'insecure' ? all : STEP_CAPABILITIES;
  if (add.length + drop.length === 0) return base;
  const missing = add.find((name) => name !== ALL && !all.includes(name));
  if (missing !== undefined)
    throw execError('STEP_UNSUPPORTED', `give a process ${missing}: strake itself does not have it here`, {
      remedy: 'Leave it out, or run strake with it.',
    });
  if (add.includes(ALL)) return all.filter((name) => !drop.includes(name));
  const left = drop.includes(ALL) ? [] : base.filter((name) => !drop.includes(name));
  return [...new Set([...left, ...add])];
}

const ALL = 'ALL';

/** The capabilities of a hexadecimal mask, as in /proc/self/status; bits without a name are left out. */
export function capabilitiesOf(mask: string): string[] {
  const bits = BigInt(`0x${mask.trim()}`);
  return NAMES.filter((_, bit) => ((bits >> BigInt(bit)) & 1n) === 1n);
}

/** The mask of capabilities, as /proc/self/status writes it: 16 hexadecimal digits. */
export function capabilityMask(capabilities: readonly string[]): string {
  let bits = 0n;
  for (const name of capabilities) {
    const bit = NAMES.indexOf(name);
    if (bit >= 0) bits |= 1n << BigInt(bit);
  }
  return bits.toString(16).padStart(16, '0');
}
