import type { Duplex } from 'node:stream';
import { cancelled, messageOf, throwIfCancelled, type Bytes, type Wait } from '../../base/index.ts';
import { ByteQueue } from './byte-queue.ts';
import { errorOf, type ErrorData } from './error-data.ts';
import { groundError } from './errors.ts';
import { KIND, type Frame } from './frames.ts';
import { Link, parsePayload } from './link.ts';

export interface AskOptions extends Wait {
  /** Called with what comes on the streams of the request, in order. More comes when it has taken that: a promise says when. */
  readonly onData?: ((stream: number, chunk: Uint8Array) => void | Promise<void>) | undefined;
  /** Sent along on stream 0. */
  readonly upload?: AsyncIterable<Uint8Array> | undefined;
}

interface Asked extends PromiseWithResolvers<unknown> {
  readonly see: (stream: number, chunk: Uint8Array) => void;
}

/** The engine's end: any number of requests at once, each with one answer; bytes come and go while one is open. When the connection ends, all fail with `KEEPER_LOST`. */
export class Asker {
  readonly #link: Link;
  readonly #asked = new Map<number, Asked>();
  readonly #why: () => string;
  #last = 0;

  /** `why`: what is known about the end of the other side, for the message. */
  constructor(stream: Duplex, why: () => string = () => '') {
    this.#why = why;
    this.#link = new Link(stream, (frame) => this.#take(frame));
    void this.#link.closed.then((fault) => {
      for (const asked of this.#asked.values()) asked.reject(this.#lost(fault));
    });
  }

  get closed(): Promise<unknown> {
    return this.#link.closed;
  }

  close(): void {
    this.#link.close();
  }

  /** The answer. When the signal fires the other side is told and its answer still waited for: it cleans up first. */
  async ask(method: string, params: unknown, o: AskOptions = {}): Promise<unknown> {
    const id = ++this.#last;
    const taking = new Taking(o.onData, (stream, bytes) => this.#link.credit(id, stream, bytes));
    const ending = new AbortController();
    taking.failed.catch(() => ending.abort());
    const signal = o.signal ? AbortSignal.any([o.signal, ending.signal]) : ending.signal;
    try {
      const answer = await this.#ask(id, { method, params }, { ...o, signal, see: taking.see });
      await taking.done();
      return answer;
    } catch (error) {
      await taking.done();
      throw o.signal?.aborted ? cancelled(o.signal.reason) : error;
    }
  }

  /** Bytes that come as the answer, as fast as they are taken; to stop taking them gives the request up. */
  async *stream(method: string, params: unknown, w: Wait = {}): Bytes {
    const id = ++this.#last;
    const ending = new AbortController();
    const queue = new ByteQueue((bytes) => this.#link.credit(id, 0, bytes));
    const done = this.#ask(
      id,
      { method, params },
      {
        signal: w.signal ? AbortSignal.any([w.signal, ending.signal]) : ending.signal,
        see: (_, chunk) => queue.push(chunk),
      },
    ).then(
      () => queue.end(),
      (error: unknown) => queue.end(error),
    );
    try {
      yield* queue;
    } finally {
      ending.abort();
      await done;
    }
  }

  async #ask(
    id: number,
    request: { method: string; params: unknown },
    o: Omit<AskOptions, 'onData'> & Pick<Asked, 'see'>,
  ): Promise<unknown> {
    throwIfCancelled(o);
    if (!this.#link.open) throw this.#lost(undefined);
    const asked: Asked = { ...Promise.withResolvers<unknown>(), see: o.see };
    this.#asked.set(id, asked);
    const cancel = (): void => this.#link.send(KIND.cancel, id);
    this.#link.sendJson(KIND.request, id, { ...request, upload: o.upload !== undefined });
    o.signal?.addEventListener('abort', cancel, { once: true });
    if (o.upload)
      void this.#upload(id, o.upload).catch((error: unknown) => {
        asked.reject(error);
        cancel();
      });
    try {
      return await asked.promise;
    } catch (error) {
      throw o.signal?.aborted ? cancelled(o.signal.reason) : error;
    } finally {
      o.signal?.removeEventListener('abort', cancel);
      this.#asked.delete(id);
      this.#link.forget(id);
    }
  }

  async #upload(id: number, bytes: AsyncIterable<Uint8Array>): Promise<void> {
    for await (const chunk of bytes) {
      if (!this.#asked.has(id)) return;
      if (!(await this.#link.sendData(id, 0, chunk))) return;
    }
    if (this.#asked.has(id)) this.#link.send(KIND.end, id);
  }

  #take(frame: Frame): void {
    const asked = this.#asked.get(frame.id);
    if (frame.kind === KIND.data) asked?.see(frame.stream, frame.payload);
    else if (frame.kind === KIND.result) asked?.resolve(parsePayload(frame.payload));
    else if (frame.kind === KIND.error) asked?.reject(errorOf(parsePayload(frame.payload) as ErrorData));
    else throw groundError('KEEPER_PROTOCOL', `read from the keeper: a frame of kind ${frame.kind}`);
  }

  #lost(fault: unknown): Error {
    const detail = [this.#why(), fault === undefined ? '' : messageOf(fault)].filter(Boolean).join(': ');
    return groundError('KEEPER_LOST', `speak to the keeper: it is gone${detail ? `: ${detail}` : ''}`, {
      cause: fault,
    });
  }
}

/** Gives the pieces that come to a function one after the other, and room for more when it has taken one. */
class Taking {
  /** Rejects when the function fails. */
  readonly failed: Promise<never>;
  readonly #fail: (error: unknown) => void;
  readonly #take: NonNullable<AskOptions['onData']>;
  readonly #credit: (stream: number, bytes: number) => void;
  #last: Promise<void> | undefined;
  #error: { readonly error: unknown } | undefined;

  constructor(take: AskOptions['onData'], credit: (stream: number, bytes: number) => void) {
    const { promise, reject } = Promise.withResolvers<never>();
    this.failed = promise;
    this.#fail = reject;
    this.#take = take ?? (() => undefined);
    this.#credit = credit;
  }

  readonly see = (stream: number, chunk: Uint8Array): void => {
    if (this.#error) return;
    const give = (): Promise<void> | undefined => {
      const taken = this.#take(stream, chunk);
      if (taken) return taken.then(() => this.#credit(stream, chunk.length));
      this.#credit(stream, chunk.length);
      return undefined;
    };
    const fail = (error: unknown): void => {
      this.#error ??= { error };
      this.#fail(error);
    };
    try {
      const given = this.#last ? this.#last.then(() => (this.#error ? undefined : give())) : give();
      const last = given?.catch(fail).then(() => {
        if (this.#last === last) this.#last = undefined;
      });
      this.#last = last;
    } catch (error) {
      fail(error);
    }
  };

  /** Settles when all that came has been taken. Throws what taking it threw. */
  async done(): Promise<void> {
    await this.#last;
    if (this.#error) throw this.#error.error;
  }
}
