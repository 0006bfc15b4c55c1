import { spawn } from 'node:child_process';
import { pipeline, Readable, type Duplex } from 'node:stream';
import { createGunzip, createZstdDecompress } from 'node:zlib';
import {
  hasErrno,
  messageOf,
  throwIfCancelled,
  toolError,
  unlessCancelled,
  type Bytes,
  type Wait,
} from '../base/index.ts';
import { treeError } from './errors.ts';

export type Compression = 'gzip' | 'zstd' | 'bzip2' | 'xz' | 'none';

/** How content is compressed, by its first six bytes. */
export function compressionOf(head: Uint8Array): Compression {
  const [a, b, c, d, e, f] = head;
  if (a === 0x1f && b === 0x8b && c === 0x08) return 'gzip';
  if (a === 0x28 && b === 0xb5 && c === 0x2f && d === 0xfd) return 'zstd';
  if (a !== undefined && a >> 4 === 0x5 && b === 0x2a && c === 0x4d && d === 0x18) return 'zstd';
  if (a === 0x42 && b === 0x5a && c === 0x68) return 'bzip2';
  if (a === 0xfd && b === 0x37 && c === 0x7a && d === 0x58 && e === 0x5a && f === 0) return 'xz';
  return 'none';
}

/**
 * Content without its compression, whichever its first bytes tell: gzip of any number of members, zstd of any number of frames, bzip2 and xz by the system's tools; anything else as it is. `what` begins messages.
 * Reading throws `COMPRESSED_CORRUPT` for content that is damaged or cut short, `TOOL_NOT_FOUND`.
 */
export async function decompressed(bytes: Bytes, o: { what?: string } & Wait = {}): Promise<Bytes> {
  return (await sniffed(bytes, o)).bytes;
}

/** `decompressed`, and what it was. `chunk` is how much of gzip and zstd is given out at once; what a damaged place comes after is not given out below that. */
export async function sniffed(
  bytes: Bytes,
  o: { what?: string; chunk?: number | undefined } & Wait = {},
): Promise<{ bytes: Bytes; compression: Compression }> {
  throwIfCancelled(o);
  const chunks = bytes[Symbol.asyncIterator]();
  const first: Uint8Array[] = [];
  let size = 0;
  while (size < 6) {
    const { done, value } = await unlessCancelled(chunks.next(), o);
    if (done) break;
    first.push(value);
    size += value.length;
  }
  const head = first.length === 1 && first[0] ? first[0] : Buffer.concat(first);
  const whole = rejoined(first, chunks);
  const compression = compressionOf(head);
  const what = o.what ?? 'decompress';
  const chunkSize = o.chunk ?? CHUNK;
  if (compression === 'gzip')
    return { compression, bytes: through(whole, createGunzip({ chunkSize }), { what, compression }) };
  if (compression === 'zstd')
    return { compression, bytes: through(whole, createZstdDecompress({ chunkSize }), { what, compression }) };
  if (compression === 'none') return { compression, bytes: whole };
  return { compression, bytes: byTool(whole, { what, compression, signal: o.signal }) };
}

/** With the default of 16 KiB zlib has half the speed. */
const CHUNK = 1 << 20;

async function* rejoined(first: readonly Uint8Array[], rest: AsyncIterator<Uint8Array>): Bytes {
  try {
    yield* first;
    for (let next = await rest.next(); !next.done; next = await rest.next()) yield next.value;
  } finally {
    await rest.return?.();
  }
}

async function* through(bytes: Bytes, stream: Duplex, o: { what: string; compression: Compression }): Bytes {
  pipeline(Readable.from(bytes, { highWaterMark: 2 }), stream, () => undefined);
  try {
    for await (const chunk of stream) yield chunk as Buffer;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (typeof code !== 'string' || !/^(?:Z_|ZSTD_|ERR_ZSTD)/.test(code)) throw error;
    throw corrupt(o, messageOf(error), error);
  }
}

function corrupt(
  { what, compression }: { what: string; compression: Compression },
  detail: string,
  cause?: unknown,
): Error {
  return treeError('COMPRESSED_CORRUPT', `${what}: its ${compression} data is damaged or cut short: ${detail}`, {
    ...(cause === undefined ? {} : { cause }),
    remedy: 'Make or fetch it again.',
  });
}

async function* byTool(bytes: Bytes, o: { what: string; compression: 'bzip2' | 'xz' } & Wait): Bytes {
  const child = spawn(o.compression, ['-dc'], {
    stdio: ['pipe', 'pipe', 'pipe'],
    env: { ...process.env, LC_ALL: 'C' },
  });
  let stderr = '';
  child.stderr.on('data', (chunk: Buffer) => {
    stderr = (stderr + chunk.toString()).slice(-1000);
  });
  const ended = Promise.withResolvers<number>();
  child.on('error', (error) =>
    ended.reject(
      hasErrno(error, 'ENOENT')
        ? toolError(
            'TOOL_NOT_FOUND',
            `${o.what}: it is compressed by ${o.compression}, and there is no program "${o.compression}"`,
            {
              cause: error,
              remedy: `Install the package ${o.compression === 'xz' ? 'xz-utils' : 'bzip2'}, or unpack it beforehand.`,
            },
          )
        : error,
    ),
  );
  child.on('close', (code) => ended.resolve(code ?? -1));
  // Asked for at the end only; must not count as unhandled before.
  ended.promise.catch(() => undefined);
  let failed: unknown;
  // A program that ends early closes the pipe: its exit code then tells why.
  pipeline(Readable.from(bytes, { highWaterMark: 2 }), child.stdin, (error) => {
    if (error && !hasErrno(error, 'EPIPE', 'ERR_STREAM_PREMATURE_CLOSE')) failed = error;
  });
  try {
    for await (const chunk of child.stdout) {
      throwIfCancelled(o);
      yield chunk as Buffer;
    }
    const code = await ended.promise;
    if (failed !== undefined) throw failed as Error;
    if (code !== 0) throw corrupt(o, stderr.trim() || `exit code ${code}`);
  } finally {
    child.kill('SIGKILL');
  }
}
