import type { Wait } from '../../base/index.ts';
import type { Executor, ExecutorReport, Process, ProcessIo } from '../../exec/index.ts';
import type { Mount } from '../../tree/index.ts';
import type { Asker } from './asker.ts';
import { packProcess } from './wire.ts';

export const STDOUT = 1;
export const STDERR = 2;

/** The keeper's executor. */
export class RemoteExecutor implements Executor {
  readonly report: ExecutorReport;
  readonly #asker: Asker;

  constructor(asker: Asker, report: ExecutorReport) {
    this.#asker = asker;
    this.report = report;
  }

  async run(process: Process, o: { root: readonly Mount[]; io: ProcessIo } & Wait): Promise<number> {
    const { io, root, signal } = o;
    const code = await this.#asker.ask(
      'run',
      { process: packProcess(process), root },
      {
        signal,
        upload: io.stdin,
        onData: (stream, chunk) => (stream === STDERR ? io.stderr(chunk) : io.stdout(chunk)),
      },
    );
    return code as number;
  }
}
