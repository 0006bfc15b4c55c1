import { join } from 'node:path';
import { ContainerStore, VolumeStore, type ContainerRecord } from '../../../machine/index.ts';
import type { CliContext } from '../program.ts';
import { engineFor } from '../settings.ts';

/** The containers and named volumes of a store. */
export function openContainers(c: Pick<CliContext, 'settings' | 'io'>): {
  readonly store: ContainerStore;
  readonly volumes: VolumeStore;
} {
  const { settings, io } = c;
  return {
    store: new ContainerStore(join(settings.root, 'containers'), io),
    volumes: new VolumeStore(join(settings.root, 'volumes'), io),
  };
}

/** 128 + SIGKILL: so the kernel has ended what was in a container whose monitor was killed. */
const KILLED = 137;

/**
 * The containers as they are, the newest first. Of those whose monitor was killed, or that ran when the machine went down, the record is put right and what they left (mounts, control groups, addresses, snapshots) taken away.
 */
export async function settledContainers(c: CliContext): Promise<ContainerRecord[]> {
  const { store } = openContainers(c);
  const all = store.list();
  const lost = all.filter(
    (record) => (record.status === 'running' || record.status === 'restarting') && !store.isWatched(record),
  );
  if (lost.length === 0) return all;
  await using engine = await engineFor({ ...c.settings, executor: undefined, lateNetwork: true });
  // Opening the ground recovers what processes that are gone have left on it.
  await engine.ground({ signal: c.signal });
  for (const { id } of lost) {
    using taken = store.take(id);
    const record = taken && store.read(id);
    if (!record || (record.status !== 'running' && record.status !== 'restarting')) continue;
    if (record.spec.autoRemove) store.remove(id);
    else
      store.write({
        ...record,
        status: 'exited',
        exitCode: KILLED,
        finishedAt: c.io.clock.now(),
        lost: true,
        health: undefined,
        ports: [],
        error: undefined,
      });
  }
  return store.list();
}

/** The one of this name or ID, as it is. Throws `CONTAINER_NOT_FOUND`. */
export async function findContainer(text: string, c: CliContext): Promise<ContainerRecord> {
  await settledContainers(c);
  return openContainers(c).store.find(text);
}

/** The one that has just this name or ID. */
export async function findExact(text: string, c: CliContext): Promise<ContainerRecord | undefined> {
  const { store } = openContainers(c);
  if (!store.exact(text)) return undefined;
  await settledContainers(c);
  return store.exact(text);
}
