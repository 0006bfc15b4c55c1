import { constants, type ServerHttp2Stream } from 'node:http2';
import type { DescMethod } from '@bufbuild/protobuf';
import { kindOf } from '../../base/index.ts';
import { frame } from './framing.ts';
import { Metadata, metadataOf } from './metadata.ts';
import { serveRaw, type RawHandler } from './raw-call.ts';
import type { Peer } from './peer.ts';
import type { HandlerContext } from './service.ts';
import { Code, StatusError, toStatus, trailersOf } from './status.ts';
import { messagesOf, send } from './wire-stream.ts';

export interface Handling {
  /** By path; `run` is undefined for one that is known and does nothing. */
  readonly methods: ReadonlyMap<string, { readonly method: DescMethod; readonly run: unknown }>;
  readonly raw: Readonly<Record<string, RawHandler>>;
  readonly limit: number;
  readonly onFault: ((error: unknown, call: string) => void) | undefined;
  readonly peer: Peer;
}

type Run = (request: unknown, context: HandlerContext) => Promise<unknown> | AsyncIterable<unknown>;

/** Serves one call. */
export function handle(
  stream: ServerHttp2Stream,
  call: { readonly path: string; readonly raw: readonly string[] },
  o: Handling,
): void {
  // What breaks a stream is told by its closing.
  stream.on('error', () => undefined);
  const headers = metadataOf(call.raw);
  if (!(headers.get('content-type') ?? '').startsWith('application/grpc')) {
    stream.respond({ ':status': 415 }, { endStream: true });
    return;
  }
  const raw = Object.hasOwn(o.raw, call.path) ? o.raw[call.path] : undefined;
  if (raw) {
    void serveRaw(stream, raw, { ...o, headers, path: call.path });
    return;
  }
  const found = o.methods.get(call.path);
  if (typeof found?.run !== 'function') {
    const status = new StatusError(Code.Unimplemented, `${call.path.slice(1)} is not offered here`);
    stream.respond({ ...ANSWER, ...trailersOf(status).toHeaders() }, { endStream: true });
    stream.resume();
    return;
  }
  void new Handled(stream, { ...o, headers, path: call.path, method: found.method, run: found.run as Run }).serve();
}

const ANSWER = { ':status': 200, 'content-type': 'application/grpc' } as const;

type Parts = Handling & {
  readonly headers: Metadata;
  readonly path: string;
  readonly method: DescMethod;
  readonly run: Run;
};

/** One call that is served. */
class Handled {
  readonly #stream: ServerHttp2Stream;
  readonly #o: Parts;
  readonly #ended = new AbortController();
  readonly #answerHeaders = new Metadata();
  #trailers: Metadata | undefined;

  constructor(stream: ServerHttp2Stream, o: Parts) {
    this.#stream = stream;
    this.#o = o;
    stream.once('close', () => this.#ended.abort(new StatusError(Code.Canceled, 'the caller has gone')));
    stream.once('wantTrailers', () => {
      stream.sendTrailers((this.#trailers ?? new Metadata()).toHeaders());
      this.#leave();
    });
  }

  async serve(): Promise<void> {
    const { path, headers, onFault } = this.#o;
    const timeout = timeoutOf(headers.get('grpc-timeout'));
    const timer =
      timeout === undefined
        ? undefined
        : setTimeout(() => this.#fail(new StatusError(Code.DeadlineExceeded, 'the time of the call is over')), timeout);
    timer?.unref();
    try {
      await this.#answer();
      this.#finish(undefined);
    } catch (error) {
      if (!(error instanceof StatusError) && kindOf(error) === 'internal') onFault?.(error, path.slice(1));
      this.#finish(toStatus(error));
    } finally {
      clearTimeout(timer);
    }
  }

  async #answer(): Promise<void> {
    const { method, run, headers, peer, limit } = this.#o;
    const broken = (): Error => new StatusError(Code.Canceled, 'the caller has gone');
    const requests = messagesOf(this.#stream, method.input, { limit, broken });
    const context: HandlerContext = { headers, answerHeaders: this.#answerHeaders, signal: this.#ended.signal, peer };
    const streams = method.methodKind === 'client_streaming' || method.methodKind === 'bidi_streaming';
    const given = run(streams ? requests : await theOne(requests), context);
    if (method.methodKind === 'unary' || method.methodKind === 'client_streaming') {
      await this.#send(await given);
      return;
    }
    // A caller may want to see the headers of a stream that says nothing yet.
    setImmediate(() => this.#respond());
    for await (const answer of given as AsyncIterable<unknown>) await this.#send(answer);
  }

  async #send(answer: unknown): Promise<void> {
    const framed = frame(this.#o.method.output, answer as never);
    this.#respond();
    await send(this.#stream, framed);
  }

  #respond(): void {
    if (this.#stream.headersSent || this.#stream.destroyed || this.#stream.closed) return;
    this.#stream.respond({ ...ANSWER, ...this.#answerHeaders.toHeaders() }, { waitForTrailers: true });
  }

  /** Ends the call while its handler is still at work. */
  #fail(status: StatusError): void {
    this.#finish(status);
    this.#ended.abort(status);
  }

  #finish(status: StatusError | undefined): void {
    const stream = this.#stream;
    if (this.#trailers || stream.destroyed || stream.closed) return;
    this.#trailers = trailersOf(status);
    if (stream.headersSent) stream.end();
    else {
      const headers = { ...ANSWER, ...this.#answerHeaders.toHeaders(), ...this.#trailers.toHeaders() };
      stream.respond(headers, { endStream: true });
      this.#leave();
    }
  }

  /** A caller that still sends when all is said learns that nobody listens. */
  #leave(): void {
    if (this.#stream.readableEnded) return;
    this.#stream.resume();
    setImmediate(() => this.#stream.close(constants.NGHTTP2_NO_ERROR));
  }
}

async function theOne(requests: AsyncIterable<unknown>): Promise<unknown> {
  const wrong = (what: string): StatusError => new StatusError(Code.InvalidArgument, `read the request: ${what}`);
  let found: { readonly request: unknown } | undefined;
  for await (const request of requests) {
    if (found) throw wrong('there is more than one');
    found = { request };
  }
  if (!found) throw wrong('there is none');
  return found.request;
}

const UNITS: Readonly<Record<string, number>> = { H: 3_600_000, M: 60_000, S: 1000, m: 1, u: 1e-3, n: 1e-6 };

/** Milliseconds of a grpc-timeout; undefined where there is none that can be read, or it is longer than a timer can be. */
function timeoutOf(text: string | undefined): number | undefined {
  const match = /^(\d{1,8})([HMSmun])$/.exec(text ?? '');
  if (!match) return undefined;
  const ms = Number(match[1]) * (UNITS[match[2] as string] as number);
  return ms < 2 ** 31 ? ms : undefined;
}
