import { release } from 'node:os';

/** The OCI `linux.seccomp` object (runtime-spec config-linux.md, Seccomp). */
export interface Seccomp {
  readonly defaultAction: string;
  readonly defaultErrnoRet: number;
  readonly architectures: readonly string[];
  readonly syscalls: readonly SeccompRule[];
}

export interface SeccompRule {
  readonly names: readonly string[];
  readonly action: 'SCMP_ACT_ALLOW' | 'SCMP_ACT_ERRNO';
  readonly errnoRet?: number | undefined;
  readonly args?: readonly SeccompArg[] | undefined;
}

export interface SeccompArg {
  readonly index: number;
  readonly value: number;
  readonly valueTwo: number;
  readonly op: `SCMP_CMP_${'LT' | 'EQ' | 'GT' | 'MASKED_EQ'}`;
}

export interface SeccompTarget {
  /** The process's bounding set, as `CAP_CHOWN`. */
  readonly capabilities: readonly string[];
  /** As Node's `process.arch`; this machine's by default. */
  readonly arch?: string | undefined;
  /** As `6.1.0-18`; this machine's by default. */
  readonly kernel?: string | undefined;
}

/**
 * The default profile of Docker and BuildKit, compiled for a process: everything not named fails with EPERM. Syscalls that the machine's libseccomp does not know are skipped by the runtimes.
 * Source of the facts: moby/profiles seccomp/default.json of 2026-06; `includes` and `excludes` are evaluated as moby/profiles' Go code does.
 */
export function defaultSeccomp(target: SeccompTarget): Seccomp {
  const nodeArch = target.arch ?? process.arch;
  const arch = ARCH_NAMES[nodeArch] ?? nodeArch;
  const kernel = kernelVersion(target.kernel ?? release());
  const has = new Set(target.capabilities);
  return {
    defaultAction: 'SCMP_ACT_ERRNO',
    defaultErrnoRet: EPERM,
    architectures: ARCHITECTURES[arch] ?? [],
    syscalls: RULES.filter((rule) => applies(rule, { arch, kernel, has })).map((rule) => ({
      names: names(rule.names),
      action: rule.errno === undefined ? 'SCMP_ACT_ALLOW' : 'SCMP_ACT_ERRNO',
      ...(rule.errno === undefined ? {} : { errnoRet: rule.errno }),
      ...(rule.arg === undefined ? {} : { args: [argument(rule.arg)] }),
    })),
  };
}

interface Condition {
  readonly arches?: string;
  readonly caps?: string;
  /** Major and minor. */
  readonly kernel?: readonly [number, number];
}

interface Rule {
  readonly names: string;
  /** Allowed only when: argument index, comparison, value (and, for MASKED_EQ, `value` is the mask and the result 0). */
  readonly arg?: readonly [index: number, op: 'LT' | 'EQ' | 'GT' | 'MASKED_EQ', value: number];
  /** Fails with this instead of being allowed. */
  readonly errno?: number;
  readonly when?: Condition;
  readonly unless?: Condition;
}

const EPERM = 1;
const ENOSYS = 38;
/** CLONE_NEW{CGROUP,UTS,IPC,USER,PID,NET,NS}. */
const NEW_NAMESPACES = 0x7e020000;

