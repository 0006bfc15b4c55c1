import type { ContainerRecord } from '../../../machine/index.ts';
import type { CliContext } from '../command.ts';
import { openContainers, settledContainers } from './containers.ts';
import { liveContainers } from './revive.ts';

/** The one of this name or ID, as it is. Throws `CONTAINER_NOT_FOUND`. */
export async function findContainer(text: string, c: CliContext): Promise<ContainerRecord> {
  await liveContainers(c);
  return openContainers(c).store.find(text);
}

/** The one that has just this name or ID. None is started again for that. */
export async function findExact(text: string, c: CliContext): Promise<ContainerRecord | undefined> {
  const { store } = openContainers(c);
  if (!store.exact(text)) return undefined;
  await settledContainers(c);
  return store.exact(text);
}
