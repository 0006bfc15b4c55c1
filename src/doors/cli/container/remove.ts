import { hasCode } from '../../../base/index.ts';
import { machineError, type ContainerRecord } from '../../../machine/index.ts';
import type { CliContext } from '../command.ts';
import { openContainers, settledContainers } from './containers.ts';
import { askIfWatched, isRunning } from './stop.ts';

export interface RemoveOptions {
  readonly c: CliContext;
  /** One that runs is killed. */
  readonly force: boolean;
  /** Gives up what the store keeps of its root. */
  drop(record: ContainerRecord): Promise<void>;
}

/** Removes a container with what it wrote to its own root, and its log. Named volumes stay. Throws `CONTAINER_RUNNING`. */
export async function removeContainer(record: ContainerRecord, o: RemoveOptions): Promise<void> {
  const { c } = o;
  const { store } = openContainers(c);
  let answered = false;
  if (store.isWatched(record) && record.status !== 'exited') {
    if (!o.force)
      throw machineError('CONTAINER_RUNNING', `remove container "${record.name}": it is running`, {
        remedy: `Stop it first, or remove it by force: strake rm -f ${record.name}.`,
      });
    answered = (await askIfWatched(record, { ask: 'stop', graceMs: 0, discard: true }, c)) !== undefined;
  }
  // Its monitor was killed meanwhile: what it left goes first.
  if (!answered && (isRunning(record) || record.starting === true)) await settledContainers(c);
  try {
    using _taken = await store.takeSoon(record.id, c);
    if (store.read(record.id)?.kept === true) await o.drop(record);
    store.remove(record.id);
  } catch (error) {
    // One of --rm has removed itself.
    if (!hasCode(error, 'CONTAINER_NOT_FOUND')) throw error;
  }
}
