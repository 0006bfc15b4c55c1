import type { ContainerRecord } from '../../../machine/index.ts';
import type { CliContext } from '../command.ts';
import { openContainers } from './containers.ts';
import { startMonitor } from './start-monitor.ts';

/** Starts one that does not run, and tells what there is to know. */
export async function startOne(record: ContainerRecord, c: CliContext): Promise<void> {
  const { store } = openContainers(c);
  // A monitor that is putting things away has it still.
  (await store.takeSoon(record.id, { toStart: true, signal: c.signal }))[Symbol.dispose]();
  const word = await startMonitor(record, { c }).next();
  if (word.say === 'started')
    for (const note of word.notes) c.io.stderr.write(`${c.io.errStyle.yellow('note')}: ${note}\n`);
}
