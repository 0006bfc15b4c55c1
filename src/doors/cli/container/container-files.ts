import { once } from 'node:events';
import { PassThrough } from 'node:stream';
import type { Bytes } from '../../../base/index.ts';
import { askMonitor, askValue, converse, type ContainerRecord } from '../../../machine/index.ts';
import type { RootedStat } from '../../../tree/index.ts';
import type { CliContext } from '../command.ts';
import { openContainers } from './containers.ts';
import { startMonitor } from './start-monitor.ts';
import { isRunning } from './stop.ts';

/** The files of a container, running or not, until the end of the scope. */
export interface ContainerFiles extends AsyncDisposable {
  stat(path: string, o: { readonly follow: boolean }): Promise<RootedStat | undefined>;
  /** A tar of what is at a path, in which it is called `as`. */
  pack(path: string, o: { readonly as: string; readonly follow: boolean }): Bytes;
  unpack(folder: string, o: { readonly tar: Bytes; readonly keepOwner: boolean }): Promise<void>;
}

/** Of one that does not run, a monitor shows them for that long. */
export async function openFiles(record: ContainerRecord, c: CliContext): Promise<ContainerFiles> {
  const { store } = openContainers(c);
  const ask = { folder: store.folderOf(record.id), name: record.name, signal: c.signal };
  const ended = !isRunning(record);
  if (ended) {
    (await store.takeSoon(record.id, { toStart: true, signal: c.signal }))[Symbol.dispose]();
    await startMonitor(record, { c, filesOnly: true }).next();
  }
  const quiet = { stderr: () => undefined };
  return {
    stat: async (path, { follow }) =>
      ((await askValue({ ask: 'stat', path, follow }, ask)) as RootedStat | null) ?? undefined,
    pack: (path, o) => {
      const through = new PassThrough({ highWaterMark: 1 << 20 });
      const leaving = new AbortController();
      through.once('close', () => leaving.abort());
      const signal = AbortSignal.any([c.signal, leaving.signal]);
      const stdout = async (chunk: Uint8Array): Promise<void> => {
        if (!through.write(chunk)) await once(through, 'drain', { signal });
      };
      converse({ ask: 'pack', path, ...o }, { ...ask, ...quiet, stdout, signal }).then(
        () => through.end(),
        (error: unknown) => through.destroy(error instanceof Error ? error : new Error(String(error))),
      );
      return through;
    },
    unpack: async (folder, { tar, keepOwner }) => {
      let over = false;
      const stdin = (async function* (): Bytes {
        for await (const chunk of tar) {
          if (over) return;
          yield chunk;
        }
      })();
      try {
        await converse(
          { ask: 'unpack', path: folder, keepOwner },
          { ...ask, ...quiet, stdout: () => undefined, stdin },
        );
      } finally {
        over = true;
      }
    },
    [Symbol.asyncDispose]: async () => {
      if (!ended) return;
      await askMonitor({ ask: 'done' }, { ...ask, signal: undefined }).catch(() => undefined);
      // What was written is kept when the monitor has gone.
      (await store.takeSoon(record.id))[Symbol.dispose]();
    },
  };
}
