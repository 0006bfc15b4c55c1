import type { Bytes, Wait } from '../base/index.ts';
import type { RootedStat } from '../tree/index.ts';
import type { Process, ProcessIo, TerminalSize } from './process.ts';

/** A process to run beside a running one, in all that one sees. */
export type JoiningProcess = Pick<Process, 'args' | 'env' | 'cwd' | 'user' | 'terminal' | 'secretEnv'> & {
  /** Unique among all processes: [a-z0-9-]. */
  readonly id: string;
  /** `sandbox` when absent. */
  readonly security?: Process['security'];
};

/** A port that something listens on, in the network that the process is in. */
export interface ListeningPort {
  /** False for an address of loopback. */
  readonly everywhere: boolean;
  readonly port: number;
}

/** What can be asked of processes while `Executor.run` runs them, by their ids. */
export interface RunningProcesses {
  /**
   * Sends a signal to the process, or to one that has joined it. `ignored`: the kernel drops it, because number 1 of a PID namespace has no default action for it and this one has no handler. `absent`: no such process runs (any more); one that is about to start
   * is waited for. Signal 0 asks for no more than whether it runs.
   */
  signal(id: string, signal: number, w?: Wait): Promise<'sent' | 'ignored' | 'absent'>;
  /** Of a process, or of one that has joined it. Nothing happens when it is gone, or has no terminal. */
  resize(id: string, size: TerminalSize, w?: Wait): Promise<void>;
  /** TCP ports; those of the whole machine for one that has its network. */
  listening(id: string, w?: Wait): Promise<readonly ListeningPort[]>;
  /** Runs another process beside it and gives its exit code. When the signal fires it is killed and `CANCELLED` thrown. Throws `PROCESS_ABSENT`. */
  join(id: string, process: JoiningProcess, o: { readonly io: ProcessIo } & Wait): Promise<number>;
  /** Absent where processes cannot be told from the machine. */
  readonly insides?: RunningInsides | undefined;
}

/** What is inside of running processes. All but `usage` throw `PROCESS_ABSENT`. */
export interface RunningInsides {
  /** Undefined when it is gone. */
  usage(id: string, w?: Wait): Promise<ProcessUsage | undefined>;
  /** What is at a path, as the process sees it; undefined when there is nothing. */
  stat(id: string, path: string, o: { readonly follow: boolean } & Wait): Promise<RootedStat | undefined>;
  /** What is at a path as a tar, in which it is called `as` (`packFiles` of tree). */
  pack(
    id: string,
    path: string,
    o: {
      readonly as: string;
      readonly follow?: boolean | undefined;
      /** More is read when what this gives has settled. */
      send(chunk: Uint8Array): void | Promise<void>;
    } & Wait,
  ): Promise<void>;
  /** Unpacks a tar into a folder that is there (`unpackFiles` of tree). */
  unpack(
    id: string,
    folder: string,
    o: { readonly tar: Bytes; readonly owner: 'keep' | { readonly uid: number; readonly gid: number } } & Wait,
  ): Promise<void>;
}

/** What a process and all it started use of the machine. Sizes are bytes. */
export interface ProcessUsage {
  /** Nanoseconds of processor time since its start. */
  readonly cpuNs: number;
  readonly memory: number;
  /** Of its own; absent without one. */
  readonly memoryLimit?: number | undefined;
  readonly processes: number;
  readonly read: number;
  readonly written: number;
  /** Over a network of its own; absent without one. */
  readonly received?: number | undefined;
  readonly sent?: number | undefined;
}
