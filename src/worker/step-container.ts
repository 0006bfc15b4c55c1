import { constants } from 'node:os';
import { hasCode, unlessCancelled, type Random, type Wait } from '../base/index.ts';
import type { Executor, Looked, Process, ProcessIo, Question } from '../exec/index.ts';
import type { Mount } from '../tree/index.ts';
import type { ProcessControl, StepIo } from './build-host.ts';
import { workerError } from './errors.ts';

/** What differs between the processes of a container. */
export type OwnOfProcess = Pick<Process, 'args' | 'env' | 'secretEnv' | 'cwd' | 'user' | 'security' | 'terminal'>;

interface First {
  readonly id: string;
  ended: boolean;
  readonly end: Promise<void>;
}

/**
 * A root with its mounts in which processes run. The one that comes first is a container's own; those that come while it runs join it, see what it sees and end with it, as those of BuildKit's containers and of `docker exec` do. One that comes after
 * its end is the first again: what was written to the root is still there.
 */
export class StepContainer implements AsyncDisposable {
  readonly #executor: Executor;
  readonly #root: readonly Mount[];
  /** All that its processes have in common. */
  readonly #base: Process;
  readonly #connect: NonNullable<ProcessIo['connect']>;
  readonly #random: Random;
  readonly #closing = new AbortController();
  readonly #running = new Set<Promise<unknown>>();
  #first: First | undefined;

  constructor(o: {
    executor: Executor;
    root: readonly Mount[];
    base: Process;
    connect: NonNullable<ProcessIo['connect']>;
    random: Random;
  }) {
    this.#executor = o.executor;
    this.#root = o.root;
    this.#base = o.base;
    this.#connect = o.connect;
    this.#random = o.random;
  }

  /** To its end. Throws `CONTAINER_CLOSED`. */
  async run(own: OwnOfProcess, io: StepIo, w: Wait = {}): Promise<number> {
    const { signal: closing } = this.#closing;
    if (closing.aborted) throw closing.reason;
    const signal = w.signal ? AbortSignal.any([w.signal, closing]) : closing;
    const running = this.#run({ ...own, id: `${this.#base.id}-${this.#random.hex(8)}` }, io, { signal });
    this.#running.add(running);
    try {
      return await running;
    } finally {
      this.#running.delete(running);
    }
  }

  /** What a process would find there. */
  async look(question: Question, w?: Wait): Promise<Looked | undefined> {
    return this.#executor.look({ root: this.#root, mounts: this.#base.mounts }, question, w);
  }

  /** Kills what runs there. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort(workerError('CONTAINER_CLOSED', 'run a process in a container: it has been given back'));
    await Promise.allSettled(this.#running);
  }

  async #run(
    { id, args, env, secretEnv, cwd, user, security, terminal }: OwnOfProcess & { readonly id: string },
    io: StepIo,
    o: { readonly signal: AbortSignal },
  ): Promise<number> {
    const own = { id, args, env, secretEnv, cwd, user, security, terminal };
    const executor = this.#executor;
    let over = false;
    const isOver = (): boolean => over;
    io.onStart?.(controlOf(id, { executor, isOver }));
    const streams: ProcessIo = {
      stdout: (chunk) => io.stdout(chunk),
      stderr: (chunk) => io.stderr(chunk),
      stdin: io.stdin,
      connect: this.#connect,
    };
    try {
      for (;;) {
        const first = this.#first;
        if (!first) return await this.#runFirst({ ...this.#base, ...own }, streams, o);
        if (!(await this.#stands(first, o))) continue;
        try {
          return await executor.running.join(first.id, own, { io: streams, ...o });
        } catch (error) {
          if (!hasCode(error, 'PROCESS_ABSENT')) throw error;
          await unlessCancelled(first.end, o);
        }
      }
    } finally {
      over = true;
    }
  }

  async #runFirst(process: Process, io: ProcessIo, w: Wait): Promise<number> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const first: First = { id: process.id, ended: false, end: promise };
    this.#first = first;
    try {
      return await this.#executor.run(process, { root: this.#root, io, ...w });
    } finally {
      first.ended = true;
      this.#first = undefined;
      resolve();
    }
  }

  /** Waits until the first process runs, or has ended: false. */
  async #stands(first: First, w: Wait): Promise<boolean> {
    while (!first.ended) {
      if ((await this.#executor.running.signal(first.id, 0, w)) !== 'absent') return true;
      await unlessCancelled(Promise.race([first.end, pause()]), w);
    }
    return false;
  }
}

const STARTING_MS = 10;
/** Where nobody can tell whether a process has started, a size is not kept back for longer. */
const MOST_TRIES = 100;

function pause(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, STARTING_MS));
}

/** Signals and sizes in the order they come; those that come early wait for the process. */
function controlOf(id: string, o: { readonly executor: Executor; readonly isOver: () => boolean }): ProcessControl {
  const { running } = o.executor;
  let last: Promise<unknown> = Promise.resolve();
  const inTurn = (work: () => Promise<unknown>): void => {
    last = last.then(work).catch(() => undefined);
  };
  const started = async (tries: number): Promise<void> => {
    for (let i = 0; i < tries && !o.isOver() && (await running.signal(id, 0)) === 'absent'; i++) await pause();
  };
  return {
    resize: (size) =>
      inTurn(async () => {
        await started(MOST_TRIES);
        await running.resize(id, size);
      }),
    signal: (name) => {
      const number = signalNumber(name);
      inTurn(async () => {
        await started(Infinity);
        await running.signal(id, number);
      });
    },
  };
}

/** Throws `STEP_SIGNAL_UNKNOWN`. */
function signalNumber(name: string): number {
  const all: Readonly<Record<string, number>> = constants.signals;
  const long = name.startsWith('SIG') ? name : `SIG${name}`;
  const number = Object.hasOwn(all, long) ? all[long] : undefined;
  if (number === undefined) throw workerError('STEP_SIGNAL_UNKNOWN', `send signal "${name}": there is no such signal`);
  return number;
}
