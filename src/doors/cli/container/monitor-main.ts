import { closeSync, writeSync } from 'node:fs';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { CodedError, messageOf } from '../../../base/index.ts';
import { serveFiles, superviseContainer } from '../../../machine/index.ts';
import { cliError } from '../errors.ts';
import { hostCredentials } from '../local-host.ts';
import { processIo } from '../process-io.ts';
import { engineFor, groundOf, lazyCredentials, type Settings } from '../settings.ts';
import { openContainers } from './containers.ts';
import type { MonitorWord } from './start-monitor.ts';

const REPORT = 3;
/** When a start is over. */
const SETTLED_MS = 3000;

/** The monitor of a container, for the door's hidden command `__monitor`: opens the store, and watches the container to its end. `rest`: the store's folder, the container's ID, and "attach" when it is to wait for that, or "files" when it is to show the container's files alone. */
export async function monitorMain(rest: readonly string[]): Promise<void> {
  const [root, id, how] = rest;
  if (root === undefined || id === undefined) throw cliError('USAGE', 'start a monitor: strake itself starts monitors');
  const io = processIo();
  const ending = new AbortController();
  // A terminal's signals are for whom it belongs to.
  for (const name of ['SIGINT', 'SIGHUP'] as const) process.on(name, () => undefined);
  process.on('SIGTERM', () => ending.abort());
  const report = reporter();
  try {
    const base: Settings = { root, project: '/', insecure: [], lateNetwork: true };
    const { store } = openContainers({ settings: base, io });
    const spec = store.read(id)?.spec;
    const ground = spec?.ground === undefined ? undefined : groundOf(spec.ground);
    await using engine = await engineFor({ ...base, executor: spec?.executor, ground });
    const host = { credentials: hostCredentials(lazyCredentials(io)) };
    const watch = how === 'files' ? serveFiles : superviseContainer;
    await watch({
      store,
      id,
      attachFirst: how === 'attach',
      openRoot: (record, o) => engine.root(record.spec.imageId, { platform: record.spec.platform, host, ...o }),
      clock: io.clock,
      random: io.random,
      listening: () => report({ say: 'listening' }),
      started: (o) => {
        report({ say: 'started', ...o }, { last: true });
        giveBack();
      },
      signal: ending.signal,
    });
  } catch (error) {
    const { code, kind, remedy } =
      error instanceof CodedError
        ? error
        : ({ code: 'CONTAINER_FAILED', kind: 'internal', remedy: undefined } as const);
    report({ say: 'failed', error: { code, kind, message: messageOf(error), remedy } }, { last: true });
    if (!(error instanceof CodedError))
      process.stderr.write(`${error instanceof Error ? error.stack : String(error)}\n`);
  }
}

/** A fifth of what a monitor has of its own is left from its start; V8 would keep it until it needs it. (As a flag of the program `--expose-gc` would cost it the compiled code that is kept.) */
function giveBack(): void {
  setTimeout(() => {
    setFlagsFromString('--expose-gc');
    const collect = runInNewContext('gc') as (o: object) => void;
    // Code that only its start has run goes, too.
    setFlagsFromString('--stress-flush-code');
    collect({ type: 'major', execution: 'sync', flavor: 'last-resort' });
    setFlagsFromString('--no-stress-flush-code');
  }, SETTLED_MS).unref();
}

/** Says things to who has started this process, if that still listens. */
function reporter(): (word: MonitorWord, o?: { readonly last: boolean }) => void {
  let open = true;
  return (word, o) => {
    if (!open) return;
    try {
      writeSync(REPORT, `${JSON.stringify(word)}\n`);
    } catch {
      // It has gone.
    }
    if (o?.last !== true) return;
    open = false;
    closeSync(REPORT);
  };
}
