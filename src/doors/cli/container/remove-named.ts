import { hasCode } from '../../../base/index.ts';
import type { Engine } from '../../../engine/index.ts';
import { rootName } from '../../../machine/index.ts';
import type { CliContext } from '../command.ts';
import { engineOn, openContainers, settledContainers } from './containers.ts';
import { removeContainer, type RemoveOptions } from './remove.ts';
import { isRunning } from './stop.ts';

/** `strake container rm`: those that are killed are so at once. */
export async function removeContainers(
  names: readonly string[],
  flags: { readonly force?: boolean | undefined },
  c: CliContext,
): Promise<void> {
  const force = flags.force === true;
  await using kept = openLater(c);
  await settledContainers(c);
  const { store } = openContainers(c);
  const outcomes = await Promise.allSettled(
    names.map(async (name) => {
      await removeContainer(store.find(name), { c, force, drop: kept.drop });
      c.io.stdout.write(`${name}\n`);
    }),
  );
  for (const outcome of outcomes)
    if (outcome.status === 'rejected' && !(force && hasCode(outcome.reason, 'CONTAINER_NOT_FOUND')))
      throw outcome.reason;
}

/** `strake container prune`: prints the IDs of those that are gone. */
export async function pruneContainers(c: CliContext): Promise<void> {
  await using store = openLater(c);
  for (const record of await settledContainers(c)) {
    if (isRunning(record)) continue;
    // One that is just being started stays.
    try {
      await removeContainer(record, { c, force: false, drop: store.drop });
      c.io.stdout.write(`${record.id}\n`);
    } catch (error) {
      if (!hasCode(error, 'CONTAINER_RUNNING')) throw error;
    }
  }
}

/** The store, opened when something of a container's root is kept there. */
export function openLater(c: CliContext): AsyncDisposable & Pick<RemoveOptions, 'drop'> {
  const openings = new Map<string | undefined, Promise<Engine>>();
  return {
    drop: async (record) => {
      const { ground } = record.spec;
      const opening = openings.get(ground) ?? engineOn(record, c);
      openings.set(ground, opening);
      await (await opening).dropRoot(rootName(record.id), c);
    },
    [Symbol.asyncDispose]: async () => {
      for (const opening of openings.values()) {
        const engine = await opening.catch(() => undefined);
        await engine?.[Symbol.asyncDispose]();
      }
    },
  };
}
