import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { errorTable } from './error.ts';
import { throwIfCancelled, type Wait } from './wait.ts';

/** A stream of bytes between rooms. A chunk belongs to the consumer once it is yielded. */
export type Bytes = AsyncIterable<Uint8Array>;

export const bytesError = errorTable({ TOO_MANY_BYTES: 'exhausted', TOO_FEW_BYTES: 'invalid' });

/** A stream of one chunk, or none for no bytes. */
export async function* bytesOf(...chunks: readonly Uint8Array[]): Bytes {
  for (const chunk of chunks) if (chunk.length > 0) yield chunk;
}

/** All of a stream as one array. Throws `TOO_MANY_BYTES` above `limit` bytes. */
export async function collect(bytes: Bytes, options: { limit?: number; what?: string } = {}): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of bytes) {
    size += chunk.length;
    if (options.limit !== undefined && size > options.limit)
      throw bytesError('TOO_MANY_BYTES', `read ${options.what ?? 'stream'}: more than ${options.limit} bytes`);
    chunks.push(chunk);
  }
  return chunks.length === 1 && chunks[0] ? chunks[0] : Buffer.concat(chunks, size);
}

/** Reads to the end, keeps nothing, returns the number of bytes. */
export async function drain(bytes: Bytes): Promise<number> {
  let size = 0;
  for await (const chunk of bytes) size += chunk.length;
  return size;
}

/**
 * A region of a file as fresh chunks, read synchronously in `chunk` bytes: faster than fs streams and bounded in memory.
 * Throws `TOO_FEW_BYTES` when the file ends before `length`.
 */
export async function* fileBytes(
  path: string | Buffer,
  options: { offset?: number | undefined; length?: number | undefined; chunk?: number } & Wait = {},
): Bytes {
  const fd = openSync(path, 'r');
  try {
    let offset = options.offset ?? 0;
    let left = options.length ?? Math.max(0, fstatSync(fd).size - offset);
    const size = options.chunk ?? 1 << 20;
    while (left > 0) {
      throwIfCancelled(options);
      const buffer = Buffer.allocUnsafeSlow(Math.min(size, left));
      const n = readSync(fd, buffer, 0, buffer.length, offset);
      if (n === 0) throw bytesError('TOO_FEW_BYTES', `read "${path.toString()}": ended ${left} bytes early`);
      offset += n;
      left -= n;
      yield n === buffer.length ? buffer : buffer.subarray(0, n);
    }
  } finally {
    closeSync(fd);
  }
}

/** Passes chunks on and shows each one to `see` first. */
export async function* tap(bytes: Bytes, see: (chunk: Uint8Array) => void): Bytes {
  for await (const chunk of bytes) {
    see(chunk);
    yield chunk;
  }
}
