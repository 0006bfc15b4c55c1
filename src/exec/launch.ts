import { spawn, type ChildProcess } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { constants } from 'node:os';
import { join } from 'node:path';
import type { Socket } from 'node:net';
import { cancelled, hasErrno, messageOf, throwIfCancelled, type Wait } from '../base/index.ts';
import { execError } from './errors.ts';
import { inputPipe, outputPipe, type Pipe } from './fifo.ts';
import { childrenOf } from './machine.ts';
import type { ProcessIo } from './executor.ts';

export interface Command {
  readonly file: string;
  readonly args: readonly string[];
  /** All of its environment. */
  readonly env: Readonly<Record<string, string>>;
  /** A file for what the starters themselves say; the process's stderr is then descriptor 3, to be moved to 2. */
  readonly aside?: string | undefined;
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
  o: { readonly folder: string; readonly io: ProcessIo } & Wait,
): Promise<number> {
  throwIfCancelled(o);
  const out = outputPipe(join(o.folder, 'stdout'));
  const err = outputPipe(join(o.folder, 'stderr'));
  const input = o.io.stdin === undefined ? undefined : inputPipe(join(o.folder, 'stdin'));
  const pipes = [out, err, ...(input ? [input] : [])];
  const child = start(command, { stdin: input?.fd ?? 'ignore', stdout: out.fd, stderr: err.fd, pipes });
  const exit = exitOf(child, command);
  const onAbort = (): void => killWhole(child);
  o.signal?.addEventListener('abort', onAbort, { once: true });
  if (o.signal?.aborted) onAbort();
  let fault: unknown;
  const fail = (error: unknown): void => {
    fault ??= error;
    killWhole(child);
  };
  // What the tools say about being killed is of no interest.
  const live = (see: (chunk: Uint8Array) => void) => (chunk: Uint8Array) => void (o.signal?.aborted || see(chunk));
  const read = [
    drained(
      out.socket,
      live((chunk) => o.io.stdout(chunk)),
      fail,
    ),
    drained(
      err.socket,
      live((chunk) => o.io.stderr(chunk)),
      fail,
    ),
  ];
  if (input && o.io.stdin) void feed(input.socket, o.io.stdin).catch(fail);
  try {
    const code = await exit;
    await Promise.all(read);
    if (o.signal?.aborted) throw cancelled(o.signal.reason);
    if (fault !== undefined) throw fault;
    return code;
  } finally {
    o.signal?.removeEventListener('abort', onAbort);
    for (const { socket } of pipes) socket.destroy();
  }
}

function start(
  command: Command,
  o: { stdin: number | 'ignore'; stdout: number; stderr: number; pipes: readonly Pipe[] },
): ChildProcess {
  const aside = command.aside === undefined ? undefined : openSync(command.aside, 'w', 0o600);
  try {
    // In a session of its own, so that a terminal's Ctrl-C reaches this process only.
    return spawn(command.file, command.args, {
      stdio: aside === undefined ? [o.stdin, o.stdout, o.stderr] : [o.stdin, o.stdout, aside, o.stderr],
      env: command.env,
      detached: true,
    });
  } finally {
    for (const pipe of o.pipes) pipe.started();
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

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch (error) {
    if (!hasErrno(error, 'ESRCH')) throw error;
  }
}

function drained(socket: Socket, see: (chunk: Uint8Array) => void, fail: (error: unknown) => void): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  socket.on('data', (chunk: Buffer) => {
    try {
      see(chunk);
    } catch (error) {
      fail(error);
    }
  });
  socket.once('error', fail);
  socket.once('close', () => resolve());
  return promise;
}

async function feed(socket: Socket, bytes: AsyncIterable<Uint8Array>): Promise<void> {
  // A process that ends without reading all its input closes the pipe: no fault.
  let open = true;
  socket.once('error', () => (open = false));
  socket.once('close', () => (open = false));
  for await (const chunk of bytes) {
    if (!open) return;
    if (!socket.write(chunk))
      await new Promise<void>((resolve) => socket.once('drain', resolve).once('close', () => resolve()));
  }
  socket.end();
}
