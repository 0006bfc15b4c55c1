/** Entry of the codec workers: compresses blocks and hashes files as it is sent them, one after the other. */
import { parentPort } from 'node:worker_threads';
import { compressBlock, type BlockJob } from './block-codec.ts';
import { hashFiles, type HashJob } from './hash-files.ts';

/** The size of a block's result, the digests of files, or why there are none. */
export interface WorkerAnswer {
  readonly id: number;
  readonly size?: number | undefined;
  readonly digests?: readonly string[] | undefined;
  readonly message?: string | undefined;
}

parentPort?.on('message', ({ id, job }: { id: number; job: BlockJob | HashJob }) => {
  let answer: WorkerAnswer;
  try {
    answer = 'paths' in job ? { id, digests: hashFiles(job) } : { id, size: compressBlock(job) };
  } catch (error) {
    answer = { id, message: error instanceof Error ? error.message : String(error) };
  }
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a worker thread, not a window
  parentPort?.postMessage(answer);
});
