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
