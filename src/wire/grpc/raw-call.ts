import { constants, type ClientHttp2Session, type Http2Stream, type ServerHttp2Stream } from 'node:http2';
import { kindOf } from '../../base/index.ts';
import { Metadata, metadataOf, type MetadataInit } from './metadata.ts';
import type { Peer } from './peer.ts';
import { Code, StatusError, statusOf, toStatus, trailersOf } from './status.ts';

const HEADER = 5;
/** Messages up to this size that come in several chunks are put together in memory that serves again and again. */
const SCRATCH = 256 * 1024;

/**
 * A streaming call whose messages are bytes, in both directions, without a promise or a copy for each: what build contexts travel by. Messages are views that hold until their receiver returns:
 * one that is kept must be copied, or `kept` called.
 */
export class RawCall {
  /** Settles when the other side has said all it will, with the call's status where that is not OK. */
  readonly ended: Promise<StatusError | undefined>;
  readonly #stream: Http2Stream;
  readonly #limit: number;
  readonly #serves: boolean;
  readonly #settle: (status: StatusError | undefined) => void;
  #onMessage: ((message: Buffer) => void) | undefined;
  /** What came of a message that is not whole; a large one is put together when all of it has come. */
  #rest: Buffer[] = [];
  #restSize = 0;
  #wanted = HEADER;
  /** Where it is put together. For each message anew it would make V8 collect all garbage for every few messages: it counts what lies outside its heap. */
  #scratch: Buffer | undefined;
  #writable: Promise<void> | undefined;
  #failed: StatusError | undefined;

