import { Duplex } from 'node:stream';
import { Channel } from '../base/index.ts';

/** A connection on a process's standard input and output: `connection` is our end of it. */
export class ProcessStream {
  readonly connection: Duplex;
  /** Settles when the connection has ended, from either end. */
  readonly closed: Promise<void>;
  readonly #input = new Channel<Uint8Array>();
  #start = Buffer.alloc(0);
  #wake: (() => void) | undefined;

  constructor() {
    this.connection = new Duplex({
      read: () => {
        this.#wake?.();
        this.#wake = undefined;
      },
      // What waits for the process is bounded by HTTP/2's windows. A write that is held up while Node ends its session is one it does not expect.
      write: (chunk: Uint8Array, _encoding, done) => {
        this.#input.push(chunk);
        done();
      },
      final: (done) => {
        this.#input.end();
        done();
      },
      destroy: (error, done) => {
        this.#input.end();
        this.#wake?.();
        done(error);
      },
    });
    this.connection.on('error', () => undefined);
    this.closed = new Promise((resolve) => {
      this.connection.once('close', () => resolve());
    });
  }

  /** What the process reads. */
  stdin(): AsyncIterable<Uint8Array> {
    return this.#input;
  }

  /** Takes what the process writes; waits while nobody reads it. */
  async stdout(chunk: Uint8Array): Promise<void> {
    if (this.#start.length < START) this.#start = Buffer.concat([this.#start, chunk]).subarray(0, START);
    if (this.connection.destroyed) return;
    // Who writes may use its buffer again.
    if (this.connection.push(Buffer.from(chunk))) return;
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
    });
  }

  /** The first bytes that the process wrote, where they are not those of a client of HTTP/2 (RFC 9113, 3.4). */
  get garbage(): string | undefined {
    if (PREFACE.startsWith(this.#start.toString('latin1')) || this.#start.length === 0) return undefined;
    return this.#start.toString('utf8').split('\n')[0]?.trim();
  }

  /** The process has closed its output. */
  end(): void {
    if (!this.connection.destroyed) this.connection.push(null);
  }

  destroy(): void {
    this.connection.destroy();
  }
}

const PREFACE = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n';
const START = PREFACE.length;
