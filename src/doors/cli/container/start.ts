import { hasCode } from '../../../base/index.ts';
import { machineError, type ContainerRecord } from '../../../machine/index.ts';
import type { CliContext } from '../command.ts';
import { attachTo } from './attach.ts';
import { startMonitor } from './start-monitor.ts';
import { startOne } from './start-one.ts';
import { askIfWatched, found, isRunning } from './stop.ts';
import { graceOf } from '../run/grace.ts';

/** `strake start`: one that runs is started already. With `attach` gives its exit code. */
export async function startContainers(
  names: readonly string[],
  o: { readonly attach?: boolean | undefined; readonly interactive?: boolean | undefined; readonly c: CliContext },
): Promise<number> {
  const { c } = o;
  const records = await found(names, c);
  const attached = o.attach === true || o.interactive === true;
  if (attached && records.length > 1)
    throw machineError('RUN_INVALID', 'attach to several containers: one terminal shows one');
  for (const [name, record] of records) {
    if (attached) return startAttached(record, { ...o, c });
    if (!isRunning(record))
      await startOne(record, c).catch((error: unknown) => {
        // Somebody else has started it meanwhile.
        if (!hasCode(error, 'CONTAINER_RUNNING')) throw error;
      });
    c.io.stdout.write(`${name}\n`);
  }
  return 0;
}

async function startAttached(
  record: ContainerRecord,
  o: { readonly interactive?: boolean | undefined; readonly c: CliContext },
): Promise<number> {
  const { c } = o;
  const { spec } = record;
  const how = {
    c,
    stdin: o.interactive === true && spec.interactive,
    terminal: spec.overrides.terminal !== undefined,
  };
  if (isRunning(record)) return attachTo(record, how);
  const monitor = startMonitor(record, { c, attachFirst: true });
  await monitor.next();
  const code = attachTo(record, how);
  code.catch(() => undefined);
  await monitor.next();
  return code;
}

/** `strake restart`. */
export async function restartContainers(
  names: readonly string[],
  o: { readonly time?: string | undefined; readonly c: CliContext },
): Promise<void> {
  const { c, time } = o;
  const graceMs = time === undefined ? undefined : graceOf(time, '--time');
  for (const [name, record] of await found(names, c)) {
    if (record.spec.autoRemove && isRunning(record))
      throw machineError('RUN_UNSUPPORTED', `restart container "${record.name}": it is removed when it ends (--rm)`);
    await askIfWatched(record, { ask: 'stop', graceMs }, c);
    await startOne(record, c);
    c.io.stdout.write(`${name}\n`);
  }
}
