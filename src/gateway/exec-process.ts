import { hasCode, kindOf, messageOf, unlessCancelled } from '../base/index.ts';
import type { ContainerProcess, ProcessControl } from '../frontend/index.ts';
import { Code, StatusError, type MessageInitShape } from '../wire/grpc/index.ts';
import { SecurityMode } from '../wire/gen/buildkit/ops_pb.ts';
import type { ExecMessageSchema, ExecMessage, InitMessage } from '../wire/gen/buildkit/gateway_pb.ts';
import { containerOf } from './containers.ts';
import { gatewayError } from './errors.ts';
import { detailOf, toFailure } from './failure.ts';
import { HandOver } from './hand-over.ts';
import type { Steering } from './steering.ts';

type Answer = MessageInitShape<typeof ExecMessageSchema>;

/** Bytes of a stream that may be on their way. */
const MOST = 1 << 20;
/** How ends what never began, or was cut off (pb.UnknownExitStatus). */
const UNKNOWN_EXIT = 255;

const [STDIN, STDOUT, STDERR] = [0, 1, 2];

/** A process of the stream. */
interface Live {
  readonly stdin: HandOver<Uint8Array>;
  readonly hasStdin: boolean;
  control: ProcessControl | undefined;
  /** What was asked of it before it began. */
  readonly early: ((control: ProcessControl) => void)[];
}

/** ExecProcess: any number of processes on one stream, each by its ProcessID: Init; Started, then File both ways, Resize and Signal, Exit, Done. Its end kills them. */
export async function* execProcess(
  steering: Steering,
  requests: AsyncIterable<ExecMessage>,
  o: { readonly signal: AbortSignal },
): AsyncIterable<Answer> {
  const answers = new HandOver<Answer>(MOST);
  const over = new AbortController();
  const signal = AbortSignal.any([o.signal, over.signal]);
  let fault: { readonly error: unknown } | undefined;
  const fail = (error: unknown): void => {
    fault ??= { error };
    over.abort(error);
  };
  const reading = readAll(steering, requests, { answers, signal, fail })
    .catch(fail)
    .finally(() => answers.end());
  try {
    yield* answers;
    if (fault) throw toFailure(fault.error);
  } finally {
    over.abort();
    await reading;
  }
}

/** To the end of the messages, and of all processes. */
async function readAll(
  steering: Steering,
  requests: AsyncIterable<ExecMessage>,
  o: {
    readonly answers: HandOver<Answer>;
    readonly signal: AbortSignal;
    readonly fail: (error: unknown) => void;
  },
): Promise<void> {
  const live = new Map<string, Live>();
  const running = new Set<Promise<void>>();
  const stop = (): void => {
    for (const { stdin } of live.values()) stdin.end();
  };
  o.signal.addEventListener('abort', stop, { once: true });
  try {
    const iterator = requests[Symbol.asyncIterator]();
    const next = (): Promise<IteratorResult<ExecMessage>> => unlessCancelled(iterator.next(), o);
    for (let one = await next(); one.done !== true; one = await next()) {
      const { ProcessID: id, Input: message } = one.value;
      if (id === '') throw gatewayError('SOLVE_INVALID', 'ProcessID required');
      if (message.case === 'Init') {
        if (live.has(id)) throw gatewayError('CONTAINER_EXISTS', `Process ${id} already exists`);
        const process: Live = {
          stdin: new HandOver(MOST),
          hasStdin: message.value.Fds.includes(STDIN),
          control: undefined,
          early: [],
        };
        live.set(id, process);
        const run = runProcess(steering, message.value, { ...o, id, process })
          .catch(o.fail)
          .finally(() => running.delete(run));
        running.add(run);
        continue;
      }
      const process = live.get(id);
      if (!process) throw gatewayError('CONTAINER_UNKNOWN', `IO for process "${id}" not found`);
      if (message.case === 'File') {
        const { Fd, Data, EOF } = message.value;
        if (Fd !== STDIN || !process.hasStdin) throw gatewayError('SOLVE_INVALID', `fd ${Fd} unavailable to write`);
        if (Data.length > 0) await process.stdin.put(Data, Data.length);
        if (EOF) process.stdin.end();
      } else if (message.case === 'Resize') {
        const size = { columns: message.value.Cols, rows: message.value.Rows };
        steer(process, (control) => control.resize(size));
      } else if (message.case === 'Signal') signalProcess(process, message.value.Name);
    }
    await Promise.all(running);
  } finally {
    stop();
    o.signal.removeEventListener('abort', stop);
    await Promise.allSettled(running);
  }
}

