import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { ReadStream } from 'node:tty';
import { sys } from '../base/index.ts';
import type { TerminalSize } from './process.ts';

/**
 * The end of a terminal that a runtime makes for a process, and hands over by a socket of ours (`--console-socket`). So nothing stands between the two: a crun that carries what a terminal says puts what it has not yet
 * read when the process ends into its log (flush_fd_to_err in libcrun's container.c of 1.8), and passes no sizes on.
 */
export class HandedTerminal {
  /** Of the socket. */
  readonly path: string;
  readonly #receiver: sys.HandedOver;
  #fd: number | undefined;
  #stream: ReadStream | undefined;
  #size: TerminalSize | undefined;

  /** The socket is in `folder`. */
  constructor(folder: string) {
    this.path = join(folder, 'console.sock');
    this.#receiver = sys.receiveFd(this.path);
  }

  /** Our end, as a stream; undefined when the runtime has ended without making a terminal. */
  async stream(ended: Promise<unknown>): Promise<ReadStream | undefined> {
    let over = false;
    const end = (): void => void (over = true);
    void ended.then(end, end);
    for (;;) {
      // What it has handed over before its end is there.
      const last = over;
      const fd = this.#receiver.take();
      if (fd !== undefined) {
        this.#fd = fd;
        this.#stream = new ReadStream(fd);
        if (this.#size) this.resize(this.#size);
        return this.#stream;
      }
      if (last) return undefined;
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
    }
  }

  resize(size: TerminalSize): void {
    this.#size = size;
    if (this.#fd !== undefined && this.#stream?.destroyed === false) sys.setWindowSize(this.#fd, size);
  }

  close(): void {
    this.#stream?.destroy();
    this.#receiver[Symbol.dispose]();
    rmSync(this.path, { force: true });
  }
}

const LOOK_MS = 2;
