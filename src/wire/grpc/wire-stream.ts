import type { Http2Stream } from 'node:http2';
import type { DescMessage, MessageShape } from '@bufbuild/protobuf';
import { decode, Deframer } from './framing.ts';
import { Code, StatusError } from './status.ts';

/** Bytes that may wait here to be taken before the other side is made to wait. */
const WAITING = 4 * 1024 * 1024;

/** The messages that arrive on a stream. Ends with the stream; throws what `broken` says when the stream breaks off. Messages that nobody takes hold the other side up. */
export async function* messagesOf<D extends DescMessage>(
  stream: Http2Stream,
  schema: D,
  o: { readonly limit: number; readonly broken: () => Error },
): AsyncGenerator<MessageShape<D>> {
  const deframer = new Deframer(o.limit);
  for await (const chunks of chunksOf(stream, o.broken))
    for (const chunk of chunks) for (const body of deframer.push(chunk)) yield decode(schema, body);
  deframer.end();
}

/** What has arrived meanwhile, as often as something has. */
async function* chunksOf(stream: Http2Stream, broken: () => Error): AsyncGenerator<readonly Uint8Array[]> {
  let queue: Uint8Array[] = [];
  let size = 0;
  let ended = stream.readableEnded;
  let closed = stream.destroyed || stream.closed;
  let wake: (() => void) | undefined;
  const onData = (chunk: Uint8Array): void => {
    queue.push(chunk);
    size += chunk.length;
    if (size > WAITING) stream.pause();
    wake?.();
  };
  const onEnd = (): void => {
    ended = true;
    wake?.();
  };
  const onClose = (): void => {
    closed = true;
    wake?.();
  };
  stream.on('data', onData).once('end', onEnd).once('close', onClose);
  try {
    for (;;) {
      while (queue.length > 0) {
        const taken = queue;
        queue = [];
        size = 0;
        yield taken;
        if (stream.isPaused()) stream.resume();
      }
      if (ended) return;
      if (closed) throw broken();
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
      wake = undefined;
    }
  } finally {
    stream.off('data', onData).off('end', onEnd).off('close', onClose);
    // What still comes is of no use, and must not hold up the connection.
    stream.resume();
  }
}

/** Sends a message, and waits while the other side does not take any. Throws `Canceled` when the stream has ended. */
export async function send(stream: Http2Stream, framed: Uint8Array): Promise<void> {
  if (stream.destroyed || stream.writableEnded) throw new StatusError(Code.Canceled, 'the call has ended');
  if (stream.write(framed)) return;
  await new Promise<void>((resolve) => {
    const done = (): void => {
      stream.off('drain', done).off('close', done);
      resolve();
    };
    stream.on('drain', done).on('close', done);
  });
}
