import { sleep, throwIfCancelled, type Clock, type Random, type Wait } from '../base/index.ts';
import type { Executor, Process, ProcessIo, TerminalSize } from '../exec/index.ts';
import type { ImageConfig } from '../image/index.ts';
import type { Mount } from '../tree/index.ts';
import { containerProcess, type RunOverrides } from './container-process.ts';
import { machineError } from './errors.ts';
import { watchHealth, type Health } from './health.ts';
import { watchPorts, listeningAt } from './listening.ts';
import { planPorts } from './plan-ports.ts';
import type { PortRequest } from './ports.ts';
import { signalNumber } from './signals.ts';

/** What is told of a container while it runs. */
export type ContainerEvent =
  /** A port accepts connections there. */
  | { readonly kind: 'listening'; readonly at: string }
  | { readonly kind: 'health'; readonly health: Health; readonly detail: string }
  | { readonly kind: 'note'; readonly text: string };

export interface ContainerRequest {
  /** Absent: a new one. */
  readonly id?: string | undefined;
  readonly config: ImageConfig;
  readonly executor: Executor;
  /** Mounts its root, which is its own and can be written to. */
  readonly root: readonly Mount[];
  readonly user: Process['user'];
  readonly overrides: RunOverrides;
  readonly publish: readonly PortRequest[];
  readonly publishAll?: boolean | undefined;
  /** Off: the image's health check is not run. */
  readonly health?: boolean | undefined;
  readonly io: ProcessIo;
  readonly tell: (event: ContainerEvent) => void;
  readonly clock: Clock;
  readonly random: Random;
  /** Milliseconds that a stop waits before it kills. */
  readonly grace?: number | undefined;
}

/** A container that runs. */
export interface Container {
  /** 12 hexadecimal digits; its host name unless one was given. */
  readonly id: string;
  /** Its exit code (128 + n for signal n), when it is gone with all it started. Throws what the executor throws. */
  readonly ended: Promise<number>;
  /** What is run, as the executor is given it. */
  readonly process: Process;
  /** Sends a signal to its first process. */
  signal(number: number): Promise<void>;
  /** Sends the image's STOPSIGNAL, and kills it after the grace (milliseconds; that of the request by default, a negative one is without end); at once when it could not hear the signal. */
  stop(grace?: number): Promise<void>;
  kill(): void;
  resize(size: TerminalSize): Promise<void>;
}

const GRACE_MS = 10_000;
const KILLED = 137;

/**
 * Starts an image's container in a root. When the signal fires it is killed and `ended` throws `CANCELLED`. Throws `COMMAND_MISSING`, `RUN_INVALID` and what ports can throw before anything is started.
 */
export async function startContainer(o: ContainerRequest & Wait): Promise<Container> {
  const { executor, overrides, signal } = o;
  const config = o.config.config ?? {};
  const stopSignal = signalNumber(config.StopSignal || 'SIGTERM');
  const { uid, gid } = o.user;
  if (executor.report.ids === 'single' && (uid !== 0 || gid !== 0))
    throw machineError('RUN_UNSUPPORTED', `run as user ${uid}:${gid}: only one id is mapped here, which is root's`, {
      remedy:
        'Run it as that one with "-u 0", or give this user a range of ids in /etc/subuid and /etc/subgid and install newuidmap (package uidmap).',
    });
  const id = o.id ?? o.random.hex(6);
  const early = containerProcess(config, overrides, { id, user: o.user, ports: [] });
  const ports = await planPorts(config, {
    network: early.network,
    requests: o.publish,
    all: o.publishAll === true,
    report: executor.report,
  });
  throwIfCancelled(o);
  for (const text of ports.notes) o.tell({ kind: 'note', text });
  const process: Process = ports.published.length > 0 ? { ...early, ports: ports.published } : early;
  const killing = new AbortController();
  const over = new AbortController();
  /** The exit code of one that was killed on purpose. */
  let code: number | undefined;
  const kill = (as: number): void => {
    code ??= as;
    killing.abort();
  };
  const ended = (async (): Promise<number> => {
    try {
      const both = signal ? AbortSignal.any([signal, killing.signal]) : killing.signal;
      return await executor.run(process, { root: o.root, io: o.io, signal: both });
    } catch (error) {
      if (code === undefined || signal?.aborted === true) throw error;
      return code;
    } finally {
      over.abort();
    }
  })();
  const watching = { id, executor, signal: over.signal };
  const unless = (error: unknown): void => {
    if (!over.signal.aborted) o.tell({ kind: 'note', text: `Cannot watch the container: ${String(error)}` });
  };
  void watchPorts(ports.watched, {
    ...watching,
    onListening: (port, { reached }) =>
      o.tell(
        reached
          ? { kind: 'listening', at: listeningAt(port) }
          : {
              kind: 'note',
              text: `The container listens on port ${port.port} of its loopback only: let it listen on 0.0.0.0 to reach it.`,
            },
      ),
  }).catch(unless);
  if (o.health !== false)
    void watchHealth({
      ...watching,
      config,
      process,
      clock: o.clock,
      random: o.random,
      onChange: (health, detail) => o.tell({ kind: 'health', health, detail }),
    }).catch(unless);
  const send = (number: number): ReturnType<Executor['running']['signal']> =>
    executor.running.signal(id, number, { signal: over.signal }).catch((): 'absent' => 'absent');
  let stopping = false;
  return {
    id,
    ended,
    process,
    signal: async (number) => void (await send(number)),
    stop: async (grace = o.grace ?? GRACE_MS) => {
      if (stopping) return;
      stopping = true;
      const outcome = await send(stopSignal);
      if (over.signal.aborted) return;
      // As number 1 it has no default action for the signal, which is to end: that is done for it.
      if (outcome !== 'sent') return kill(128 + stopSignal);
      if (grace < 0) return void (await ended.catch(() => undefined));
      await sleep(grace, { signal: over.signal }).then(
        () => kill(KILLED),
        () => undefined,
      );
    },
    kill: () => kill(KILLED),
    resize: (size) => executor.running.resize(id, size, { signal: over.signal }).catch(() => undefined),
  };
}
