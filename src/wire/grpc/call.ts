import { constants, type ClientHttp2Session, type ClientHttp2Stream } from 'node:http2';
import type { DescMethod } from '@bufbuild/protobuf';
import { frame } from './framing.ts';
import { Metadata, metadataOf } from './metadata.ts';
import type { CallOptions } from './service.ts';
import { Code, StatusError, statusOf } from './status.ts';
import { messagesOf, send } from './wire-stream.ts';

/** Makes one call, and gives its answers as they come. Leaving the iteration gives the call up. Throws `StatusError`. */
export async function* call(
  session: ClientHttp2Session,
  method: DescMethod,
  o: { readonly requests: AsyncIterable<never>; readonly limit: number } & CallOptions,
): AsyncGenerator {
  const { signal, timeoutMs } = o;
  const path = `/${method.parent.typeName}/${method.name}`;
  if (signal?.aborted) throw given(signal);
  if (session.closed || session.destroyed)
    throw new StatusError(Code.Unavailable, `call ${path.slice(1)}: the connection has ended`);
  const stream = session.request({
    ...new Metadata(o.headers).toHeaders(),
    ...(timeoutMs !== undefined && { 'grpc-timeout': `${Math.max(1, Math.ceil(timeoutMs))}m` }),
    ':method': 'POST',
    ':path': path,
    'content-type': 'application/grpc',
    te: 'trailers',
  });
  using ending = new Ending(stream, { ...o, session });
  const sending = sendAll(stream, method, o.requests).catch((error: unknown) => ending.giveUp(error));
  let finished = false;
  try {
    yield* messagesOf(stream, method.output, { limit: o.limit, broken: () => ending.broken(path) });
    await ending.told;
    if (ending.isSilent) throw ending.broken(path);
    const status = ending.status();
    if (status) throw status;
    finished = true;
  } catch (error) {
    throw ending.reason ?? error;
  } finally {
    if (!finished || !stream.writableEnded) stream.close(constants.NGHTTP2_CANCEL);
    // A source of requests that waits for something else ends when that comes.
    void sending;
  }
}

async function sendAll(stream: ClientHttp2Stream, method: DescMethod, requests: AsyncIterable<never>): Promise<void> {
  for await (const request of requests) {
    if (stream.destroyed || stream.closed) return;
    await send(stream, frame(method.input, request));
  }
  stream.end();
}

function given(signal: AbortSignal): StatusError {
  return new StatusError(Code.Canceled, 'the call was given up', { cause: signal.reason });
}

/** How a call ends: by what the server says, by the caller, by time, or by the connection. */
class Ending implements Disposable {
  /** What ended it on this side. */
  reason: unknown;
  /** Settles when all was said. */
  readonly told: Promise<void>;
  readonly #stream: ClientHttp2Stream;
  readonly #session: ClientHttp2Session;
  readonly #timer: NodeJS.Timeout | undefined;
  readonly #signal: AbortSignal | undefined;
  #headers: Metadata | undefined;
  #httpStatus = 0;
  #trailers: Metadata | undefined;
  #fault: Error | undefined;

  constructor(stream: ClientHttp2Stream, o: CallOptions & { readonly session: ClientHttp2Session }) {
    this.#stream = stream;
    this.#session = o.session;
    stream.once('response', (headers, _flags, raw) => {
      this.#headers = metadataOf(raw);
      this.#httpStatus = headers[':status'] ?? 0;
      o.onHeader?.(this.#headers);
    });
    stream.once('trailers', (_headers, _flags, raw) => {
      this.#trailers = metadataOf(raw);
    });
    stream.on('error', (error: Error) => {
      this.#fault = error;
    });
    this.told = new Promise((resolve) => {
      stream.once('trailers', () => resolve()).once('close', () => resolve());
      stream.once('end', () => {
        if (this.#headers?.get('grpc-status') !== undefined) resolve();
      });
    });
    this.#signal = o.signal;
    o.signal?.addEventListener('abort', this.#onAbort, { once: true });
    if (o.timeoutMs !== undefined)
      this.#timer = setTimeout(
        () => this.giveUp(new StatusError(Code.DeadlineExceeded, `no answer within ${o.timeoutMs} ms`)),
        o.timeoutMs,
      );
  }

  readonly #onAbort = (): void => this.giveUp(given(this.#signal as AbortSignal));

  giveUp(reason: unknown): void {
    this.reason ??= reason;
    // One that has not begun yet has nothing to close.
    if (this.#stream.pending) this.#stream.destroy();
    else this.#stream.close(constants.NGHTTP2_CANCEL);
  }

  /** Whether it ended before the server said anything. */
  get isSilent(): boolean {
    return this.#headers === undefined && this.#trailers === undefined;
  }

  status(): StatusError | undefined {
    const trailers = this.#trailers ?? this.#headers;
    if (trailers?.get('grpc-status') === undefined && this.#httpStatus !== 0 && this.#httpStatus !== 200)
      return new StatusError(Code.Unavailable, `the server answered with HTTP status ${this.#httpStatus}`);
    return statusOf(trailers ?? new Metadata());
  }

  /** Why there is no more to read. A status that came before the break counts. */
  broken(path: string): Error {
    if ((this.#trailers ?? this.#headers)?.get('grpc-status') !== undefined) {
      const status = this.status();
      if (status) return status;
    }
    if (this.#stream.rstCode === constants.NGHTTP2_CANCEL && !this.#session.destroyed)
      return new StatusError(Code.Canceled, `call ${path.slice(1)}: the server gave it up`);
    const why = this.#fault ? `: ${this.#fault.message}` : '';
    return new StatusError(Code.Unavailable, `call ${path.slice(1)}: the connection broke off${why}`, {
      cause: this.#fault,
    });
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
    this.#signal?.removeEventListener('abort', this.#onAbort);
  }
}
