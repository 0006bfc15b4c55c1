import { hasErrno, type Wait } from '../base/index.ts';
import { openRoot, packFiles, statRooted, unpackFiles } from '../tree/index.ts';
import { descendantsOf } from './descendants.ts';
import { execError } from './errors.ts';
import type { RunningInsides } from './running-processes.ts';
import { usageOf } from './usage.ts';

/** What is inside of processes that run on this machine, found by what `find` gives: the number of a process, once it runs. */
export function insidesOf(
  find: (id: string, w: Wait) => Promise<{ readonly pid: number } | undefined>,
): RunningInsides {
  const rootOf = async (id: string, w: Wait): Promise<ReturnType<typeof openRoot>> => {
    const found = await find(id, w);
    try {
      // Its own view, mounts included.
      if (found) return openRoot(`/proc/${found.pid}/root`);
    } catch (error) {
      if (!hasErrno(error, 'ENOENT', 'ESRCH')) throw error;
    }
    throw execError('PROCESS_ABSENT', `look into "${id}": it does not run`);
  };
  return {
    usage: async (id, w = {}) => {
      const found = await find(id, w);
      return found && usageOf(found.pid, [found.pid, ...descendantsOf(found.pid)]);
    },
    stat: async (id, path, o) => {
      using root = await rootOf(id, o);
      return statRooted(root.fd, path, o);
    },
    pack: async (id, path, o) => {
      using root = await rootOf(id, o);
      for await (const chunk of packFiles(root.fd, path, o)) await o.send(chunk);
    },
    unpack: async (id, folder, o) => {
      using root = await rootOf(id, o);
      await unpackFiles(o.tar, { ...o, root: root.fd, folder });
    },
  };
}
