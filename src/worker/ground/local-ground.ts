import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Clock, Database, Random, Wait } from '../../base/index.ts';
import { createExecutor, recoverExecutors, type ExecutorName } from '../../exec/index.ts';
import { CopySnapshotter, OverlaySnapshotter, probeOverlay, type StoredSnapshotter } from '../../snapshot/index.ts';
import { CacheFolders } from '../mounts/cache-folders.ts';
import type { Ground, GroundReport } from './ground.ts';

export interface LocalGroundOptions {
  /** Of grounds alone. */
  readonly folder: string;
  readonly database: Database;
  readonly clock: Clock;
  readonly random: Random;
  /** Tried first. */
  readonly executor?: ExecutorName | undefined;
  /** No network before a process needs it. */
  readonly lateNetwork?: boolean | undefined;
  /** `copy`: not overlay, even where it works. */
  readonly snapshotter?: 'overlay' | 'copy' | undefined;
}

/** The best ground in this process, which must be root (of a user namespace at least) in a mount namespace of its own. */
export async function openLocalGround(o: LocalGroundOptions & Wait): Promise<Ground> {
  const ids = idsHere();
  const folder = join(o.folder, 'snapshots');
  mkdirSync(folder, { recursive: true, mode: 0o711 });
  const lacks: string[] = [];
  const probed = o.snapshotter === 'copy' ? { reason: 'copies were asked for' } : probeOverlay(folder, o.random);
  const stored = {
    folder,
    database: o.database,
    clock: o.clock,
    random: o.random,
    idMapStamp: ids.map,
    ids: ids.kind === 'single' ? ('single' as const) : ('all' as const),
  };
  let snapshotter: StoredSnapshotter;
  if ('options' in probed) snapshotter = new OverlaySnapshotter({ ...stored, mountOptions: probed.options });
  else {
    snapshotter = new CopySnapshotter(stored);
    lacks.push(`Snapshots are whole copies, which is slower and takes more space: ${probed.reason}.`);
  }
  const stateFolder = join(o.folder, 'exec');
  const caches = new CacheFolders({ ...o, folder: join(o.folder, 'caches'), idMapStamp: ids.map });
  const recover = async (w: Wait): Promise<number> => {
    const given = recoverExecutors(stateFolder).length + (await caches.recover(w));
    return given + (await snapshotter.recover(w));
  };
  try {
    await recover(o);
    const executor = await createExecutor({
      prefer: o.executor,
      lateNetwork: o.lateNetwork,
      stateFolder,
      rootless: ids.kind === 'root' ? undefined : ids.kind,
      random: o.random,
      clock: o.clock,
      signal: o.signal,
    });
    const report: GroundReport = {
      as: ids.kind === 'root' ? 'root' : 'user',
      ids: ids.kind,
      snapshotter: snapshotter.name,
      executor: executor.report.name,
      lacks: [...lacks, ...executor.report.lacks.filter((lack) => !lacks.includes(lack))],
    };
    return {
      name: `${report.as} ${report.snapshotter} ${report.executor}`,
      snapshotter,
      executor,
      caches,
      report,
      recover: (w = {}) => recover(w),
      [Symbol.asyncDispose]: async () => {
        await executor[Symbol.asyncDispose]();
        await snapshotter[Symbol.asyncDispose]();
      },
    };
  } catch (error) {
    await snapshotter[Symbol.asyncDispose]();
    throw error;
  }
}

/** Which ids this process can give to files, and a text that names the map. */
export function idsHere(): { readonly kind: 'root' | 'range' | 'single'; readonly map: string } {
  const read = (name: string): string => readFileSync(`/proc/self/${name}`, 'latin1').trim().replaceAll(/\s+/g, ' ');
  const uids = read('uid_map');
  const gids = read('gid_map');
  if (uids === ALL_IDS && gids === ALL_IDS) return { kind: 'root', map: 'root' };
  const single = uids.endsWith(' 1') && uids.split(' ').length === 3;
  return { kind: single ? 'single' : 'range', map: `${uids} / ${gids}` };
}

const ALL_IDS = '0 0 4294967295';
