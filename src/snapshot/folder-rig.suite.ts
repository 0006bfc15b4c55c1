import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { Database, mountAll, systemRandom, type Clock } from '../base/index.ts';
import type { Mount } from '../tree/index.ts';
import type { SnapshotterRig } from './snapshotter.suite.ts';
import type { StoredOptions, StoredSnapshotter } from './stored-snapshotter.ts';
import { detailsOf, editFolder, lookAtFolder } from './tree-edits.suite.ts';

/** A clock that ticks a second at each look. */
export function tickingClock(): Clock {
  let now = 1_700_000_000_000;
  return { now: () => (now += 1000) };
}

/** A snapshotter that keeps folders, in a new folder below `parent`, reached by mounting in this process. */
export function folderRig(
  parent: string,
  make: (o: StoredOptions) => StoredSnapshotter,
  can: SnapshotterRig['can'],
): SnapshotterRig & { readonly snapshotter: StoredSnapshotter } {
  const folder = mkdtempSync(join(parent, 'rig-'));
  const database = Database.open(join(folder, 'strake.db'));
  const snapshotter = make({
    folder: join(folder, 's'),
    database,
    clock: tickingClock(),
    random: systemRandom,
    idMapStamp: 'test',
  });
  const within = <T>(mounts: readonly Mount[], work: (root: string) => T): T => {
    const root = join(folder, 'root');
    mkdirSync(root, { recursive: true });
    using _ = mountAll(mounts, root);
    return work(root);
  };
  return {
    snapshotter,
    folder,
    can,
    edit: async (mounts, edits) => within(mounts, (root) => editFolder(root, edits)),
    look: async (mounts) => within(mounts, lookAtFolder),
    details: async (mounts, path) => within(mounts, (root) => detailsOf(root, path)),
    [Symbol.asyncDispose]: async () => {
      await snapshotter[Symbol.asyncDispose]();
      database[Symbol.dispose]();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
