import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { setImmediate } from 'node:timers/promises';
import { throwIfCancelled, type Bytes, type Wait } from '../base/index.ts';
import type { TarParser } from './tar-reader.ts';

/** Reads an archive that comes as a stream. */
export async function readTar(bytes: Bytes, parser: TarParser): Promise<void> {
  for await (const chunk of bytes) parser.feed(chunk);
  parser.end();
}

/** Reads an uncompressed archive on disk; large contents are not read. Returns its size. */
export async function scanTar(path: string, parser: TarParser, w?: Wait): Promise<number> {
  const fd = openSync(path, 'r');
  try {
    const { size } = fstatSync(fd);
    const buffer = Buffer.allocUnsafeSlow(Math.min(size, 256 << 10));
    for (let turn = 1; parser.position < size; turn++) {
      throwIfCancelled(w);
      const n = readSync(fd, buffer, 0, buffer.length, parser.position);
      if (n === 0) break;
      parser.feed(n === buffer.length ? buffer : buffer.subarray(0, n));
      const skip = Math.min(parser.skippable, size - parser.position);
      if (skip > 16 << 10) parser.skip(skip);
      if (turn % 128 === 0) await setImmediate();
    }
    parser.end();
    return size;
  } finally {
    closeSync(fd);
  }
}
