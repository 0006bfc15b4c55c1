import { closeSync } from 'node:fs';
import { ReadStream } from 'node:tty';
import { messageOf, sys } from '../base/index.ts';
import { execError } from './errors.ts';
import type { TerminalSize } from './process.ts';

/** A pseudo terminal: the child's end as a file descriptor, ours as a stream. */
export interface Terminal {
  /** For all three of the child's; `started()` closes it here. */
  readonly fd: number;
  /** Ends by the error EIO when nobody has the child's end any more. */
  readonly stream: ReadStream;
  started(): void;
  close(): void;
  resize(size: TerminalSize): void;
}

/**
 * A new terminal. `ptmx` is that of the devpts it shall belong to, the machine's by default. `raw`: the child's end is only passed through, by a runtime that gives the process a terminal of its own. Throws `RUNTIME_FAILED`.
 */
export function openTerminal(size: TerminalSize, o: { ptmx?: string | undefined; raw: boolean }): Terminal {
  const { master, slave } = opened(o.ptmx);
  let stream: ReadStream | undefined;
  let given = false;
  try {
    sys.setWindowSize(master, size);
    if (o.raw) sys.setRaw(slave);
    const ours = new ReadStream(master);
    stream = ours;
    const started = (): void => {
      if (!given) closeSync(slave);
      given = true;
    };
    return {
      fd: slave,
      stream: ours,
      started,
      close: () => {
        started();
        ours.destroy();
      },
      resize: (to) => {
        if (!ours.destroyed) sys.setWindowSize(master, to);
      },
    };
  } catch (error) {
    closeSync(slave);
    if (!stream) closeSync(master);
    else stream.destroy();
    throw failed(error);
  }
}

function opened(ptmx: string | undefined): sys.Pty {
  try {
    return sys.openPty(ptmx);
  } catch (error) {
    throw failed(error);
  }
}

function failed(error: unknown): Error {
  return execError('RUNTIME_FAILED', `open a pseudo terminal: ${messageOf(error)}`, { cause: error });
}
