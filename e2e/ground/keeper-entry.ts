import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Database, mountAll, systemClock, systemRandom } from '../../src/base/index.ts';
import { CopySnapshotter, OverlaySnapshotter, probeOverlay } from '../../src/snapshot/index.ts';
import { detailsOf, editFolder, lookAtFolder, type Edit } from '../../src/snapshot/tree-edits.suite.ts';
import type { Mount } from '../../src/tree/index.ts';
import { keeperMain } from '../../src/worker/ground/keeper.ts';
import { idsHere } from '../../src/worker/ground/local-ground.ts';
import { groundHandlers } from '../../src/worker/ground/serve-ground.ts';

/** A keeper that can also be asked to reach into mounted trees, and to begin anew with an empty store. */
const within = <T>(mounts: readonly Mount[], work: (root: string) => T): T => {
  const root = mkdtempSync(join(tmpdir(), 'strake-keeper-'));
  try {
    using _ = mountAll(mounts, root);
    return work(root);
  } finally {
    rmSync(root, { recursive: true });
  }
};

let store: AsyncDisposableStack | undefined;

await keeperMain([], (ground, handlers) => ({
  edit: async (p: { mounts: readonly Mount[]; edits: readonly Edit[] }) =>
    within(p.mounts, (root) => editFolder(root, p.edits)),
  look: async (p: { mounts: readonly Mount[] }) => within(p.mounts, lookAtFolder),
  details: async (p: { mounts: readonly Mount[]; path: string }) => within(p.mounts, (root) => detailsOf(root, p.path)),
  fresh: async (p: { folder: string; snapshotter: string }) => {
    const folder = join(p.folder, 'snapshots');
    store = new AsyncDisposableStack();
    store.defer(() => rmSync(folder, { recursive: true, force: true }));
    const database = store.use(Database.open(join(p.folder, 'strake.db')));
    const ids = idsHere();
    const options = {
      folder,
      database,
      clock: systemClock,
      random: systemRandom,
      idMapStamp: ids.map,
      ids: ids.kind === 'single' ? ('single' as const) : ('all' as const),
    };
    const probed = p.snapshotter === 'copy' ? { reason: '' } : probeOverlay(p.folder, systemRandom);
    const snapshotter = store.use(
      'options' in probed
        ? new OverlaySnapshotter({ ...options, mountOptions: probed.options })
        : new CopySnapshotter(options),
    );
    const anew = { ...ground, snapshotter, recover: () => snapshotter.recover() };
    Object.assign(handlers, store.use(groundHandlers(anew)));
    return snapshotter.name;
  },
  stale: async () => store?.disposeAsync(),
  // Only in its namespace may the user delete what other ids own, and overlay's work folders.
  wipe: async (p: { path: string }) => rmSync(p.path, { recursive: true, force: true }),
  stall: async () => {
    for (;;);
  },
}));
