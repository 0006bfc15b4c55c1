import { messageOf, type Wait } from '../../base/index.ts';
import type { Executor, ExecutorReport, Looked, LookedAt, Process, ProcessIo, Question } from '../../exec/index.ts';
import type { Mount } from '../../tree/index.ts';
import type { Asker } from './asker.ts';
import { parsePayload } from './link.ts';
import { entryOf, packMounts, packProcess, type LookAnswer } from './wire.ts';

export const STDOUT = 1;
export const STDERR = 2;
/** JSON of a `Knock`: the process has connected to one of its sockets. */
export const KNOCK = 3;

/** A connection that the keeper holds until `connect` is asked with its number, or `refuse`. */
export interface Knock {
  readonly number: number;
  readonly name: string;
}

type Running = Executor['running'];
type Insides = NonNullable<Running['insides']>;
type Usage = Awaited<ReturnType<Insides['usage']>>;
type Stat = Awaited<ReturnType<Insides['stat']>>;
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
      insides: {
        usage: async (id, w) => ((await asker.ask('insideUsage', { id }, w)) ?? undefined) as Usage,
        stat: async (id, path, { follow, signal }) =>
          ((await asker.ask('insideStat', { id, path, follow }, { signal })) ?? undefined) as Stat,
        pack: async (id, path, o) =>
          void (await asker.ask(
            'insidePack',
            { id, path, as: o.as, follow: o.follow },
            { signal: o.signal, onData: (_, chunk) => o.send(chunk) },
          )),
        unpack: async (id, folder, { tar, owner, signal }) =>
          void (await asker.ask('insideUnpack', { id, folder, owner }, { signal, upload: tar })),
      },
    };
  }

  async run(process: Process, o: { root: readonly Mount[]; io: ProcessIo } & Wait): Promise<number> {
    return this.#stream('run', { process: packProcess(process), root: o.root }, o);
  }

  async look(at: LookedAt, question: Question, w?: Wait): Promise<Looked | undefined> {
    const chunks: Uint8Array[] = [];
    const onData = (_: number, chunk: Uint8Array): void => void chunks.push(chunk);
    const { rows } = (await this.#asker.ask(
      'lookInto',
      { at: packMounts(at), question },
      { ...w, onData },
    )) as LookAnswer;
    return (
      rows && { entries: rows.map(entryOf), content: question.kind === 'read' ? Buffer.concat(chunks) : undefined }
    );
  }

  async #stream(method: string, params: unknown, o: { io: ProcessIo } & Wait): Promise<number> {
    const { io, signal } = o;
    const ending = new AbortController();
    const onData = (stream: number, chunk: Uint8Array): void | Promise<void> => {
      if (stream === STDERR) return io.stderr(chunk);
      if (stream !== KNOCK) return io.stdout(chunk);
      void this.#connect(parsePayload(chunk) as Knock, { io, signal: ending.signal });
    };
    try {
      return (await this.#asker.ask(method, params, { signal, upload: io.stdin, onData })) as number;
    } finally {
      ending.abort();
    }
  }

  async #connect({ number, name }: Knock, o: { io: ProcessIo; signal: AbortSignal }): Promise<void> {
    const { io, signal } = o;
    try {
      if (!io.connect) throw new Error('nothing was offered');
      await using channel = await io.connect(name, { signal });
      const onData = (_: number, chunk: Uint8Array): Promise<void> => channel.write(chunk);
      await this.#asker.ask('connect', { number }, { signal, upload: channel.readable, onData });
    } catch (error) {
      if (!signal.aborted)
        await this.#asker.ask('refuse', { number, reason: messageOf(error) }, { signal }).catch(() => undefined);
    }
  }
}
