import { totalmem } from 'node:os';
import { hasCode, sleep } from '../../../base/index.ts';
import type { ProcessUsage } from '../../../exec/index.ts';
import { askValue, type ContainerRecord } from '../../../machine/index.ts';
import type { CliContext } from '../command.ts';
import { jsonText, tableText } from '../print/table.ts';
import { shortSize } from '../print/units.ts';
import { openContainers } from './containers.ts';
import { liveContainers } from './revive.ts';
import { isRunning, notRunning } from './stop.ts';

export interface StatsFlags {
  readonly stream: boolean;
  readonly format: 'table' | 'json';
}

/** Between two looks, of which the use of processors is told. */
const ONCE_MS = 500;
const LIVE_MS = 1000;

interface Look {
  readonly at: number;
  readonly usage: ProcessUsage;
}

/** `strake stats`. */
export async function showStats(
  names: readonly string[],
  o: { readonly flags: StatsFlags; readonly c: CliContext },
): Promise<void> {
  const { c, flags } = o;
  const { io, signal } = c;
  const all = await liveContainers(c);
  const { store } = openContainers(c);
  const chosen = names.map((name) => store.find(name).id);
  const stopped = all.find((record) => chosen.includes(record.id) && !isRunning(record));
  if (stopped) throw notRunning(stopped);
  let before = await looksAt(all.filter(isRunning), { chosen, c });
  const live = flags.stream && io.stdout.isTerminal;
  for (;;) {
    await sleep(flags.stream ? LIVE_MS : ONCE_MS, { signal });
    const running = store.list().filter(isRunning);
    const now = await looksAt(running, { chosen, c });
    const shown = running.filter(({ id }) => now.has(id));
    const text =
      flags.format === 'json'
        ? jsonText(shown.map((record) => rowJson(record, { before, now })))
        : tableOf(shown, { before, now, c });
    io.stdout.write(live ? `\x1b[H\x1b[2J${text}` : text);
    if (!flags.stream || (chosen.length > 0 && shown.length === 0)) return;
    before = now;
  }
}

async function looksAt(
  records: readonly ContainerRecord[],
  o: { readonly chosen: readonly string[]; readonly c: CliContext },
): Promise<ReadonlyMap<string, Look>> {
  const { c, chosen } = o;
  const { store } = openContainers(c);
  const found = new Map<string, Look>();
  await Promise.all(
    records
      .filter(({ id }) => chosen.length === 0 || chosen.includes(id))
      .map(async ({ id, name }) => {
        try {
          const usage = await askValue({ ask: 'usage' }, { folder: store.folderOf(id), name, signal: c.signal });
          if (usage !== null) found.set(id, { at: performance.now(), usage: usage as ProcessUsage });
        } catch (error) {
          // It has ended meanwhile.
          if (!hasCode(error, 'CONTAINER_NOT_RUNNING', 'MONITOR_LOST')) throw error;
        }
      }),
  );
  return found;
}

interface Looks {
  readonly before: ReadonlyMap<string, Look>;
  readonly now: ReadonlyMap<string, Look>;
}

/** Of one processor: two that are busy are 200. */
function cpuPercent(id: string, { before, now }: Looks): number {
  const [first, last] = [before.get(id), now.get(id)];
  if (!first || !last || last.at <= first.at) return 0;
  return Math.max(0, (last.usage.cpuNs - first.usage.cpuNs) / 1e4 / (last.at - first.at));
}

function rowJson(record: ContainerRecord, looks: Looks): unknown {
  const { id, name } = record;
  const usage = looks.now.get(id)?.usage;
  const limit = usage?.memoryLimit ?? totalmem();
  return {
    ID: id,
    Name: name,
    CPUPercent: Number(cpuPercent(id, looks).toFixed(2)),
    CPUNanoseconds: usage?.cpuNs,
    Memory: usage?.memory,
    MemoryLimit: limit,
    MemoryPercent: Number((((usage?.memory ?? 0) / limit) * 100).toFixed(2)),
    Received: usage?.received ?? null,
    Sent: usage?.sent ?? null,
    Read: usage?.read,
    Written: usage?.written,
    PIDs: usage?.processes,
  };
}

function tableOf(records: readonly ContainerRecord[], o: Looks & { readonly c: CliContext }): string {
  const rows = records.map(({ id, name }) => {
    const usage = o.now.get(id)?.usage;
    const { memory = 0, memoryLimit = totalmem(), received, sent, read = 0, written = 0, processes = 0 } = usage ?? {};
    return [
      id,
      name,
      `${cpuPercent(id, o).toFixed(2)}%`,
      `${shortSize(memory)} / ${shortSize(memoryLimit)}`,
      `${((memory / memoryLimit) * 100).toFixed(2)}%`,
      received === undefined || sent === undefined ? '-' : `${shortSize(received)} / ${shortSize(sent)}`,
      `${shortSize(read)} / ${shortSize(written)}`,
      String(processes),
    ];
  });
  const titles = [
    'CONTAINER ID',
    'NAME',
    'CPU %',
    'MEMORY / LIMIT',
    'MEMORY %',
    'NET IN / OUT',
    'DISK IN / OUT',
    'PIDS',
  ];
  return tableText(
    titles.map((title) => ({ title })),
    rows,
    { style: o.c.io.outStyle },
  );
}