function steer(process: Live, how: (control: ProcessControl) => void): void {
  if (process.control) how(process.control);
  else process.early.push(how);
}

function signalProcess(process: Live, name: string): void {
  try {
    steer(process, (control) => control.signal(name));
  } catch (error) {
    if (!hasCode(error, 'STEP_SIGNAL_UNKNOWN')) throw error;
    throw gatewayError('SOLVE_INVALID', `Unknown signal ${name}`, { cause: error });
  }
}

async function runProcess(
  steering: Steering,
  init: InitMessage,
  o: {
    readonly id: string;
    readonly process: Live;
    readonly answers: HandOver<Answer>;
    readonly signal: AbortSignal;
  },
): Promise<void> {
  const { id, process, answers, signal } = o;
  const { Meta: meta, Fds, Tty: tty } = init;
  const say = (Input: NonNullable<Answer['Input']>, size?: number): Promise<void> =>
    answers.put({ ProcessID: id, Input }, size);
  const { container } = await containerOf(steering, init.ContainerID);
  const output = (fd: number) => (chunk: Uint8Array) =>
    // The chunk's memory is used again by whoever gave it.
    Fds.includes(fd) ? say({ case: 'File', value: { Fd: fd, Data: Uint8Array.from(chunk) } }, chunk.length) : undefined;
  const asked: ContainerProcess = {
    args: meta?.args ?? [],
    env: meta?.env ?? [],
    cwd: meta?.cwd || undefined,
    user: meta?.user ?? '',
    secretEnv: init.secretenv.map(({ ID, name, optional }) => ({ id: ID, name, required: !optional })),
    security: init.Security === SecurityMode.INSECURE ? 'insecure' : 'sandbox',
    terminal: tty ? { columns: 80, rows: 24 } : undefined,
    stdin: process.hasStdin ? process.stdin : undefined,
    stdout: output(STDOUT),
    stderr: output(STDERR),
    onStart: (control) => {
      process.control = control;
      for (const how of process.early.splice(0)) how(control);
      void say({ case: 'Started', value: {} });
    },
  };
  const { code, error } = await ended(container.run(asked, { signal }));
  // Who asked for one that never began is told of its end all the same, after its beginning.
  if (!process.control) await say({ case: 'Started', value: {} });
  process.control = { resize: () => undefined, signal: () => undefined };
  process.stdin.end();
  for (const Fd of Fds) if (Fd !== STDIN) await say({ case: 'File', value: { Fd, EOF: true } });
  const status = error && { code: error.code, message: error.message, details: [...error.details] };
  await say({ case: 'Exit', value: { Code: code, ...(status && { Error: status }) } });
  await say({ case: 'Done', value: {} });
}

/** How a process ended, and what is wrong with that. */
async function ended(running: Promise<number>): Promise<{ readonly code: number; readonly error?: StatusError }> {
  try {
    const code = await running;
    if (code === 0) return { code };
    const details = [detailOf('gatewayapi.ExitMessage', { Code: code })];
    return { code, error: new StatusError(Code.Unknown, `exit code: ${code}`, { details }) };
  } catch (error) {
    const failure = kindOf(error) === 'cancelled' ? new StatusError(Code.Canceled, messageOf(error)) : toFailure(error);
    return { code: UNKNOWN_EXIT, error: failure };
  }
}
