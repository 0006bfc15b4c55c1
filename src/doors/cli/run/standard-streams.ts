import { write } from 'node:fs';
import { Channel, hasErrno, messageOf } from '../../../base/index.ts';
import { cliError } from '../errors.ts';
import type { Io } from '../io.ts';

/** Writes to one of this process's descriptors, piece by piece, without holding up anything else when its reader is slow. Throws `OUTPUT_CLOSED` when the reader goes away. */
export function descriptorWriter(fd: number): (chunk: Uint8Array) => Promise<void> {
  let waiting: Uint8Array[] = [];
  let batch: Promise<void> | undefined;
  let last: Promise<void> = Promise.resolve();
  return (chunk) => {
    waiting.push(chunk);
    // What comes while something is being written goes with one call.
    batch ??= last.then(() => {
      const chunks = waiting;
      waiting = [];
      batch = undefined;
      last = writeAll(fd, chunks.length === 1 ? chunk : Buffer.concat(chunks));
      last.catch(() => undefined);
      return last;
    });
    return batch;
  };
}

/** Standard input until the end of the scope. */
export function inputBytes(stdin: Io['stdin']): AsyncIterable<Uint8Array> & Disposable {
  const channel = new Channel<Uint8Array>();
  let waiting = 0;
  const take = (chunk: Buffer): void => {
    waiting += chunk.length;
    channel.push(chunk);
    if (waiting > MOST) stdin.pause();
  };
  const end = (): void => channel.end();
  stdin.on('data', take).once('end', end).once('error', end);
  async function* bytes(): AsyncIterable<Uint8Array> {
    for await (const chunk of channel) {
      waiting -= chunk.length;
      if (waiting <= MOST && stdin.isPaused()) stdin.resume();
      yield chunk;
    }
  }
  return Object.assign(bytes(), {
    [Symbol.dispose]: () => {
      stdin.off('data', take).off('end', end).off('error', end).pause();
      end();
    },
  });
}

/** Bytes of input that wait for a process to read them. */
const MOST = 1 << 20;

async function writeAll(fd: number, chunk: Uint8Array): Promise<void> {
  for (let at = 0; at < chunk.length;) {
    try {
      at += await writeSome(fd, chunk.subarray(at));
    } catch (error) {
      if (hasErrno(error, 'EPIPE'))
        throw cliError('OUTPUT_CLOSED', 'write to standard output: its reader has gone', { cause: error });
      // A terminal or pipe that somebody made non-blocking is full: the reader needs a moment.
      if (!hasErrno(error, 'EAGAIN'))
        throw cliError('OUTPUT_INVALID', `write to standard output: ${messageOf(error)}`, { cause: error });
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
  }
}

function writeSome(fd: number, chunk: Uint8Array): Promise<number> {
  return new Promise((resolve, reject) => {
    write(fd, chunk, (error, written) => (error ? reject(error) : resolve(written)));
  });
}
