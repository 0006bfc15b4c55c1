import { hasCode, sleep } from '../../../base/index.ts';
import { askMonitor, machineError, signalNumber, type ContainerRecord, type Question } from '../../../machine/index.ts';
import { graceOf } from '../run/grace.ts';
import type { CliContext } from '../command.ts';
import { openContainers, settledContainers } from './containers.ts';
import { liveContainers, stayEnded } from './revive.ts';

/** How often one that is being started is asked again. */
const AGAIN_MS = 20;

/** Asks a container's monitor, also one that is just starting; undefined when there is none (any more). */
export async function askIfWatched(
  record: ContainerRecord,
  question: Exclude<Question, { ask: 'attach' }>,
  c: CliContext,
): Promise<{ readonly code: number | undefined } | undefined> {
  const { store } = openContainers(c);
  const { signal } = c;
  for (;;) {
    try {
      return { code: await askMonitor(question, { folder: store.folderOf(record.id), name: record.name, signal }) };
    } catch (error) {
      if (!hasCode(error, 'CONTAINER_NOT_RUNNING', 'MONITOR_LOST')) throw error;
      const now = store.read(record.id);
      if (!now || !store.isWatched(now) || now.status === 'exited') return undefined;
      await sleep(AGAIN_MS, { signal });
    }
  }
}

export function isRunning(record: ContainerRecord): boolean {
  return record.status === 'running' || record.status === 'restarting';
}

/** `strake stop`: one that does not run is stopped already. */
export async function stopContainers(
  names: readonly string[],
  o: { readonly time?: string | undefined; readonly c: CliContext },
): Promise<void> {
  const { c, time } = o;
  const graceMs = time === undefined ? undefined : graceOf(time, '--time');
  const records = await found(names, c, { asTheyAre: true });
  await Promise.all(
    records.map(async ([name, record]) => {
      stayEnded(record, c);
      await askIfWatched(record, { ask: 'stop', graceMs }, c);
      c.io.stdout.write(`${name}\n`);
    }),
  );
}

/** `strake kill`. */
export async function killContainers(
  names: readonly string[],
  o: { readonly signal: string; readonly c: CliContext },
): Promise<void> {
  const { c } = o;
  const number = signalNumber(o.signal);
  for (const [name, record] of await found(names, c, { asTheyAre: true })) {
    const answer = isRunning(record) ? await askIfWatched(record, { ask: 'signal', number }, c) : undefined;
    if (!answer) throw notRunning(record);
    c.io.stdout.write(`${name}\n`);
  }
}

/** `strake wait`: an exit code a line. */
export async function waitForContainers(names: readonly string[], c: CliContext): Promise<void> {
  const { store } = openContainers(c);
  const records = await found(names, c);
  const codes = await Promise.all(
    records.map(async ([, record]) => {
      const answer = isRunning(record) ? await askIfWatched(record, { ask: 'wait' }, c) : undefined;
      return answer?.code ?? store.read(record.id)?.exitCode ?? record.exitCode ?? 0;
    }),
  );
  for (const code of codes) c.io.stdout.write(`${code}\n`);
}

/** All are looked up before anything is done. `asTheyAre`: none that was lost is started again for that. */
export async function found(
  names: readonly string[],
  c: CliContext,
  o: { readonly asTheyAre?: boolean | undefined } = {},
): Promise<(readonly [name: string, record: ContainerRecord])[]> {
  await (o.asTheyAre === true ? settledContainers(c) : liveContainers(c));
  const { store } = openContainers(c);
  return names.map((name) => [name, store.find(name)]);
}

export function notRunning(record: ContainerRecord): Error {
  return machineError('CONTAINER_NOT_RUNNING', `reach container "${record.name}": it is not running`, {
    remedy: `Start it: strake start ${record.name}.`,
  });
}