  /** `status`: gives the status of a call when its messages have ended. `serves`: this is the side that answers. */
  constructor(
    stream: Http2Stream,
    o: { readonly serves: boolean; readonly limit: number; readonly status: () => StatusError | undefined },
  ) {
    const { promise, resolve } = Promise.withResolvers<StatusError | undefined>();
    this.ended = promise;
    this.#settle = resolve;
    this.#stream = stream;
    this.#serves = o.serves;
    this.#limit = o.limit;
    stream.once('end', () => {
      if (this.#restSize > 0) this.#fail(new StatusError(Code.Internal, 'a message ended early'));
      else this.#end(o.status());
    });
    stream.on('error', () => undefined);
    stream.once('close', () =>
      this.#end(o.status() ?? new StatusError(Code.Unavailable, 'the connection has ended before the call')),
    );
  }

  /** Begins to read. An error that the receiver throws ends the call. */
  receive(onMessage: (message: Buffer) => void): void {
    this.#onMessage = onMessage;
    this.#stream.on('data', (chunk: Buffer) => this.#take(chunk));
  }

  /** False when its receiver is behind: then `writable` tells when to go on. Parts make one message. */
  send(...parts: readonly Uint8Array[]): boolean {
    let size = 0;
    for (const part of parts) size += part.length;
    if (this.#stream.writableEnded || this.#stream.destroyed) return true;
    if (size < 1024) {
      const whole = Buffer.allocUnsafe(HEADER + size);
      whole[0] = 0;
      whole.writeUInt32BE(size, 1);
      let at = HEADER;
      for (const part of parts) {
        whole.set(part, at);
        at += part.length;
      }
      return this.#stream.write(whole);
    }
    const header = Buffer.allocUnsafe(HEADER);
    header[0] = 0;
    header.writeUInt32BE(size, 1);
    this.#stream.cork();
    let free = this.#stream.write(header);
    for (const part of parts) free = this.#stream.write(part);
    this.#stream.uncork();
    return free;
  }

  /** Settles when more may be sent, or the call has ended. */
  async writable(): Promise<void> {
    if (!this.#stream.writableNeedDrain) return;
    this.#writable ??= new Promise<void>((resolve) => {
      const done = (): void => {
        this.#stream.off('drain', done);
        this.#stream.off('close', done);
        this.#writable = undefined;
        resolve();
      };
      this.#stream.once('drain', done);
      this.#stream.once('close', done);
    });
    await this.#writable;
  }

  /** Stops reading until `resume`. */
  pause(): void {
    this.#stream.pause();
  }

  resume(): void {
    this.#stream.resume();
  }

  /** To be called by a receiver that goes on reading the message it was given after it has returned. */
  kept(): void {
    this.#scratch = undefined;
  }

  /** Nothing more will be sent: a caller then waits for the status; who serves says it by returning, and has `ended` settle now. */
  finish(): void {
    if (this.#serves) this.#end(undefined);
    else if (!this.#stream.writableEnded) this.#stream.end();
  }

  /** Ends the call at once; who serves still gives it a status by what the handler throws. */
  cancel(why: StatusError = new StatusError(Code.Canceled, 'cancelled')): void {
    this.#fail(why);
  }

  #take(chunk: Buffer): void {
    if (this.#failed) return;
    try {
      this.#cut(chunk);
    } catch (error) {
      this.#fail(toStatus(error));
    }
  }

  #cut(chunk: Buffer): void {
    let data = chunk;
    if (this.#restSize > 0) {
      this.#rest.push(chunk);
      this.#restSize += chunk.length;
      if (this.#restSize < this.#wanted) return;
      data = this.#joined();
      this.#rest = [];
      this.#restSize = 0;
    }
    let at = 0;
    this.#wanted = HEADER;
    while (data.length - at >= HEADER) {
      const size = data.readUInt32BE(at + 1);
      if (data[at] !== 0) throw new StatusError(Code.Internal, 'a compressed message came, which was not offered');
      if (size > this.#limit)
        throw new StatusError(Code.ResourceExhausted, `a message of ${size} bytes came, ${this.#limit} are taken`);
      if (data.length - at < HEADER + size) {
        this.#wanted = HEADER + size;
        break;
      }
      this.#onMessage?.(data.subarray(at + HEADER, at + HEADER + size));
      if (this.#failed) return;
      at += HEADER + size;
    }
    if (at === data.length) return;
    this.#rest = [data.subarray(at)];
    this.#restSize = data.length - at;
  }

  #joined(): Buffer {
    const size = this.#restSize;
    if (size > SCRATCH) return Buffer.concat(this.#rest, size);
    const whole = (this.#scratch ??= Buffer.allocUnsafeSlow(SCRATCH));
    let at = 0;
    for (const part of this.#rest) {
      whole.set(part, at);
      at += part.length;
    }
    return whole.subarray(0, size);
  }

  #fail(status: StatusError): void {
    this.#failed ??= status;
    this.#rest = [];
    this.#restSize = 0;
    this.#end(status);
    if (this.#serves) return;
    this.#stream.close(constants.NGHTTP2_CANCEL);
  }

  #end(status: StatusError | undefined): void {
    this.#settle(status);
  }
}

/** Makes a call of `/package.Service/Method`. */
export function rawCall(
  session: ClientHttp2Session,
  path: string,
  o: { readonly headers: MetadataInit; readonly limit: number },
): RawCall {
  const stream = session.request({
    ...new Metadata(o.headers).toHeaders(),
    ':method': 'POST',
    ':path': path,
    'content-type': 'application/grpc',
    te: 'trailers',
  });
  let told = new Metadata();
  let http = 0;
  stream.once('response', (headers, _flags, raw) => {
    http = headers[':status'] ?? 0;
    told = metadataOf(raw);
  });
  stream.once('trailers', (_headers, _flags, raw) => {
    told = metadataOf(raw);
  });
  const status = (): StatusError | undefined =>
    told.get('grpc-status') === undefined && http !== 0 && http !== 200
      ? new StatusError(Code.Unavailable, `the server answered with HTTP status ${http}`)
      : statusOf(told);
  return new RawCall(stream, { serves: false, limit: o.limit, status });
}

/** A call that is served as bytes. */
export interface RawRequest {
  readonly call: RawCall;
  readonly headers: Metadata;
  /** The connection that the call came on. */
  readonly peer: Peer;
}

/** What it throws is the call's status; when it has settled the call has ended. */
export type RawHandler = (request: RawRequest) => Promise<void>;

/** Serves a call. */
export async function serveRaw(
  stream: ServerHttp2Stream,
  handler: RawHandler,
  o: {
    readonly path: string;
    readonly headers: Metadata;
    readonly peer: Peer;
    readonly limit: number;
    readonly onFault: ((error: unknown, call: string) => void) | undefined;
  },
): Promise<void> {
  const status = (): StatusError | undefined =>
    stream.aborted ? new StatusError(Code.Canceled, 'the caller has gone') : undefined;
  const call = new RawCall(stream, { serves: true, limit: o.limit, status });
  let result: StatusError | undefined;
  stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
  stream.once('wantTrailers', () => {
    stream.sendTrailers(trailersOf(result).toHeaders());
    if (stream.readableEnded) return;
    // A caller that still sends when all is said learns that nobody listens.
    stream.resume();
    setImmediate(() => stream.close(constants.NGHTTP2_NO_ERROR));
  });
  try {
    await handler({ call, headers: o.headers, peer: o.peer });
  } catch (error) {
    if (!(error instanceof StatusError) && kindOf(error) === 'internal') o.onFault?.(error, o.path.slice(1));
    result = toStatus(error);
  }
  if (!stream.destroyed && !stream.closed && !stream.writableEnded) stream.end();
}
