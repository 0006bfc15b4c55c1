import type { Wait } from '../base/index.ts';
import type { Entry, Mount } from '../tree/index.ts';
import type { Process, ProcessIo, StepMount } from './process.ts';
import type { RunningProcesses } from './running-processes.ts';

/** What an executor gives and does not give; reported with every build. */
export interface ExecutorReport {
  readonly name: string;
  /** `runc 1.1.5`, for people. */
  readonly version?: string | undefined;
  readonly seccomp: boolean;
  readonly devicesCgroup: boolean;
  readonly capabilities: boolean;
  /** `root`: all ids; `range`: a subordinate range; `single`: one id only. */
  readonly ids: 'root' | 'range' | 'single';
  /** What network `default` comes to here. */
  readonly network: 'cni' | 'pasta' | 'slirp4netns' | 'host';
  readonly networks: readonly ('default' | 'none' | 'host')[];
  /** What publishes ports of processes here, if anything does. */
  readonly publishes?: 'pasta' | 'slirp4netns' | undefined;
  /** What is lost, one sentence each. */
  readonly lacks: readonly string[];
}

/** A root and what processes have mounted in it. */
export interface LookedAt {
  readonly root: readonly Mount[];
  readonly mounts: readonly StepMount[];
}

/** `stat`: what a path leads to; `list`: what a folder holds; `read`: a file's bytes, refused (`STEP_INVALID`) above `limit` of them. */
export interface Question {
  readonly kind: 'stat' | 'list' | 'read';
  /** Absolute. Links are followed inside the root; one that leads nowhere is told as itself. */
  readonly path: string;
  readonly limit?: number | undefined;
}

export interface Looked {
  /** With the last part of their path. Of `list` in the order of their names. */
  readonly entries: readonly Entry[];
  /** Of `read`. */
  readonly content?: Uint8Array | undefined;
}

/** Runs processes in roots. One suite, `executor.suite.ts`, says what all of them do. */
export interface Executor {
  readonly report: ExecutorReport;
  /** What can be asked of the processes that run. */
  readonly running: RunningProcesses;
  /**
   * Mounts `root`, runs the process to its end and gives its exit code (128 + n for signal n). Mount stubs that were made are gone afterwards without a trace, every process it left is killed, every mount undone. When the
   * signal fires everything is killed within a second and it throws `CANCELLED`.
   */
  run(
    process: Process,
    options: { root: readonly Mount[]; io: ProcessIo; survive?: Survive | undefined } & Wait,
  ): Promise<number>;
  /**
   * What a process would find there now, also while others run in that root; undefined: nothing. What a tmpfs holds is its process's own: it looks empty. Throws `STEP_UNSUPPORTED` where roots are not mounted.
   */
  look(at: LookedAt, question: Question, w?: Wait): Promise<Looked | undefined>;
  /** Processes that outlived the one that ran them; absent where they end with it. */
  readonly survivors?: Survivors | undefined;
}

/** Asks that a process goes on when the one that runs it is killed. One with stdin, a terminal or sockets cannot. */
export interface Survive {
  /** By which another process finds it: a text of at most 200 characters. */
  readonly key: string;
  /** What names its root to whoever made that. */
  readonly root: string;
}

export interface Survivors {
  /** A process of that key which was started by one that is gone, for this process alone; it runs, or has ended. */
  claim(key: string, w?: Wait): Promise<Survivor | undefined>;
}

/** A process that was claimed; the end of the scope takes it away, with its root's mounts. */
export interface Survivor extends AsyncDisposable {
  /** As it was given. */
  readonly root: string;
  /** Names the process that is gone. */
  readonly owner: string;
  /** Gives all that it has said and says, and its exit code at its end, its mount stubs gone from its root. When the signal fires it is killed and `CANCELLED` thrown. */
  finish(o: { readonly io: ProcessIo } & Wait): Promise<number>;
}
