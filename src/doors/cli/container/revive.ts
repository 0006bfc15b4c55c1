import { hasCode, messageOf } from '../../../base/index.ts';
import { startsAgain, type ContainerRecord } from '../../../machine/index.ts';
import type { CliContext } from '../command.ts';
import { openContainers, settledContainers } from './containers.ts';
import { startOne } from './start-one.ts';

/** The containers as they are, the newest first. Those whose monitor was killed, or that ran when the machine went down, are started again where their policy says so. */
export async function liveContainers(c: CliContext): Promise<ContainerRecord[]> {
  const all = await settledContainers(c);
  const wanted = all.filter(wantsToLive);
  if (wanted.length === 0) return all;
  const { io } = c;
  const note = (text: string): void => io.stderr.write(`${io.errStyle.yellow('note')}: ${text}\n`);
  await Promise.all(
    wanted.map(async (record) => {
      try {
        await startOne(record, c);
        note(`Container "${record.name}" had lost what watches it, and was started again.`);
      } catch (error) {
        if (c.signal.aborted) throw error;
        // Somebody else has started it, or removed it, meanwhile.
        if (hasCode(error, 'CONTAINER_RUNNING', 'CONTAINER_NOT_FOUND')) return;
        giveUp(record, { c, error: messageOf(error) });
        note(`Container "${record.name}" could not be started again: ${messageOf(error)}`);
      }
    }),
  );
  return openContainers(c).store.list();
}

/** It was running when it was lost, and nobody has stopped it since. */
export function wantsToLive({ spec, status, lost, stopped, error, exitCode, restarts }: ContainerRecord): boolean {
  if (status !== 'exited' || lost !== true || stopped === true || error !== undefined) return false;
  return startsAgain(spec.restart, { code: exitCode ?? 0, restarts });
}

/** Not tried again by every command. */
function giveUp({ id }: ContainerRecord, o: { readonly c: CliContext; readonly error: string }): void {
  const { store } = openContainers(o.c);
  using taken = store.take(id);
  const record = taken && store.read(id);
  if (record && wantsToLive(record)) store.write({ ...record, error: o.error });
}

/** Somebody has stopped one that was lost: its policy starts it no more. */
export function stayEnded({ id }: ContainerRecord, c: CliContext): void {
  const { store } = openContainers(c);
  using taken = store.take(id);
  const record = taken && store.read(id);
  if (record && wantsToLive(record)) store.write({ ...record, stopped: true });
}
