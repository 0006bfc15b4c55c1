import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Clock, Database, Random, Wait } from '../../base/index.ts';
import { createContainerdExecutor, type ProcessIo } from '../../exec/index.ts';
import { openContainerdSnapshotter, probeOverlay, type ActiveSnapshot } from '../../snapshot/index.ts';
import { CacheFolders } from '../mounts/cache-folders.ts';
import { groundError } from './errors.ts';
import type { Ground, GroundReport, SurvivingStep } from './ground.ts';

/** Which containerd, and where in it. */
export interface ContainerdPlace {
  /** Of its socket; /run/containerd/containerd.sock by default. */
  readonly address?: string | undefined;
  /** `strake` by default. */
  readonly namespace?: string | undefined;
  /** `overlayfs` by default. */
  readonly snapshotter?: string | undefined;
}

const ADDRESS = '/run/containerd/containerd.sock';
const NAMESPACE = 'strake';

/** Steps as containerd's tasks on containerd's snapshots. This process must be root where containerd runs. Throws `GROUND_UNAVAILABLE`, and what the connection throws. */
export async function openContainerdGround(
  o: ContainerdPlace & {
    /** Of grounds alone. */
    readonly folder: string;
    readonly database: Database;
    readonly clock: Clock;
    readonly random: Random;
    /** No network for steps before one needs it. */
    readonly lateNetwork?: boolean | undefined;
  } & Wait,
): Promise<Ground> {
  const { address = ADDRESS, namespace = NAMESPACE, snapshotter: kind } = o;
  await using undo = new AsyncDisposableStack();
  const stateFolder = join(o.folder, 'containerd');
  mkdirSync(stateFolder, { recursive: true, mode: 0o711 });
  const caches = new CacheFolders({ ...o, folder: join(o.folder, 'caches'), idMapStamp: 'root' });
  const place = { address, namespace, random: o.random, signal: o.signal };
  const executor = undo.use(
    await createContainerdExecutor({ ...place, stateFolder, clock: o.clock, lateNetwork: o.lateNetwork }),
  );
  const { survivors, owner } = executor;
  const probed = probeOverlay(stateFolder, o.random);
  if (!('options' in probed))
    throw groundError('GROUND_UNAVAILABLE', `find a place to run steps in: containerd: overlayfs: ${probed.reason}`);
  const snapshotter = await openContainerdSnapshotter({
    ...place,
    snapshotter: kind,
    store: executor.state,
    owner,
    mountOptions: probed.options,
  });
  undo.use(snapshotter);
  const isAlive = (name: string): boolean => survivors.exists(name);
  const recover = async (w: { readonly all: boolean } & Wait): Promise<number> => {
    const given = await survivors.recover(w);
    return given + (await snapshotter.recover(isAlive, w)) + (await caches.recover(w));
  };
  await recover({ all: false, signal: o.signal });
  const report: GroundReport = {
    as: 'root',
    ids: 'root',
    snapshotter: snapshotter.name,
    executor: executor.report.name,
    lacks: executor.report.lacks,
  };
  const scope = undo.move();
  return {
    name: `root ${snapshotter.name} containerd`,
    snapshotter,
    executor,
    caches,
    report,
    survivors: {
      rootOf: (active: ActiveSnapshot) => snapshotter.keyOf(active),
      claim: async (key, w): Promise<SurvivingStep | undefined> => {
        const found = await survivors.claim(key, w);
        if (!found) return undefined;
        const active = await snapshotter.adopt(found.root, w);
        const dispose = async (): Promise<void> => {
          await found[Symbol.asyncDispose]();
          if (!isAlive(found.owner)) await snapshotter.release(found.owner);
        };
        if (!active) {
          await dispose();
          return undefined;
        }
        return {
          active,
          finish: (io: ProcessIo, waiting) => found.finish({ io, ...waiting }),
          [Symbol.asyncDispose]: dispose,
        };
      },
    },
    recover: (w) => recover({ all: true, ...w }),
    [Symbol.asyncDispose]: () => scope.disposeAsync(),
  };
}
