import type { Socket } from 'node:net';
import type { Random } from '../base/index.ts';
import { PAUSE_PROGRAMS, type Process } from '../exec/index.ts';
import { containerProcess } from './container-process.ts';
import { answerOf, listenIn, type Answer, type FilesQuestion } from './control.ts';
import { machineError } from './errors.ts';
import { answerFiles } from './files.ts';
import { framesOf, messageFrame, parseMessage } from './frames.ts';
import type { MonitorOptions } from './monitor.ts';
import { rootName } from './record.ts';

const PAUSE = '/.strake-pause';
/** How long it waits when nobody is connected. */
const IDLE_MS = 10_000;

/**
 * Shows the files of a container that does not run, its volumes mounted, to who connects: a process that does nothing stands in for its own. Answers questions about files alone, until the one who asks `done` or nobody comes; what was
 * written is kept as after a run. Throws what `openRoot` throws, `CONTAINER_RUNNING`, `CONTAINER_NOT_FOUND`.
 */
export async function serveFiles(o: MonitorOptions & { readonly random: Random }): Promise<void> {
  const { store, id } = o;
  using _taken = await store.takeSoon(id, { signal: o.signal, toStart: true });
  const record = store.read(id);
  if (!record) throw machineError('CONTAINER_NOT_FOUND', `look into container "${id}": it was removed`);
  const program = PAUSE_PROGRAMS[process.arch];
  if (!program) throw machineError('RUN_UNSUPPORTED', `look into a container that does not run, on ${process.arch}`);
  await using root = await o.openRoot(record, { kept: rootName(id), signal: o.signal });
  const { executor } = root.ground;
  const user = { uid: 0, gid: 0, additionalGids: [] };
  const { mounts = [], volumes } = record.spec.overrides;
  const standIn: Process = containerProcess(
    record.spec.config.config ?? {},
    { mounts, volumes, entrypoint: PAUSE, network: 'none', workdir: '/' },
    { id: `files-${o.random.hex(6)}`, user, ports: [] },
  );
  const pause = { type: 'file', target: PAUSE, content: program, mode: 0o755, uid: 0, gid: 0 } as const;
  const quiet = { stdout: () => undefined, stderr: () => undefined };
  const ending = new AbortController();
  const running = executor.run(
    { ...standIn, mounts: [...standIn.mounts, pause] },
    { root: root.mounts, io: quiet, signal: ending.signal },
  );
  running.catch(() => undefined);
  let written = false;
  try {
    const done = Promise.withResolvers<void>();
    let open = 0;
    let idle = setTimeout(done.resolve, IDLE_MS);
    const serve = async (socket: Socket): Promise<void> => {
      const leaving = new AbortController();
      socket.on('error', () => undefined);
      open += 1;
      clearTimeout(idle);
      socket.once('close', () => {
        leaving.abort();
        open -= 1;
        if (open === 0) idle = setTimeout(done.resolve, IDLE_MS);
      });
      const answer = (what: Answer): void => void (socket.writable && socket.write(messageFrame(what)));
      try {
        const frames = framesOf(socket)[Symbol.asyncIterator]();
        const first = await frames.next();
        if (first.done === true) return;
        const question = parseMessage(first.value) as FilesQuestion | { readonly ask: 'done' };
        if (question.ask === 'done') return done.resolve();
        if (question.ask === 'unpack') written = true;
        await answerFiles(question, { id: standIn.id, executor, socket, frames, answer, signal: leaving.signal });
      } catch (error) {
        answer(answerOf(error));
      } finally {
        socket.end(() => socket.destroy());
      }
    };
    {
      await using _server = await listenIn(store.folderOf(id), (socket) => void serve(socket));
      o.started({ notes: [] });
      await Promise.race([running, done.promise]);
      clearTimeout(idle);
    }
  } finally {
    ending.abort();
    await running.catch(() => undefined);
  }
  if (!written) return;
  await root.keep(rootName(id));
  store.write({ ...record, kept: true });
}
