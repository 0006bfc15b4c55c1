import type { Bytes, Wait } from '../base/index.ts';
import type { Executor } from '../exec/index.ts';
import { machineError } from './errors.ts';
import type { Answer, FilesQuestion } from './control.ts';
import { FRAME, frameOf, sendFrame, type Frame } from './frames.ts';
import type { Socket } from 'node:net';

/** Answers a question about the files of a process that runs. Throws `RUN_UNSUPPORTED` where nothing can look into processes. */
export async function answerFiles(
  question: FilesQuestion,
  o: {
    readonly id: string;
    readonly executor: Executor;
    readonly socket: Socket;
    /** What comes after the question. */
    readonly frames: AsyncIterator<Frame>;
    answer(what: Answer): void;
  } & Wait,
): Promise<void> {
  const { id, signal } = o;
  const { insides } = o.executor.running;
  if (!insides)
    throw machineError('RUN_UNSUPPORTED', 'look into a container: nothing isolates containers here', {
      remedy: 'See what "strake doctor" says is missing.',
    });
  const { path } = question;
  if (question.ask === 'stat')
    return o.answer({ value: (await insides.stat(id, path, { follow: question.follow, signal })) ?? null });
  if (question.ask === 'pack') {
    const send = (chunk: Uint8Array): Promise<void> => sendFrame(o.socket, frameOf(FRAME.stdout, chunk));
    const { as, follow } = question;
    await insides.pack(id, path, { as, follow, send, signal });
  } else {
    const owner = question.keepOwner ? 'keep' : { uid: 0, gid: 0 };
    await insides.unpack(id, path, { tar: inputOf(o.frames), owner, signal });
  }
  o.answer({ exit: 0 });
}

/** What is sent along, taken piece by piece. Throws `CANCELLED`'s like when who sends it goes before its end. */
async function* inputOf(frames: AsyncIterator<Frame>): Bytes {
  for (let next = await frames.next(); next.done !== true; next = await frames.next()) {
    const { kind, payload } = next.value;
    if (kind === FRAME.stdin) yield Buffer.from(payload);
    else if (kind === FRAME.stdinEnd) return;
  }
  throw machineError('CONTAINER_FAILED', 'copy into a container: who sends the files has gone');
}
