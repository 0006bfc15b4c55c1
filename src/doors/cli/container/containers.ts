import { join } from 'node:path';
import { sleep } from '../../../base/index.ts';
import type { Engine } from '../../../engine/index.ts';
import { ContainerStore, VolumeStore, type ContainerRecord } from '../../../machine/index.ts';
import type { CliContext } from '../command.ts';
import { engineFor, groundOf } from '../settings.ts';

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
  const isLost = (record: ContainerRecord | undefined): boolean =>
    record !== undefined && (hasProcess(record) || record.starting === true) && !store.isWatched(record);
  const all = store.list();
  const lost = all.filter(isLost);
  if (lost.length === 0) return all;
  await quiet(lost, { store, signal: c.signal });
  for (const one of new Map(lost.map((record) => [record.spec.ground, record])).values()) {
    await using engine = await engineOn(one, c);
    // Opening the ground recovers what processes that are gone have left on it.
    await engine.ground({ signal: c.signal });
  }
  for (const { id } of lost) {
    using taken = store.take(id);
    const record = taken && store.read(id);
    if (!record || !isLost(record)) continue;
    if (record.spec.autoRemove) store.remove(id);
    else store.write(endOf(record, c.io.clock.now()));
  }
  return store.list();
}

/** The store, with the ground that a container's root lies on. */
export function engineOn(record: Pick<ContainerRecord, 'spec'>, c: Pick<CliContext, 'settings'>): Promise<Engine> {
  const { ground } = record.spec;
  const on = ground === undefined ? undefined : groundOf(ground);
  return engineFor({ ...c.settings, executor: undefined, ground: on, lateNetwork: true });
}

/** Waits until all that a killed process had open is closed: its other threads and its keeper end a moment after it. */
async function quiet(
  lost: readonly ContainerRecord[],
  o: { readonly store: ContainerStore; readonly signal: AbortSignal },
): Promise<void> {
  for (const { id } of lost)
    for (let looks = 0; looks < MOST_LOOKS; looks++) {
      const taken = o.store.take(id);
      taken?.[Symbol.dispose]();
      if (taken || !o.store.read(id)) break;
      await sleep(LOOK_MS, o);
    }
  await sleep(KEEPER_MS, o);
}

const LOOK_MS = 10;
const MOST_LOOKS = 500;
const KEEPER_MS = 50;

function hasProcess({ status }: ContainerRecord): boolean {
  return status === 'running' || status === 'restarting';
}

/** A record whose monitor was killed, as it is from now on. */
function endOf(record: ContainerRecord, now: number): ContainerRecord {
  const settled = { ...record, starting: undefined, health: undefined, ports: [] };
  if (!hasProcess(record)) return { ...settled, error: 'its monitor was killed while it started it' };
  return { ...settled, status: 'exited', exitCode: KILLED, finishedAt: now, lost: true, error: undefined };
}
