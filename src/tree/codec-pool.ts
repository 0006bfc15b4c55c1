import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import { messageOf } from '../base/index.ts';
import type { BlockJob } from './block-codec.ts';
import type { WorkerAnswer } from './codec-worker.ts';
import { treeError } from './errors.ts';
import type { HashJob } from './hash-files.ts';

interface Task {
  readonly job: BlockJob | HashJob;
  readonly resolve: (answer: WorkerAnswer) => void;
  readonly reject: (error: Error) => void;
}

interface Lane {
  readonly worker: Worker;
  /** Sent and not answered, by id. */
  readonly tasks: Map<number, Task>;
}

/** More than the main thread can feed are of no use, and each takes 10 to 20 MiB. */
const MOST_WORKERS = 4;
/** Jobs a worker has at once, so that it need not wait for the next. */
const DEPTH = 2;

let lanes: Lane[] = [];
const queue: Task[] = [];
let nextId = 1;

export function workerCount(): number {
  return Math.min(MOST_WORKERS, availableParallelism());
}

/** Compresses a block on a worker of the process's pool, which starts workers as they are needed; idle ones keep no process alive. Returns the size of the result. */
export async function compressOnWorker(job: BlockJob): Promise<number> {
  const { size = 0 } = await runOnWorker(job);
  return size;
}

/** Hashes files on a worker of the same pool; see `hashFiles`. */
export async function hashOnWorker(job: HashJob): Promise<readonly string[]> {
  const { digests = [] } = await runOnWorker(job);
  return digests;
}

function runOnWorker(job: Task['job']): Promise<WorkerAnswer> {
  const { promise, resolve, reject } = Promise.withResolvers<WorkerAnswer>();
  queue.push({ job, resolve, reject });
  pump();
  return promise;
}

/** Ends the workers. The next job starts new ones. */
export async function closeCodecs(): Promise<void> {
  const ending = lanes;
  lanes = [];
  await Promise.all(ending.map(({ worker }) => worker.terminate()));
}

function pump(): void {
  while (queue.length > 0) {
    let lane = lanes.find(({ tasks }) => tasks.size === 0);
    if (!lane && lanes.length < workerCount()) lane = start();
    lane ??= lanes.filter(({ tasks }) => tasks.size < DEPTH).sort((a, b) => a.tasks.size - b.tasks.size)[0];
    const task = lane && queue.shift();
    if (!lane || !task) return;
    const id = nextId++;
    if (lane.tasks.size === 0) lane.worker.ref();
    lane.tasks.set(id, task);
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a worker thread, not a window
    lane.worker.postMessage({ id, job: task.job });
  }
}

function start(): Lane {
  const worker = new Worker(workerUrl(), {
    name: 'strake-codec',
    execArgv: process.execArgv.filter((arg) => arg.startsWith('--disable-warning')),
    stdin: false,
    resourceLimits: { maxYoungGenerationSizeMb: 4 },
  });
  const lane: Lane = { worker, tasks: new Map() };
  worker.unref();
  worker.on('message', (answer: WorkerAnswer) => {
    const { id, message } = answer;
    const task = lane.tasks.get(id);
    lane.tasks.delete(id);
    if (lane.tasks.size === 0) worker.unref();
    if (message === undefined) task?.resolve(answer);
    else task?.reject(treeError('CODEC_FAILED', `compress a block: ${message}`));
    pump();
  });
  const lost = (error: unknown): void => {
    lanes = lanes.filter((other) => other !== lane);
    const failed = [...lane.tasks.values()];
    lane.tasks.clear();
    // A worker that cannot start would be started again for ever: what waits fails with it.
    if (failed.length > 0 && lanes.length === 0) failed.push(...queue.splice(0));
    for (const task of failed)
      task.reject(
        treeError('CODEC_FAILED', `compress a block: the worker ended: ${messageOf(error)}`, { cause: error }),
      );
    if (queue.length > 0) pump();
  };
  worker.on('error', lost);
  worker.on('exit', (code) => lost(`exit code ${code}`));
  lanes.push(lane);
  return lane;
}

/** Beside this file in the sources, beside the bundle otherwise; in a single executable, in it. */
function workerUrl(): URL {
  const sea = process.getBuiltinModule('node:sea');
  if (sea.isSea())
    return new URL(`data:text/javascript;base64,${Buffer.from(sea.getAsset('codec-worker.js')).toString('base64')}`);
  return new URL(import.meta.url.endsWith('.ts') ? 'codec-worker.ts' : 'codec-worker.js', import.meta.url);
}