const ALWAYS = `
  _llseek _newselect accept accept4 access adjtimex alarm bind brk cachestat capget capset chdir chmod chown chown32
  clock_adjtime clock_adjtime64 clock_getres clock_getres_time64 clock_gettime clock_gettime64 clock_nanosleep
  clock_nanosleep_time64 close close_range connect copy_file_range creat dup dup2 dup3 epoll_create epoll_create1
  epoll_ctl epoll_ctl_old epoll_pwait epoll_pwait2 epoll_wait epoll_wait_old eventfd eventfd2 execve execveat exit
  exit_group faccessat faccessat2 fadvise64 fadvise64_64 fallocate fanotify_mark fchdir fchmod fchmodat fchmodat2
  fchown fchown32 fchownat fcntl fcntl64 fdatasync fgetxattr flistxattr flock fork fremovexattr fsetxattr fstat
  fstat64 fstatat64 fstatfs fstatfs64 fsync ftruncate ftruncate64 futex futex_requeue futex_time64 futex_wait
  futex_waitv futex_wake futimesat get_robust_list get_thread_area getcpu getcwd getdents getdents64 getegid
  getegid32 geteuid geteuid32 getgid getgid32 getgroups getgroups32 getitimer getpeername getpgid getpgrp getpid
  getppid getpriority getrandom getresgid getresgid32 getresuid getresuid32 getrlimit getrusage getsid getsockname
  getsockopt gettid gettimeofday getuid getuid32 getxattr getxattrat inotify_add_watch inotify_init inotify_init1
  inotify_rm_watch io_cancel io_destroy io_getevents io_pgetevents io_pgetevents_time64 io_setup io_submit ioctl
  ioprio_get ioprio_set ipc kill landlock_add_rule landlock_create_ruleset landlock_restrict_self lchown lchown32
  lgetxattr link linkat listen listmount listxattr listxattrat llistxattr lremovexattr lseek lsetxattr lstat lstat64
  madvise map_shadow_stack membarrier memfd_create memfd_secret mincore mkdir mkdirat mknod mknodat mlock mlock2
  mlockall mmap mmap2 mprotect mq_getsetattr mq_notify mq_open mq_timedreceive mq_timedreceive_time64 mq_timedsend
  mq_timedsend_time64 mq_unlink mremap mseal msgctl msgget msgrcv msgsnd msync munlock munlockall munmap
  name_to_handle_at nanosleep newfstatat open openat openat2 pause pidfd_open pidfd_send_signal pipe pipe2
  pkey_alloc pkey_free pkey_mprotect poll ppoll ppoll_time64 prctl pread64 preadv preadv2 prlimit64 process_mrelease
  pselect6 pselect6_time64 pwrite64 pwritev pwritev2 read readahead readlink readlinkat readv recv recvfrom recvmmsg
  recvmmsg_time64 recvmsg remap_file_pages removexattr removexattrat rename renameat renameat2 restart_syscall
  riscv_hwprobe rmdir rseq rt_sigaction rt_sigpending rt_sigprocmask rt_sigqueueinfo rt_sigreturn rt_sigsuspend
  rt_sigtimedwait rt_sigtimedwait_time64 rt_tgsigqueueinfo sched_get_priority_max sched_get_priority_min
  sched_getaffinity sched_getattr sched_getparam sched_getscheduler sched_rr_get_interval
  sched_rr_get_interval_time64 sched_setaffinity sched_setattr sched_setparam sched_setscheduler sched_yield seccomp
  select semctl semget semop semtimedop semtimedop_time64 send sendfile sendfile64 sendmmsg sendmsg sendto
  set_robust_list set_thread_area set_tid_address setfsgid setfsgid32 setfsuid setfsuid32 setgid setgid32 setgroups
  setgroups32 setitimer setpgid setpriority setregid setregid32 setresgid setresgid32 setresuid setresuid32 setreuid
  setreuid32 setrlimit setsid setsockopt setuid setuid32 setxattr setxattrat shmat shmctl shmdt shmget shutdown
  sigaltstack signalfd signalfd4 sigprocmask sigreturn socketcall socketpair splice stat stat64 statfs statfs64
  statmount statx symlink symlinkat sync sync_file_range syncfs sysinfo tee tgkill time timer_create timer_delete
  timer_getoverrun timer_gettime timer_gettime64 timer_settime timer_settime64 timerfd_create timerfd_gettime
  timerfd_gettime64 timerfd_settime timerfd_settime64 times tkill truncate truncate64 ugetrlimit umask uname unlink
  unlinkat uretprobe utime utimensat utimensat_time64 utimes vfork vmsplice wait4 waitid waitpid write writev
`;

