import type { Duplex } from 'node:stream';
import { ByteQueue } from './byte-queue.ts';
import { errorData } from './error-data.ts';
import { groundError } from './errors.ts';
import { KIND, type Frame } from './frames.ts';
import { Link, parsePayload } from './link.ts';

/** What a handler has beside its parameters. */
export interface Call {
  /** Fires when the asker gives up, and when the connection ends. */
  readonly signal: AbortSignal;
  /** What the asker sends along, if it does. */
  readonly upload: AsyncIterable<Uint8Array> | undefined;
  /** Sends bytes, on stream 0 by default, when the asker has taken most of what came before; false when it has given up. */
  readonly send: (chunk: Uint8Array, stream?: number) => Promise<boolean>;
}

/** Parameters are what the asker's own code has sent. */
export type Handler = (params: never, call: Call) => Promise<unknown>;

interface Serving {
  readonly ending: AbortController;
  readonly upload: ByteQueue | undefined;
}

/** The keeper's end: answers requests by name, each on its own. */
export class Server {
  readonly #link: Link;
  readonly #handlers: Readonly<Record<string, Handler>>;
  readonly #serving = new Map<number, Serving>();
  readonly #running = new Set<Promise<void>>();

  constructor(stream: Duplex, handlers: Readonly<Record<string, Handler>>) {
    this.#handlers = handlers;
    this.#link = new Link(stream, (frame) => this.#take(frame));
  }

  /** Settles when the connection is over. */
  get lost(): Promise<unknown> {
    return this.#link.closed;
  }

  /** Settles when the connection is over and every handler has ended. */
  async closed(): Promise<void> {
    await this.#link.closed;
    for (const { ending, upload } of this.#serving.values()) {
      ending.abort();
      upload?.end();
    }
    await Promise.all(this.#running);
  }

  #take(frame: Frame): void {
    const { id } = frame;
    const serving = this.#serving.get(id);
    if (frame.kind === KIND.request) {
      const running = this.#serve(id, frame.payload);
      this.#running.add(running);
      void running.finally(() => this.#running.delete(running));
    } else if (frame.kind === KIND.cancel) serving?.ending.abort();
    else if (frame.kind === KIND.data) serving?.upload?.push(frame.payload);
    else if (frame.kind === KIND.end) serving?.upload?.end();
    else throw groundError('KEEPER_PROTOCOL', `read from the engine: a frame of kind ${frame.kind}`);
  }

  async #serve(id: number, payload: Uint8Array): Promise<void> {
    const request = parsePayload(payload) as { method: string; params: never; upload: boolean };
    const ending = new AbortController();
    const upload = request.upload ? new ByteQueue((bytes) => this.#link.credit(id, 0, bytes)) : undefined;
    this.#serving.set(id, { ending, upload });
    const call: Call = {
      signal: ending.signal,
      upload,
      send: (chunk, stream = 0) => this.#link.sendData(id, stream, chunk),
    };
    ending.signal.addEventListener('abort', () => this.#link.forget(id));
    try {
      const handler = this.#handlers[request.method];
      if (!handler)
        throw groundError('KEEPER_PROTOCOL', `ask the keeper for "${request.method}": it knows no such thing`);
      const answer = await handler(request.params, call);
      await this.#link.sent(id);
      this.#link.sendJson(KIND.result, id, answer);
    } catch (error) {
      this.#link.sendJson(KIND.error, id, errorData(error));
    } finally {
      this.#serving.delete(id);
      this.#link.forget(id);
    }
  }
}
