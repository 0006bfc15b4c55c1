import { chmodSync, closeSync, constants, openSync, rmSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { CodedError, hasErrno, messageOf, type ErrorKind } from '../base/index.ts';
import type { TerminalSize } from '../exec/index.ts';
import { machineError } from './errors.ts';

/** What one asks a monitor, as the first message of a connection. */
export type Question =
  /** Answered by `done` when its output is seen from now on; ends with `exit`. */
  | { readonly ask: 'attach'; readonly stdin: boolean; readonly size?: TerminalSize | undefined }
  | ExecQuestion
  /** Answered with `exit` when it has ended. `graceMs`: absent is the container's own, negative waits as long as it takes. `discard`: what it wrote is not kept, because it is about to be removed. */
  | { readonly ask: 'stop'; readonly graceMs?: number | undefined; readonly discard?: boolean | undefined }
  /** Answered by `done`. */
  | { readonly ask: 'signal'; readonly number: number }
  /** Answered with `exit` when it has ended for good. */
  | { readonly ask: 'wait' }
  /** Answered with a `ProcessUsage` as `value`, null when it does not run. */
  | { readonly ask: 'usage' }
  | FilesQuestion
  /** No more questions about files, to who shows them of a container that does not run. Not answered. */
  | { readonly ask: 'done' };

/** Paths are the container's own. */
export type FilesQuestion =
  /** Answered with a `RootedStat` as `value`, null when nothing is there. */
  | { readonly ask: 'stat'; readonly path: string; readonly follow: boolean }
  /** Answered with a tar on standard output, in which it is called `as`, and `exit` 0. */
  | { readonly ask: 'pack'; readonly path: string; readonly as: string; readonly follow: boolean }
  /** Unpacks the tar that follows as standard input below a folder; answered with `exit` 0. Without `keepOwner` all of it is root's. */
  | { readonly ask: 'unpack'; readonly path: string; readonly keepOwner: boolean };

export interface ExecQuestion {
  readonly ask: 'exec';
  readonly args: readonly string[];
  /** `name=value`, besides what the container has. */
  readonly env: readonly string[];
  readonly cwd?: string | undefined;
  /** As the image names it; absent is the container's. */
  readonly user?: string | undefined;
  readonly terminal?: TerminalSize | undefined;
  readonly stdin: boolean;
  /** Goes on without who asked: answered by `done` at once. */
  readonly detach: boolean;
}

/** What is said besides while a process is attached: the size of the terminal has changed. */
export interface SizeMessage {
  readonly size: TerminalSize;
}

export type Answer =
  | { readonly done: true }
  | { readonly exit: number }
  | { readonly value: unknown }
  | {
      readonly error: {
        readonly code: string;
        readonly kind: ErrorKind;
        readonly message: string;
        readonly remedy?: string | undefined;
      };
    };

const SOCKET = 'monitor.sock';
const ANSWERING_MS = 1000;

/** Listens in a container's folder. The path alone may be longer than a socket's address can be, so it is named by the folder's descriptor. */
export async function listenIn(folder: string, serve: (socket: Socket) => void): Promise<Server & AsyncDisposable> {
  const fd = openFolder(folder);
  const open = new Set<Socket>();
  const server = createServer((socket) => {
    open.add(socket);
    socket.once('close', () => open.delete(socket));
    serve(socket);
  });
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  server.once('error', reject);
  // What a killed one has left: who has taken the container is the only one to listen.
  rmSync(join(folder, SOCKET), { force: true });
  server.listen(`/proc/self/fd/${fd}/${SOCKET}`, resolve);
  try {
    await promise;
    // Nobody else enters the folder meanwhile.
    chmodSync(join(folder, SOCKET), 0o600);
  } catch (error) {
    closeSync(fd);
    throw error;
  }
  return Object.assign(server, {
    [Symbol.asyncDispose]: async (): Promise<void> => {
      const closed = new Promise<void>((ended) => server.close(() => ended()));
      // Who is being answered gets the answer.
      const idle = setTimeout(() => open.forEach((socket) => socket.destroy()), ANSWERING_MS);
      await closed;
      clearTimeout(idle);
      closeSync(fd);
    },
  });
}

/** A connection to the monitor of the container in a folder. Throws `CONTAINER_NOT_RUNNING` when none listens there. */
export async function connectIn(folder: string, o: { readonly name: string }): Promise<Socket> {
  const gone = (cause: unknown): Error =>
    machineError('CONTAINER_NOT_RUNNING', `reach container "${o.name}": it is not running`, {
      cause,
      remedy: `Start it: strake start ${o.name}.`,
    });
  let fd: number;
  try {
    fd = openFolder(folder);
  } catch (error) {
    if (hasErrno(error, 'ENOENT')) throw gone(error);
    throw error;
  }
  try {
    const { promise, resolve, reject } = Promise.withResolvers<Socket>();
    const socket = connect(`/proc/self/fd/${fd}/${SOCKET}`);
    socket.once('connect', () => resolve(socket)).once('error', reject);
    return await promise;
  } catch (error) {
    if (hasErrno(error, 'ENOENT', 'ECONNREFUSED')) throw gone(error);
    throw error;
  } finally {
    closeSync(fd);
  }
}

export function answerOf(error: unknown): Answer {
  const { code, kind, remedy } =
    error instanceof CodedError ? error : ({ code: 'CONTAINER_FAILED', kind: 'failed', remedy: undefined } as const);
  return { error: { code, kind, message: messageOf(error), remedy } };
}

export function errorOf(answer: Extract<Answer, { error: unknown }>): Error {
  return new CodedError(answer.error);
}

function openFolder(folder: string): number {
  return openSync(folder, constants.O_RDONLY | constants.O_DIRECTORY);
}