const WITH_SYS_ADMIN = `
  bpf clone clone3 fanotify_init fsconfig fsmount fsopen fspick lookup_dcookie lsm_get_self_attr lsm_list_modules
  lsm_set_self_attr mount mount_setattr move_mount open_tree perf_event_open quotactl quotactl_fd setdomainname
  sethostname setns syslog umount umount2 unshare
`;
const RULES: readonly Rule[] = [
  { names: ALWAYS },
  { names: 'process_vm_readv process_vm_writev ptrace', when: { kernel: [4, 8] } },
  // Every family but AF_ALG (38) and AF_VSOCK (40).
  { names: 'socket', arg: [0, 'LT', 38] },
  { names: 'socket', arg: [0, 'EQ', 39] },
  { names: 'socket', arg: [0, 'GT', 40] },
  { names: 'personality', arg: [0, 'EQ', 0] },
  { names: 'personality', arg: [0, 'EQ', 0x8] },
  { names: 'personality', arg: [0, 'EQ', 0x20000] },
  { names: 'personality', arg: [0, 'EQ', 0x20008] },
  { names: 'personality', arg: [0, 'EQ', 0xffffffff] },
  { names: 'sync_file_range2 swapcontext', when: { arches: 'ppc64le' } },
  {
    names: 'arm_fadvise64_64 arm_sync_file_range sync_file_range2 breakpoint cacheflush set_tls',
    when: { arches: 'arm arm64' },
  },
  { names: 'arch_prctl', when: { arches: 'amd64 x32' } },
  { names: 'modify_ldt', when: { arches: 'amd64 x32 x86' } },
  { names: 's390_pci_mmio_read s390_pci_mmio_write s390_runtime_instr', when: { arches: 's390 s390x' } },
  { names: 'riscv_flush_icache', when: { arches: 'riscv64' } },
  { names: 'open_by_handle_at', when: { caps: 'CAP_DAC_READ_SEARCH' } },
  { names: WITH_SYS_ADMIN, when: { caps: 'CAP_SYS_ADMIN' } },
  {
    names: 'clone',
    arg: [0, 'MASKED_EQ', NEW_NAMESPACES],
    unless: { caps: 'CAP_SYS_ADMIN', arches: 's390 s390x' },
  },
  // There the flags are the second parameter.
  {
    names: 'clone',
    arg: [1, 'MASKED_EQ', NEW_NAMESPACES],
    when: { arches: 's390 s390x' },
    unless: { caps: 'CAP_SYS_ADMIN' },
  },
  // Its flags lie in memory, out of a filter's sight: ENOSYS makes libraries fall back to clone.
  { names: 'clone3', errno: ENOSYS, unless: { caps: 'CAP_SYS_ADMIN' } },
  { names: 'reboot', when: { caps: 'CAP_SYS_BOOT' } },
  { names: 'chroot', when: { caps: 'CAP_SYS_CHROOT' } },
  { names: 'delete_module init_module finit_module', when: { caps: 'CAP_SYS_MODULE' } },
  { names: 'acct', when: { caps: 'CAP_SYS_PACCT' } },
  {
    names: 'kcmp pidfd_getfd process_madvise process_vm_readv process_vm_writev ptrace',
    when: { caps: 'CAP_SYS_PTRACE' },
  },
  { names: 'iopl ioperm', when: { caps: 'CAP_SYS_RAWIO' } },
  { names: 'settimeofday stime clock_settime clock_settime64', when: { caps: 'CAP_SYS_TIME' } },
  { names: 'vhangup', when: { caps: 'CAP_SYS_TTY_CONFIG' } },
  { names: 'get_mempolicy mbind set_mempolicy set_mempolicy_home_node', when: { caps: 'CAP_SYS_NICE' } },
  { names: 'syslog', when: { caps: 'CAP_SYSLOG' } },
  { names: 'bpf', when: { caps: 'CAP_BPF' } },
  { names: 'perf_event_open', when: { caps: 'CAP_PERFMON' } },
];

const ARCH_NAMES: Readonly<Record<string, string>> = {
  x64: 'amd64',
  ia32: 'x86',
  ppc64: 'ppc64le',
  loong64: 'loongarch64',
};

const ARCHITECTURES: Readonly<Record<string, readonly string[]>> = {
  amd64: ['SCMP_ARCH_X86_64', 'SCMP_ARCH_X86', 'SCMP_ARCH_X32'],
  arm64: ['SCMP_ARCH_AARCH64', 'SCMP_ARCH_ARM'],
  s390x: ['SCMP_ARCH_S390X', 'SCMP_ARCH_S390'],
  riscv64: ['SCMP_ARCH_RISCV64'],
  loongarch64: ['SCMP_ARCH_LOONGARCH64'],
};

interface Machine {
  readonly arch: string;
  readonly kernel: readonly [number, number];
  readonly has: ReadonlySet<string>;
}

/** All of `when` must hold; one capability, the architecture or the kernel of `unless` is enough to leave the rule out. */
function applies(rule: Rule, on: Machine): boolean {
  const { when, unless } = rule;
  if (unless?.arches !== undefined && names(unless.arches).includes(on.arch)) return false;
  if (unless?.caps !== undefined && names(unless.caps).some((cap) => on.has.has(cap))) return false;
  if (when?.arches !== undefined && !names(when.arches).includes(on.arch)) return false;
  if (when?.caps !== undefined && !names(when.caps).every((cap) => on.has.has(cap))) return false;
  if (when?.kernel === undefined) return true;
  const [major, minor] = when.kernel;
  return on.kernel[0] > major || (on.kernel[0] === major && on.kernel[1] >= minor);
}

function argument([index, op, value]: NonNullable<Rule['arg']>): SeccompArg {
  return { index, value, valueTwo: 0, op: `SCMP_CMP_${op}` };
}

function names(text: string): string[] {
  return text.trim().split(/\s+/);
}

function kernelVersion(text: string): readonly [number, number] {
  const match = /^(\d+)\.(\d+)/.exec(text);
  return [Number(match?.[1] ?? 0), Number(match?.[2] ?? 0)];
}
