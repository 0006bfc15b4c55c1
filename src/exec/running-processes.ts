import type { Wait } from '../base/index.ts';
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
}
