import type { Socket } from 'node:net';
import { cancelled, throwIfCancelled, type Wait } from '../base/index.ts';
import type { TerminalSize } from '../exec/index.ts';
import { connectIn, errorOf, type Answer, type Question } from './control.ts';
import { machineError } from './errors.ts';
import { FRAME, frameOf, framesOf, messageFrame, parseMessage, sendFrame } from './frames.ts';

export interface AskOptions extends Wait {
  /** The container's folder, and what it is called. */
  readonly folder: string;
  readonly name: string;
}

/** Asks a container's monitor; an exit code when it was waited for. Throws `CONTAINER_NOT_RUNNING`, `MONITOR_LOST` and what it answers with. */
export async function askMonitor(
  question: Exclude<Question, { ask: 'attach' }>,
  o: AskOptions,
): Promise<number | undefined> {
  return converse(question, { ...o, stdout: () => undefined, stderr: () => undefined });
}

/** Asks a container's monitor for something. Throws as `askMonitor` does. */
export async function askValue(
  question: Extract<Question, { ask: 'usage' | 'stat' }>,
  o: AskOptions,
): Promise<unknown> {
  let found: unknown;
  const ignore = (): void => undefined;
  await converse(question, { ...o, stdout: ignore, stderr: ignore, value: (value) => (found = value) });
  return found;
}

/** Whom one speaks to in a container: a process of exec, or its own. */
export interface Conversation {
  resize(size: TerminalSize): void;
}

/** Speaks to a container's process, or to another one beside it, until that ends; gives its exit code. When the signal fires it throws `CANCELLED`: a process of exec is killed then, the container's own goes on. */
export async function converse(
  question: Question,
  o: AskOptions & {
    readonly stdin?: AsyncIterable<Uint8Array> | undefined;
    stdout(chunk: Uint8Array): void | Promise<void>;
    stderr(chunk: Uint8Array): void | Promise<void>;
    /** Takes the answer to a question for something. */
    readonly value?: ((value: unknown) => void) | undefined;
    /** Called when it has begun. */
    readonly begun?: ((conversation: Conversation) => void) | undefined;
  },
): Promise<number | undefined> {
  throwIfCancelled(o);
  const socket = await connectIn(o.folder, o);
  const leave = (): void => void socket.destroy();
  o.signal?.addEventListener('abort', leave, { once: true });
  try {
    await sendFrame(socket, messageFrame(question));
    if (o.stdin) void feed(socket, o.stdin);
    o.begun?.({ resize: (size) => void sendFrame(socket, messageFrame({ size })) });
    const longer = question.ask === 'attach';
    for await (const frame of framesOf(socket)) {
      if (frame.kind === FRAME.stdout) await o.stdout(Buffer.from(frame.payload));
      else if (frame.kind === FRAME.stderr) await o.stderr(Buffer.from(frame.payload));
      else if (frame.kind === FRAME.message) {
        const answer = parseMessage(frame) as Answer;
        if ('error' in answer) throw errorOf(answer);
        if ('exit' in answer) return answer.exit;
        if ('value' in answer) {
          o.value?.(answer.value);
          return undefined;
        }
        if (!longer) return undefined;
      }
    }
    throw lost(o.name);
  } catch (error) {
    if (o.signal?.aborted === true) throw cancelled(o.signal.reason);
    if (error instanceof Error && 'code' in error && CONNECTION.has(String(error.code))) throw lost(o.name, error);
    throw error;
  } finally {
    o.signal?.removeEventListener('abort', leave);
    socket.destroy();
  }
}

const CONNECTION = new Set(['ECONNRESET', 'EPIPE', 'ERR_STREAM_PREMATURE_CLOSE']);

function lost(name: string, cause?: unknown): Error {
  return machineError('MONITOR_LOST', `wait for container "${name}": what watches it has ended`, { cause });
}

async function feed(socket: Socket, stdin: AsyncIterable<Uint8Array>): Promise<void> {
  try {
    for await (const chunk of stdin) await sendFrame(socket, frameOf(FRAME.stdin, chunk));
    await sendFrame(socket, frameOf(FRAME.stdinEnd, Buffer.alloc(0)));
  } catch {
    // An input that breaks is an input that ends.
    void sendFrame(socket, frameOf(FRAME.stdinEnd, Buffer.alloc(0)));
  }
}
