import { chmodSync, closeSync, constants, fstatSync, openSync, readSync, rmSync, writeFileSync } from 'node:fs';
import { Socket } from 'node:net';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { sys, type Wait } from '../base/index.ts';
import type { TaskIo } from '../wire/containerd/index.ts';
import { drained, feed } from './launch.ts';
import type { Process, ProcessIo } from './process.ts';

/** How the streams of a task of containerd are got at. */
export interface TaskStreams {
  readonly task: TaskIo;
  /** The shim has opened its ends. */
  opened(): void;
  /** Carries what comes and goes until `end`; `fail` is told what went wrong on this side. `onInputEnd`: all of stdin was given. */
  carry(io: ProcessIo, o: { fail: (error: unknown) => void; onInputEnd: () => void } & Wait): void;
  /** The process has ended: settles when all of its output was given. Before the task is deleted for FIFOs, after it for logs. */
  end(): Promise<void>;
  /** `end` is for after the task was deleted. */
  readonly endsAfterTask: boolean;
  /** Closes and removes everything; nothing more is given. */
  close(): void;
}

/** FIFOs in a folder of one's own, which end with this process: the process then waits when they are full. */
export function fifoStreams(folder: string, process: Pick<Process, 'terminal'>, io: ProcessIo): TaskStreams {
  const terminal = process.terminal !== undefined;
  const outputs = (terminal ? (['stdout'] as const) : (['stdout', 'stderr'] as const)).map((name) => {
    const path = makeFifo(join(folder, name));
    // Not blocking, and so polled: a thread that reads a FIFO would never come back when nothing is started.
    const fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    return { name, path, socket: new Socket({ fd, readable: true, writable: false }) };
  });
  const input = io.stdin === undefined ? undefined : openInput(join(folder, 'stdin'));
  const paths = [...outputs.map(({ path }) => path), ...(input ? [input.path] : [])];
  let read: Promise<void>[] = [];
  let abandoned = false;
  const close = (): void => {
    for (const { socket } of outputs) socket.destroy();
    input?.close();
    for (const path of paths) rmSync(path, { force: true });
  };
  return {
    task: {
      terminal,
      stdin: input?.path,
      stdout: outputs[0]?.path,
      stderr: outputs[1]?.path,
    },
    endsAfterTask: false,
    opened: () => input?.opened(),
    carry: (to, o) => {
      const stop = (): void => {
        abandoned = true;
        for (const { socket } of outputs) socket.destroy();
      };
      o.signal?.addEventListener('abort', stop, { once: true });
      const fail = (error: unknown): void => {
        stop();
        o.fail(error);
      };
      read = outputs.map(({ socket, name }) =>
        drained(socket, (chunk) => (abandoned ? undefined : to[name](chunk)), fail),
      );
      if (!input || !to.stdin) return;
      feed(input.socket, to.stdin, { end: !terminal }).catch(fail);
      // A terminal goes on without input.
      if (!terminal) input.socket.once('close', o.onInputEnd);
    },
    end: async () => {
      await Promise.all(read);
    },
    close,
  };
}

/** Files that the shim appends to, whether this process lives or not. */
export function logStreams(paths: { readonly stdout: string; readonly stderr: string }): TaskStreams {
  const { stdout, stderr } = paths;
  for (const path of [stdout, stderr]) writeFileSync(path, '', { mode: 0o600, flag: 'a' });
  let following: Promise<void>[] = [];
  const ended = new AbortController();
  let abandoned = false;
  return {
    task: { terminal: false, stdout: `file://${stdout}`, stderr: `file://${stderr}` },
    endsAfterTask: true,
    opened: () => undefined,
    carry: (to, o) => {
      o.signal?.addEventListener(
        'abort',
        () => {
          abandoned = true;
        },
        { once: true },
      );
      following = (['stdout', 'stderr'] as const).map((name) =>
        follow(paths[name], {
          see: (chunk) => to[name](chunk),
          ended: ended.signal,
          isAbandoned: () => abandoned,
        }).catch((error: unknown) => {
          abandoned = true;
          o.fail(error);
        }),
      );
    },
    end: async () => {
      ended.abort();
      await Promise.all(following);
    },
    close: () => {
      abandoned = true;
      ended.abort();
      for (const path of [stdout, stderr]) rmSync(path, { force: true });
    },
  };
}

const CHUNK = 1 << 16;
const SOON_MS = 10;
const LATE_MS = 80;

/** Gives what is appended to a file, until it has ended. */
async function follow(
  path: string,
  o: {
    readonly see: (chunk: Uint8Array) => void | Promise<void>;
    readonly ended: AbortSignal;
    readonly isAbandoned: () => boolean;
  },
): Promise<void> {
  const fd = openSync(path, 'r');
  let pause = SOON_MS;
  try {
    for (let at = 0; !o.isAbandoned();) {
      const last = o.ended.aborted;
      const { size } = fstatSync(fd);
      if (at < size) {
        const chunk = Buffer.allocUnsafe(Math.min(CHUNK, size - at));
        const length = readSync(fd, chunk, 0, chunk.length, at);
        at += length;
        pause = SOON_MS;
        await o.see(chunk.subarray(0, length));
        continue;
      }
      if (last) return;
      await setTimeout(pause, undefined, { signal: o.ended }).catch(() => undefined);
      pause = Math.min(pause * 2, LATE_MS);
    }
  } finally {
    closeSync(fd);
  }
}

interface InputFifo {
  readonly path: string;
  readonly socket: Socket;
  opened(): void;
  close(): void;
}

/** A FIFO to write to. Until its reader has come this process is one, because there is no writing without. */
function openInput(name: string): InputFifo {
  const path = makeFifo(name);
  let reader: number | undefined = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  const socket = new Socket({
    fd: openSync(path, constants.O_WRONLY | constants.O_NONBLOCK),
    readable: false,
    writable: true,
  });
  socket.on('error', () => undefined);
  const opened = (): void => {
    if (reader !== undefined) closeSync(reader);
    reader = undefined;
  };
  return {
    path,
    socket,
    opened,
    close: () => {
      opened();
      socket.destroy();
    },
  };
}

function makeFifo(path: string): string {
  sys.mknod(path, S_IFIFO | 0o600);
  chmodSync(path, 0o600);
  return path;
}

const S_IFIFO = 0o010000;
