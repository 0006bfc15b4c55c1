import { spawn, type ChildProcess } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { constants } from 'node:os';
import { join } from 'node:path';
import type { Socket } from 'node:net';
import { cancelled, hasErrno, messageOf, throwIfCancelled, type Wait } from '../base/index.ts';
import { execError } from './errors.ts';
import { signal } from './descendants.ts';
import { inputPipe, outputPipe } from './fifo.ts';
import { childrenOf } from './machine.ts';
import type { HandedTerminal } from './handed-terminal.ts';
import type { ProcessIo } from './process.ts';
import type { Terminal } from './terminal.ts';

export interface Command {
  readonly file: string;
  readonly args: readonly string[];
  /** All of its environment. */
  readonly env: Readonly<Record<string, string>>;
  /** A file for what the starters themselves say; the process's stderr is then descriptor 3, to be moved to 2. */
  readonly aside?: string | undefined;
  /** Instead of pipes. */
  readonly terminal?: Terminal | undefined;
  /** Instead of pipes: the terminal that the command makes and hands over. */
  readonly handed?: HandedTerminal | undefined;
}

/**
 * The start of a command line that gives what follows a PID namespace of its own, which ends with it whole: when it exits, when it is killed, and when this process dies in whatever way. /proc shows that namespace; mounts that
 * this process undoes meanwhile go from it too, so that it holds no other step's root.
 */
export function enclosed(
  tools: { readonly setpriv: string; readonly unshare: string },
  extra: readonly string[] = [],
): string[] {
  const dying = [tools.setpriv, '--pdeathsig', 'KILL'];
  const alone = [tools.unshare, '--mount', '--propagation', 'slave', '--pid', '--fork', '--kill-child'];
  return [...dying, ...alone, ...extra];
}

/**
 * Runs a command that `enclosed` starts to its end, all its processes included, and gives its exit code (128 + n for signal n). When the signal fires all are killed and it throws `CANCELLED`.
 * `folder` is for the pipes' names.
 */
export async function launch(
  command: Command,
  o: {
    readonly folder: string;
    readonly io: ProcessIo;
    /** Called with the process's number when it is started. */
    readonly onStart?: ((pid: number) => void) | undefined;
    /** Called when it has ended, before the rest of its output is read: whatever else holds that open can be ended here. */
    readonly onEnd?: (() => void | Promise<void>) | undefined;
    /** Kills the command; by default as `enclosed` wants it. */
    readonly kill?: ((child: ChildProcess) => void) | undefined;
  } & Wait,
): Promise<number> {
  throwIfCancelled(o);
  const { handed } = command;
  let stdio = command.terminal ? terminalStdio(command.terminal) : handed ? NO_STREAMS : pipeStdio(o.folder, o.io);
  const kill = o.kill ?? killWhole;
  const child = start(command, stdio);
  const exit = exitOf(child, command);
  if (child.pid !== undefined) o.onStart?.(child.pid);
  const onAbort = (): void => kill(child);
  o.signal?.addEventListener('abort', onAbort, { once: true });
  if (o.signal?.aborted) onAbort();
  if (handed) stdio = handedStdio(await handed.stream(exit));
  let fault: unknown;
  const fail = (error: unknown): void => {
    fault ??= error;
    kill(child);
  };
  // What the tools say about being killed is of no interest.
  const live = (see: See) => (chunk: Uint8Array) => (o.signal?.aborted ? undefined : see(chunk));
  const read = stdio.outputs.map(({ socket, name }) =>
    drained(
      socket,
      live((chunk) => o.io[name](chunk)),
      fail,
    ),
  );
  if (stdio.input && o.io.stdin)
    void feed(stdio.input, o.io.stdin, { end: command.terminal === undefined && !handed }).catch(fail);
  try {
    const code = await exit;
    await o.onEnd?.();
    // Whoever takes no more of what it said is not waited for.
    if (o.signal?.aborted === true || fault !== undefined) for (const { socket } of stdio.outputs) socket.destroy();
    await Promise.all(read);
    if (o.signal?.aborted) throw cancelled(o.signal.reason);
    if (fault !== undefined) throw fault;
    return code;
  } finally {
    o.signal?.removeEventListener('abort', onAbort);
    for (const { socket } of stdio.outputs) socket.destroy();
    stdio.input?.destroy();
  }
}

type See = (chunk: Uint8Array) => void | Promise<void>;

/** A child's three streams, and our ends of them. */
interface Stdio {
  readonly stdin: number | 'ignore';
  readonly stdout: number | 'ignore';
  readonly stderr: number | 'ignore';
  readonly outputs: readonly { readonly socket: Socket; readonly name: 'stdout' | 'stderr' }[];
  readonly input: Socket | undefined;
  started(): void;
}

