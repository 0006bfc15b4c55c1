import type { Wait } from '../base/index.ts';
import type { Mount } from '../tree/index.ts';

/** A process to run in a root: everything is resolved, nothing is looked up. */
export interface Process {
  /** Unique on this machine for as long as it runs: [a-z0-9-]. */
  readonly id: string;
  readonly args: readonly string[];
  readonly env: readonly string[];
  /** As `env`, which they take the place of, and never in anything that other users of the machine could read. */
  readonly secretEnv?: readonly string[] | undefined;
  /** Absolute; made (0755, owned by the user) when missing. */
  readonly cwd: string;
  readonly user: { readonly uid: number; readonly gid: number; readonly additionalGids: readonly number[] };
  readonly hostname: string;
  readonly network: 'default' | 'none' | 'host';
  readonly security: 'sandbox' | 'insecure';
  readonly extraHosts: readonly { readonly host: string; readonly ip: string }[];
  readonly ulimits: readonly { readonly name: string; readonly soft: number; readonly hard: number }[];
  /** Bytes of /dev/shm. */
  readonly shmSize: number;
  /** Mounted below the root after its own mounts; `target` is absolute in the root. */
  readonly mounts: readonly StepMount[];
  /** A terminal of this size as its stdin, stdout and stderr; what it says comes by `ProcessIo.stdout`. */
  readonly terminal?: TerminalSize | undefined;
  /** Nothing but its mounts can be written to. */
  readonly readonlyRoot?: boolean | undefined;
  /** What differs from the sandbox's own (see `STEP_CAPABILITIES`). */
  readonly privileges?: ProcessPrivileges | undefined;
  /** Kept by a control group; an executor without them refuses a process that has limits (`STEP_UNSUPPORTED`). */
  readonly limits?: ProcessLimits | undefined;
  /** Ports of this machine that lead to it, which has a network of its own then; for network `default`. */
  readonly ports?: readonly PublishedPort[] | undefined;
}

/** How a sandbox is made wider or narrower for one process. */
export interface ProcessPrivileges {
  /** As `CAP_SYS_PTRACE`, or `ALL`: what is dropped goes first, then what is added comes; with all added, all but what is dropped by name (moby, oci/caps). */
  readonly add?: readonly string[] | undefined;
  readonly drop?: readonly string[] | undefined;
  /** No program can give it more than it has (set-user-id bits, file capabilities). */
  readonly noNewPrivileges?: boolean | undefined;
  /** Without the filter of system calls. */
  readonly noSeccomp?: boolean | undefined;
  /** What of /proc and /sys is hidden or read-only is not. */
  readonly openSystemPaths?: boolean | undefined;
}

/** What a process and all it starts may take of the machine; absent members are without a limit of their own. */
export interface ProcessLimits {
  /** Bytes. */
  readonly memory?: number | undefined;
  /** Bytes of memory and swap together; -1 is without a limit. */
  readonly memorySwap?: number | undefined;
  readonly cpuShares?: number | undefined;
  /** Microseconds. */
  readonly cpuPeriod?: number | undefined;
  readonly cpuQuota?: number | undefined;
  /** As "0-2,7". */
  readonly cpusetCpus?: string | undefined;
  readonly cpusetMems?: string | undefined;
  /** Processes and threads. */
  readonly pids?: number | undefined;
}

/** In characters. */
export interface TerminalSize {
  readonly columns: number;
  readonly rows: number;
}

export interface PublishedPort {
  readonly protocol: 'tcp' | 'udp';
  /** An address of this machine; absent is all of them. */
  readonly hostAddress?: string | undefined;
  readonly hostPort: number;
  readonly port: number;
}

export type StepMount =
  | {
      readonly type: 'bind';
      readonly source: string;
      readonly target: string;
      readonly readonly: boolean;
      /** A source that is an empty folder is first filled with what the root has at `target`, as named volumes are. */
      readonly fill?: boolean | undefined;
    }
  | {
      readonly type: 'tmpfs';
      readonly target: string;
      readonly size?: number | undefined;
      readonly mode?: number | undefined;
      /** Further flags: `noexec`, `nodev`, `ro`. */
      readonly flags?: readonly string[] | undefined;
    }
  /** A folder of the root itself, as a mount: it can be written to though the root cannot. */
  | { readonly type: 'own'; readonly target: string }
  /** A file on a tmpfs that exists for this process only: a secret, a heredoc script. */
  | {
      readonly type: 'file';
      readonly target: string;
      readonly content: Uint8Array;
      readonly mode: number;
      readonly uid: number;
      readonly gid: number;
    }
  /** A Unix socket; who connects to it speaks to what `ProcessIo.connect` gives for `name`. */
  | {
      readonly type: 'socket';
      readonly target: string;
      readonly name: string;
      readonly mode: number;
      readonly uid: number;
      readonly gid: number;
    }
  /** A mounted tree (a view of a snapshot), or a folder of it. */
  | {
      readonly type: 'tree';
      readonly mounts: readonly Mount[];
      readonly source: string;
      readonly target: string;
      readonly readonly: boolean;
    };

export interface ProcessIo {
  /** The process's output is read on when what this gives has settled. */
  stdout(chunk: Uint8Array): void | Promise<void>;
  stderr(chunk: Uint8Array): void | Promise<void>;
  readonly stdin?: AsyncIterable<Uint8Array> | undefined;
  /** The other end of a connection that the process makes to its socket of this name. */
  connect?(name: string, w: Wait): Promise<StepChannel>;
}

/** A two-way stream of bytes. */
export interface StepChannel extends AsyncDisposable {
  readonly readable: AsyncIterable<Uint8Array>;
  write(chunk: Uint8Array): Promise<void>;
}
