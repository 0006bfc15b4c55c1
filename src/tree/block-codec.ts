import { constants, zstdCompressSync } from 'node:zlib';
import { deflateBlock, DEFLATE_WINDOW } from './deflate.ts';

/** One block to be compressed, as positions in memory that main thread and workers share. */
export interface BlockJob {
  readonly codec: 'gzip' | 'zstd';
  readonly level: number;
  readonly memory: SharedArrayBuffer;
  /** How many bytes before the block are its dictionary. */
  readonly dictionary: number;
  readonly length: number;
  readonly last: boolean;
}

/** Bytes of a block, by codec: a deflate block, a zstd frame. Part of what the codec's version stands for. */
export function blockSize(codec: 'gzip' | 'zstd' | 'none'): number {
  return codec === 'zstd' ? 4 << 20 : 1 << 20;
}

/** Where a block begins in its memory (its dictionary is before it), where its result, and how large the memory is. */
export function layoutOf(codec: 'gzip' | 'zstd'): {
  readonly block: number;
  readonly result: number;
  readonly size: number;
} {
  const block = DEFLATE_WINDOW;
  const result = block + blockSize(codec);
  return { block, result, size: result + blockSize(codec) + (blockSize(codec) >> 6) };
}

/** Compresses the block; returns the size of the result. Synchronous, deterministic. */
export function compressBlock(job: BlockJob): number {
  const { block, result } = layoutOf(job.codec);
  const memory = new Uint8Array(job.memory);
  if (job.codec === 'gzip') {
    const { length, dictionary, last, level } = job;
    return deflateBlock(memory, { start: block, length, dictionary, last, level, at: result });
  }
  const frame = zstdCompressSync(memory.subarray(block, block + job.length), {
    // One buffer for all of the result, which can then be given back at once.
    chunkSize: layoutOf('zstd').size - result,
    pledgedSrcSize: job.length,
    params: {
      [constants.ZSTD_c_compressionLevel]: job.level,
      [constants.ZSTD_c_checksumFlag]: 0,
      [constants.ZSTD_c_nbWorkers]: 0,
    },
  });
  memory.set(frame, result);
  const size = frame.length;
  // Left to the garbage collector these would pile up to some 100 MiB a worker.
  if (frame.buffer instanceof ArrayBuffer && frame.buffer.byteLength > 1 << 20) frame.buffer.transfer(0);
  return size;
}
