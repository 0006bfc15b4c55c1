import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { writeSync } from 'node:fs';
import { Readable } from 'node:stream';
import { createGunzip, createZstdDecompress, type Gunzip, type ZstdDecompress } from 'node:zlib';
import { cancelled, messageOf, throwIfCancelled, toolError, type Bytes, type Wait } from '../base/index.ts';
import { packagesError } from './errors.ts';

/** How a member of a .deb or an index is compressed, by the ending of its name; "" is not at all. */
export type Compression = 'xz' | 'gz' | 'zst' | 'bz2' | 'lzma' | '';

const TOOLS: Readonly<Record<string, readonly string[]>> = {
  xz: ['xz', '-dc', '--single-stream'],
  lzma: ['xz', '-dc', '--format=lzma'],
  bz2: ['bzip2', '-dc'],
};

/** The compression that a file name's ending says, or undefined for one that nobody knows. */
export function compressionOf(name: string): Compression | undefined {
  const ending = /\.(xz|gz|zst|bz2|lzma)$/.exec(name)?.[1];
  return ending === undefined
    ? /\.(?:tar|Packages)$|^(?:.*\/)?Packages$/.test(name)
      ? ''
      : undefined
    : (ending as Compression);
}

/** The content of a compressed stream. gz and zst are read in process, the rest by the system's tools. Throws `DEB_INVALID` when it does not decompress. */
export async function* decompressed(content: Bytes, o: { compression: Compression; what: string } & Wait): Bytes {
  if (o.compression === '') {
    yield* content;
    return;
  }
  const inProcess = decoderOf(o.compression);
  if (inProcess) {
    yield* throughDecoder(content, inProcess, o);
    return;
  }
  await using child = tool(o.compression, 'pipe', o);
  const fed = child.feed(content).catch((error: unknown) => ({ error }));
  for await (const chunk of child.process.stdout as AsyncIterable<Uint8Array>) yield chunk;
  const failed = await fed;
  if (failed && !isClosedPipe(failed.error)) throw failed.error;
  await child.ended();
}

/** Writes the content of a compressed stream to a file descriptor: where a tool does the work, its bytes never pass through this process. Closes nothing. */
export async function decompressTo(
  fd: number,
  content: Bytes,
  o: { compression: Compression; what: string } & Wait,
): Promise<void> {
  if (o.compression in TOOLS) {
    await using child = tool(o.compression, fd, o);
    try {
      await child.feed(content);
    } catch (error) {
      if (!isClosedPipe(error)) throw error;
    }
    await child.ended();
    return;
  }
  for await (const chunk of decompressed(content, o))
    for (let at = 0; at < chunk.length;) at += writeSync(fd, chunk, at);
}

function decoderOf(compression: Compression): Gunzip | ZstdDecompress | undefined {
  const options = { chunkSize: 1 << 20 };
  if (compression === 'gz') return createGunzip(options);
  return compression === 'zst' ? createZstdDecompress(options) : undefined;
}

async function* throughDecoder(content: Bytes, decoder: Gunzip | ZstdDecompress, o: { what: string } & Wait): Bytes {
  const source = Readable.from(content, { objectMode: false, highWaterMark: 1 << 20 });
  let sourceError: unknown;
  source.on('error', (error) => {
    sourceError = error;
    decoder.destroy(error);
  });
  source.pipe(decoder);
  try {
    for await (const chunk of decoder as AsyncIterable<Uint8Array>) {
      throwIfCancelled(o);
      yield chunk;
    }
  } catch (error) {
    if (sourceError !== undefined) throw sourceError;
    if (o.signal?.aborted) throw cancelled(o.signal.reason);
    throw broken(o.what, messageOf(error), error);
  } finally {
    source.destroy();
    decoder.destroy();
  }
}

interface Child extends AsyncDisposable {
  readonly process: ChildProcess;
  feed(content: Bytes): Promise<undefined>;
  /** Waits for a good end. */
  ended(): Promise<void>;
}

function tool(compression: Compression, stdout: 'pipe' | number, o: { what: string } & Wait): Child {
  throwIfCancelled(o);
  const [command = '', ...args] = TOOLS[compression] ?? [];
  const child = spawn(command, args, { stdio: ['pipe', stdout, 'pipe'] });
  let stderr = '';
  let missing: Error | undefined;
  const { promise: closed, resolve } = Promise.withResolvers<number>();
  child.stderr?.on('data', (chunk: Buffer) => (stderr = (stderr + chunk.toString()).slice(-2000)));
  child.stdin?.on('error', () => undefined);
  child.on('error', (error) => {
    missing = toolError('TOOL_NOT_FOUND', `decompress ${o.what}: "${command}" does not run: ${messageOf(error)}`, {
      cause: error,
      remedy: `Install the package that brings "${command}".`,
    });
    resolve(127);
  });
  child.on('close', (code) => resolve(code ?? 137));
  const onAbort = (): void => void child.kill('SIGKILL');
  o.signal?.addEventListener('abort', onAbort, { once: true });
  return {
    process: child,
    feed: async (content) => {
      const { stdin } = child;
      if (!stdin) return undefined;
      for await (const chunk of content) {
        if (stdin.destroyed || missing) break;
        if (!stdin.write(chunk)) await Promise.race([once(stdin, 'drain'), closed]);
      }
      stdin.end();
      return undefined;
    },
    ended: async () => {
      const code = await closed;
      if (o.signal?.aborted) throw cancelled(o.signal.reason);
      if (missing) throw missing;
      if (code !== 0) throw broken(o.what, stderr.trim().split('\n').at(-1) || `${command} ended with ${code}`);
    },
    [Symbol.asyncDispose]: async () => {
      o.signal?.removeEventListener('abort', onAbort);
      if (child.exitCode === null && child.signalCode === null && !missing) child.kill('SIGKILL');
      await closed;
    },
  };
}

function isClosedPipe(error: unknown): boolean {
  const code = (error as NodeJS.ErrnoException | undefined)?.code;
  return code === 'EPIPE' || code === 'ERR_STREAM_DESTROYED' || code === 'ERR_STREAM_WRITE_AFTER_END';
}

function broken(what: string, detail: string, cause?: unknown): Error {
  return packagesError('DEB_INVALID', `decompress ${what}: ${detail}`, { cause });
}
