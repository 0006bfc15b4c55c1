import { Duplex } from 'node:stream';

/** How many bytes one message holds at most: a quarter of what gRPC's peers take by default (4 MiB). */
const LARGEST = 1024 * 1024;

/** A connection inside a call: what arrives in `incoming` can be read, what is written comes out of `outgoing`. It ends both ways when either side ends. */
export interface MessageStream {
  readonly stream: Duplex;
  readonly outgoing: AsyncIterable<Uint8Array>;
}

export function messageStream(incoming: AsyncIterable<Uint8Array>): MessageStream {
  const source = incoming[Symbol.asyncIterator]();
  let pending: { readonly bytes: readonly Uint8Array[]; readonly taken: () => void } | undefined;
  let wake: (() => void) | undefined;
  let ended = false;
  let reading = false;
  const end = (): void => {
    ended = true;
    wake?.();
  };
  const send = (bytes: readonly Uint8Array[], taken: () => void): void => {
    pending = { bytes, taken };
    wake?.();
  };
  const stream = new Duplex({
    readableHighWaterMark: LARGEST,
    writableHighWaterMark: LARGEST,
    read() {
      if (reading) return;
      reading = true;
      const pull = async (): Promise<void> => {
        try {
          for (;;) {
            const next = await source.next();
            if (next.done === true) {
              stream.push(null);
              return;
            }
            if (next.value.length > 0 && !stream.push(next.value)) return;
          }
        } finally {
          reading = false;
        }
      };
      pull().catch((error: unknown) => stream.destroy(error instanceof Error ? error : new Error(String(error))));
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
      end();
      callback();
    },
    destroy(error, callback) {
      end();
      Promise.resolve(source.return?.()).then(
        () => callback(error),
        () => callback(error),
      );
    },
  });
  async function* outgoing(): AsyncGenerator<Uint8Array> {
    try {
      for (;;) {
        while (pending) {
          const { bytes, taken } = pending;
          pending = undefined;
          yield* pieces(bytes);
          taken();
        }
        if (ended) return;
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
        wake = undefined;
      }
    } finally {
      stream.destroy();
    }
  }
  return { stream, outgoing: outgoing() };
}

/** Small writes joined, large ones cut. */
function* pieces(bytes: readonly Uint8Array[]): Iterable<Uint8Array> {
  let batch: Uint8Array[] = [];
  let size = 0;
  for (const chunk of bytes) {
    if (size + chunk.length > LARGEST && size > 0) {
      yield Buffer.concat(batch);
      batch = [];
      size = 0;
    }
    if (chunk.length > LARGEST) {
      for (let at = 0; at < chunk.length; at += LARGEST) yield chunk.subarray(at, at + LARGEST);
      continue;
    }
    batch.push(chunk);
    size += chunk.length;
  }
  if (size > 0) yield batch.length === 1 ? (batch[0] as Uint8Array) : Buffer.concat(batch);
}
