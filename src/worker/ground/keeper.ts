import { fstatSync } from 'node:fs';
import { Socket } from 'node:net';
import { Database, hasErrno, systemClock, systemRandom, sys } from '../../base/index.ts';
import type { ExecutorName, ExecutorReport } from '../../exec/index.ts';
import { groundError } from './errors.ts';
import type { Ground, GroundReport } from './ground.ts';
import { openLocalGround } from './local-ground.ts';
import { groundHandlers } from './serve-ground.ts';
import { Server, type Handler } from './server.ts';

/** What the engine asks the keeper first. */
export interface OpenParams {
  readonly folder: string;
  readonly databasePath: string;
  readonly executor?: ExecutorName | undefined;
  /** No network before a process needs it. */
  readonly lateNetwork?: boolean | undefined;
  readonly snapshotter?: 'overlay' | 'copy' | undefined;
}

export interface OpenAnswer {
  readonly report: GroundReport;
  readonly executor: ExecutorReport;
}

const SIGKILL = 9;
const CHANNEL = 3;

/** How long putting things away may take once the engine is gone. */
const LAST_MS = 10_000;

/**
 * The keeper: holds a ground in namespaces of its own and does what the engine asks for over file descriptor 3, until that closes. It knows nothing else: no registry, no credential, no cache. To be called by the door for the hidden command
 * `__keeper`, first thing in the process. `more`: handlers of tests.
 */
export async function keeperMain(
  _args: readonly string[] = [],
  more: (ground: Ground, handlers: Record<string, Handler>) => Readonly<Record<string, Handler>> = () => ({}),
): Promise<void> {
  if (!isSocket(CHANNEL))
    throw groundError('KEEPER_PROTOCOL', 'start a keeper: strake itself starts keepers, and speaks to them');
  sys.setParentDeathSignal(SIGKILL);
  // Not even shared with the shell that started this.
  sys.unshareMounts();
  // The terminal's signals are for the engine, which ends this by closing the connection.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => undefined);
  const stream = new Socket({ fd: CHANNEL, readable: true, writable: true });
  await using stack = new AsyncDisposableStack();
  const handlers: Record<string, Handler> = {
    open: async (o: OpenParams, { signal }): Promise<OpenAnswer> => {
      if (handlers['run']) throw groundError('KEEPER_PROTOCOL', 'open the ground: it is open');
      const database = stack.use(Database.open(o.databasePath));
      const { folder, executor, snapshotter, lateNetwork } = o;
      const parts = { folder, database, executor, snapshotter, lateNetwork, clock: systemClock, random: systemRandom };
      const ground = stack.use(await openLocalGround({ ...parts, signal }));
      Object.assign(handlers, stack.use(groundHandlers(ground)), more(ground, handlers));
      return { report: ground.report, executor: ground.executor.report };
    },
  };
  const server = new Server(stream, handlers);
  // Whatever may hang: nobody is there any more to end this.
  void server.lost.then(() => setTimeout(() => process.exit(1), LAST_MS).unref());
  await server.closed();
}

function isSocket(fd: number): boolean {
  try {
    return fstatSync(fd).isSocket();
  } catch (error) {
    if (hasErrno(error, 'EBADF')) return false;
    throw error;
  }
}
