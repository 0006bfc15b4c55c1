/** Entry of the codec workers: compresses the blocks it is sent, one after the other. */
import { parentPort } from 'node:worker_threads';
import { compressBlock, type BlockJob } from './block-codec.ts';

/** The size of the result, or why there is none. */
type Answer = { id: number; size: number; message?: string };

parentPort?.on('message', ({ id, job }: { id: number; job: BlockJob }) => {
  let answer: Answer;
  try {
    answer = { id, size: compressBlock(job) };
  } catch (error) {
    answer = { id, size: -1, message: error instanceof Error ? error.message : String(error) };
  }
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a worker thread, not a window
  parentPort?.postMessage(answer);
});
