import { hasCode, type Wait } from '../../../base/index.ts';
import type { State } from '../../../graph/index.ts';
import type { Entry } from '../../../tree/index.ts';
import type { FrontendHost, Ref } from '../../index.ts';
import type { Files } from '../model/types.ts';

/** A solved state as `Files`. */
export async function filesOf(host: FrontendHost, state: State, w?: Wait): Promise<Files> {
  return refFiles(host, await host.solve(state, w));
}

export function refFiles(host: FrontendHost, ref: Ref): Files {
  const listed = new Map<string, Promise<readonly Entry[]>>();
  const list = (path: string, w?: Wait): Promise<readonly Entry[]> => {
    let entries = listed.get(path);
    if (!entries) listed.set(path, (entries = orElse(host.list(ref, path, w), [])));
    return entries;
  };
  return {
    read: (path, w) => orElse<Uint8Array | undefined>(host.read(ref, path, w), undefined),
    list,
    // By its folder: the host follows links.
    stat: async (path, w) => {
      const slash = path.lastIndexOf('/');
      const entries = await list(path.slice(0, slash) || '/', w);
      return entries.find((entry) => entry.path === path.slice(1));
    },
  };
}

async function orElse<T>(found: Promise<T>, absent: T): Promise<T> {
  try {
    return await found;
  } catch (error) {
    // Not what is spoiled, and not links without an end: they are there.
    if (hasCode(error, 'PATH_NOT_FOUND', 'NOT_A_FILE', 'NOT_A_FOLDER')) return absent;
    throw error;
  }
}