function pipeStdio(folder: string, io: ProcessIo): Stdio {
  const out = outputPipe(join(folder, 'stdout'));
  const err = outputPipe(join(folder, 'stderr'));
  const input = io.stdin === undefined ? undefined : inputPipe(join(folder, 'stdin'));
  return {
    stdin: input?.fd ?? 'ignore',
    stdout: out.fd,
    stderr: err.fd,
    outputs: [
      { socket: out.socket, name: 'stdout' },
      { socket: err.socket, name: 'stderr' },
    ],
    input: input?.socket,
    started: () => {
      for (const pipe of [out, err, input]) pipe?.started();
    },
  };
}

function terminalStdio(terminal: Terminal): Stdio {
  const { fd, stream } = terminal;
  return {
    stdin: fd,
    stdout: fd,
    stderr: fd,
    outputs: [{ socket: stream, name: 'stdout' }],
    input: stream,
    started: () => terminal.started(),
  };
}

/** Of a command whose process has a terminal that is still to come. */
const NO_STREAMS: Stdio = {
  stdin: 'ignore',
  stdout: 'ignore',
  stderr: 'ignore',
  outputs: [],
  input: undefined,
  started: () => undefined,
};

function handedStdio(stream: Socket | undefined): Stdio {
  return stream ? { ...NO_STREAMS, outputs: [{ socket: stream, name: 'stdout' }], input: stream } : NO_STREAMS;
}

function start(command: Command, o: Stdio): ChildProcess {
  const aside = command.aside === undefined ? undefined : openSync(command.aside, 'w', 0o600);
  try {
    // In a session of its own, so that a terminal's Ctrl-C reaches this process only.
    return spawn(command.file, command.args, {
      stdio: aside === undefined ? [o.stdin, o.stdout, o.stderr] : [o.stdin, o.stdout, aside, o.stderr],
      env: command.env,
      detached: true,
    });
  } finally {
    o.started();
    if (aside !== undefined) closeSync(aside);
  }
}

async function exitOf(child: ChildProcess, command: Command): Promise<number> {
  const ended = Promise.withResolvers<number>();
  child.once('error', (error) => {
    const detail = hasErrno(error, 'E2BIG')
      ? 'the arguments and environment are too long'
      : hasErrno(error, 'ENOENT')
        ? 'not found'
        : messageOf(error);
    ended.reject(execError('RUNTIME_FAILED', `run "${command.file}": ${detail}`, { cause: error }));
  });
  child.once('exit', (code, signal) => ended.resolve(code ?? 128 + (signal ? constants.signals[signal] : 0)));
  return ended.promise;
}

/**
 * Kills the PID namespace by its first process and leaves `unshare` to wait for its end, so that its exit says that all are gone. Stopped first, because it may be about to make the namespace.
 */
function killWhole(child: ChildProcess): void {
  const { pid } = child;
  if (pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  child.kill('SIGSTOP');
  const inside = childrenOf(pid);
  for (const init of inside) signal(init, 'SIGKILL');
  child.kill(inside.length > 0 ? 'SIGCONT' : 'SIGKILL');
}

/** Bytes of a stream that may wait to be taken. */
const MOST = 1 << 20;

/** Settles when all that a stream says was given to `see`, or the stream is destroyed. */
export function drained(socket: Socket, see: See, fail: (error: unknown) => void): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  let waiting = 0;
  socket.on('data', (chunk: Buffer) => {
    try {
      const seen = see(chunk);
      if (seen === undefined) return;
      waiting += chunk.length;
      if (waiting > MOST) socket.pause();
      seen.then(() => {
        waiting -= chunk.length;
        if (waiting <= MOST / 2 && socket.isPaused()) socket.resume();
      }, fail);
    } catch (error) {
      fail(error);
    }
  });
  // A terminal that nobody has any more ends so.
  socket.once('error', (error) => {
    if (!hasErrno(error, 'EIO')) fail(error);
  });
  socket.once('close', () => resolve());
  // One that said nothing may have ended before anybody listened.
  if (socket.closed) resolve();
  return promise;
}

/** Writes all to a stream, until that is closed. */
export async function feed(socket: Socket, bytes: AsyncIterable<Uint8Array>, o: { end: boolean }): Promise<void> {
  // A process that ends without reading all its input closes the pipe: no fault.
  let open = true;
  let wake = (): void => undefined;
  const end = (): void => {
    open = false;
    wake();
  };
  socket.once('error', end).once('close', end);
  socket.on('drain', () => wake());
  for await (const chunk of bytes) {
    if (!open) return;
    if (!socket.write(chunk)) await new Promise<void>((resolve) => (wake = resolve));
  }
  if (o.end) socket.end();
}
