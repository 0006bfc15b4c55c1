import { hasCode } from '../../../base/index.ts';
import type { CliContext } from '../program.ts';
import { engineFor } from '../settings.ts';
import { findContainer, settledContainers } from './containers.ts';
import { removeContainer } from './remove.ts';
import { isRunning } from './stop.ts';

/** `strake container rm`. */
export async function removeContainers(
  names: readonly string[],
  flags: { readonly force?: boolean | undefined },
  c: CliContext,
): Promise<void> {
  const force = flags.force === true;
  for (const name of names) {
    try {
      await removeContainer(await findContainer(name, c), { c, force });
      c.io.stdout.write(`${name}\n`);
    } catch (error) {
      if (!force || !hasCode(error, 'CONTAINER_NOT_FOUND')) throw error;
    }
  }
}

/** `strake container prune`: prints the IDs of those that are gone. */
export async function pruneContainers(c: CliContext): Promise<void> {
  const ended = (await settledContainers(c)).filter((record) => !isRunning(record));
  if (ended.length === 0) return;
  await using engine = await engineFor(c.settings);
  for (const record of ended) {
    // One that is just being started stays.
    try {
      await removeContainer(record, { c, force: false, engine });
      c.io.stdout.write(`${record.id}\n`);
    } catch (error) {
      if (!hasCode(error, 'CONTAINER_RUNNING')) throw error;
    }
  }
}
