import { chmodSync, closeSync, constants, openSync, unlinkSync } from 'node:fs';
import { Socket } from 'node:net';
import { sys } from '../base/index.ts';

/**
 * A pipe to or from a child. Node's own `pipe` is a pair of sockets, which a program cannot open again as /dev/stdout (ENXIO); a FIFO can, by any user of the step. `path` is a free name on a file system of one's own.
 */
export interface Pipe {
  /** The child's end: give it to spawn, then `started()`. */
  readonly fd: number;
  /** Our end. */
  readonly socket: Socket;
  /** Closes the child's end in this process. */
  started(): void;
}

export function outputPipe(path: string): Pipe {
  return pipe(path, 'read', (name) => {
    const ours = openSync(name, constants.O_RDONLY | constants.O_NONBLOCK);
    return { ours, theirs: openSync(name, constants.O_WRONLY) };
  });
}

export function inputPipe(path: string): Pipe {
  return pipe(path, 'write', (name) => {
    const first = openSync(name, constants.O_RDONLY | constants.O_NONBLOCK);
    const ours = openSync(name, constants.O_WRONLY | constants.O_NONBLOCK);
    // Opened again, because a child must not find its end non-blocking.
    const theirs = openSync(name, constants.O_RDONLY);
    closeSync(first);
    return { ours, theirs };
  });
}

function pipe(path: string, we: 'read' | 'write', open: (path: string) => { ours: number; theirs: number }): Pipe {
  sys.mknod(path, S_IFIFO | 0o666);
  chmodSync(path, 0o666);
  const { ours, theirs } = open(path);
  unlinkSync(path);
  let closed = false;
  return {
    fd: theirs,
    socket: new Socket({ fd: ours, readable: we === 'read', writable: we === 'write' }),
    started: () => {
      if (!closed) closeSync(theirs);
      closed = true;
    },
  };
}

const S_IFIFO = 0o010000;
