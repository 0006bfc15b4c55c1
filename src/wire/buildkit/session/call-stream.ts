import { Duplex } from 'node:stream';
import type { RawCall } from '../../grpc/index.ts';
import { bytesMessage, readBytesMessage } from './bytes-message.ts';

/** How many bytes one message holds at most: a quarter of what gRPC's peers take by default. */
const PIECE = 1 << 20;

/** A connection inside a call whose messages are bytes. It ends when either side ends, or the call. */
export function callStream(call: RawCall): Duplex {
  let paused = false;
  const stream = new Duplex({
    readableHighWaterMark: PIECE,
    writableHighWaterMark: PIECE,
    read() {
      if (!paused) return;
      paused = false;
      call.resume();
    },
    write(chunk: Uint8Array, _encoding, callback) {
      send([chunk], callback);
    },
    writev(chunks, callback) {
      send(
        chunks.map(({ chunk }) => chunk as Uint8Array),
        callback,
      );
    },
    final(callback) {
      call.finish();
      callback();
    },
    destroy(error, callback) {
      call.finish();
      callback(error);
    },
  });
  function send(chunks: readonly Uint8Array[], callback: () => void): void {
    let free = true;
    let batch: Uint8Array[] = [];
    let size = 0;
    const flush = (): void => {
      if (size > 0) free = call.send(...bytesMessage(batch.length === 1 ? batch[0]! : Buffer.concat(batch, size)));
      batch = [];
      size = 0;
    };
    for (const chunk of chunks) {
      if (size + chunk.length > PIECE) flush();
      if (chunk.length > PIECE) {
        for (let at = 0; at < chunk.length; at += PIECE)
          free = call.send(...bytesMessage(chunk.subarray(at, at + PIECE)));
        continue;
      }
      batch.push(chunk);
      size += chunk.length;
    }
    flush();
    if (free) callback();
    else void call.writable().then(callback);
  }
  call.receive((message) => {
    const data = readBytesMessage(message);
    if (data.length === 0) return;
    const free = stream.push(data);
    // Who listens has copied it; otherwise it waits here to be read.
    if (stream.readableLength > 0) call.kept();
    if (free) return;
    paused = true;
    call.pause();
  });
  void call.ended.then((status) => {
    if (status) stream.destroy(status);
    else stream.push(null);
  });
  return stream;
}
