import type { Wait } from '../../base/index.ts';
import type { Executor, ExecutorReport, Process, ProcessIo } from '../../exec/index.ts';
import type { Mount } from '../../tree/index.ts';
import type { Asker } from './asker.ts';
import { packProcess } from './wire.ts';

export const STDOUT = 1;
export const STDERR = 2;

type Running = Executor['running'];
/** A process to run beside a running one. */
export type Joining = Parameters<Running['join']>[1];

/** The keeper's executor. */
export class RemoteExecutor implements Executor {
  readonly report: ExecutorReport;
  readonly running: Running;
  readonly #asker: Asker;

  constructor(asker: Asker, report: ExecutorReport) {
    this.#asker = asker;
    this.report = report;
    this.running = {
      signal: async (id, signal, w) =>
        (await asker.ask('signal', { id, signal }, w)) as Awaited<ReturnType<Running['signal']>>,
      resize: async (id, size, w) => void (await asker.ask('resize', { id, size }, w)),
      listening: async (id, w) =>
        (await asker.ask('listening', { id }, w)) as Awaited<ReturnType<Running['listening']>>,
      join: (id, process, o) => this.#stream('join', { id, process }, o),
    };
  }

  async run(process: Process, o: { root: readonly Mount[]; io: ProcessIo } & Wait): Promise<number> {
    return this.#stream('run', { process: packProcess(process), root: o.root }, o);
  }

  async #stream(method: string, params: unknown, o: { io: ProcessIo } & Wait): Promise<number> {
    const { io, signal } = o;
    const onData = (stream: number, chunk: Uint8Array): void | Promise<void> =>
      stream === STDERR ? io.stderr(chunk) : io.stdout(chunk);
    return (await this.#asker.ask(method, params, { signal, upload: io.stdin, onData })) as number;
  }
}
