import { mkdirSync, readFileSync } from 'node:fs';
import {
  hasCode,
  messageOf,
  sys,
  throwIfCancelled,
  type Clock,
  type Database,
  type Random,
  type Wait,
} from '../../base/index.ts';
import type { ExecutorName } from '../../exec/index.ts';
import { Asker } from './asker.ts';
import type { ContainerdPlace } from './containerd-ground.ts';
import { groundError } from './errors.ts';
import type { Ground } from './ground.ts';
import type { PlainGround, PlainSettings } from './in-place-ground.ts';
import type { OpenAnswer, OpenParams } from './keeper.ts';
import { openLocalGround } from './local-ground.ts';
import { findIdMaps, startInNamespaces, type IdMaps } from './namespaces.ts';
import { RemoteCaches } from './remote-caches.ts';
import { RemoteExecutor } from './remote-executor.ts';
import { RemoteSnapshotter } from './remote-snapshotter.ts';

export interface GroundOptions extends Wait {
  /** Of grounds alone. */
  readonly folder: string;
  /** Its file is opened by the keeper too. */
  readonly database: Database;
  readonly clock: Clock;
  readonly random: Random;
  /** How this program is started again as a keeper. */
  readonly keeper: { readonly command: string; readonly args: readonly string[] };
  /** Tried first; the others follow. */
  readonly executor?: ExecutorName | undefined;
  /** No network before a process needs it. */
  readonly lateNetwork?: boolean | undefined;
  readonly snapshotter?: 'overlay' | 'copy' | undefined;
  /** This one, rather than the best. `sandbox`: any with namespaces. */
  readonly ground?: GroundName | undefined;
  /** For grounds without namespaces. */
  readonly plain?: PlainSettings | undefined;
  /** For ground `containerd`. */
  readonly containerd?: ContainerdPlace | undefined;
}

/** `containerd` only when it is asked for: to have its socket is to have the machine. */
export type GroundName = 'sandbox' | 'containerd' | PlainGround;

/**
 * The ground that is asked for, else the best here: in this process as root (which takes it to a mount namespace of its own), else in a keeper, as root of a user namespace with this user's subordinate ids, or with its one id, else, where `plain` allows it, one without namespaces. Throws `GROUND_UNAVAILABLE` with every
 * reason when none works.
 */
export async function openGround(o: GroundOptions): Promise<Ground> {
  throwIfCancelled(o);
  mkdirSync(o.folder, { recursive: true, mode: 0o711 });
  const { plain, ground } = o;
  if (ground === 'containerd') {
    if (!canMount())
      throw groundError('GROUND_UNAVAILABLE', 'run steps by containerd: this is not root, with the right to mount', {
        remedy: 'Run as root where containerd runs, or leave "--ground containerd" out.',
      });
    const { openContainerdGround } = await import('./containerd-ground.ts');
    return openContainerdGround({ ...o, ...o.containerd });
  }
  if (ground === 'in-place' || ground === 'chroot') {
    if (!plain) throw new TypeError(`open ground "${ground}": how a step is started is not said`);
    const { openPlainGround } = await import('./in-place-ground.ts');
    return openPlainGround(ground, { ...o, ...plain });
  }
  try {
    return await openSandbox(o);
  } catch (error) {
    if (plain?.allowed !== true || ground === 'sandbox' || !hasCode(error, 'GROUND_UNAVAILABLE')) throw error;
    const { choosePlain, openPlainGround } = await import('./in-place-ground.ts');
    const choice = choosePlain({ ...o, ...plain });
    if ('reason' in choice) throw groundError('GROUND_UNAVAILABLE', `${error.message}; ${choice.reason}`, error);
    const opened = await openPlainGround(choice.use, { ...o, ...plain });
    const why = `Nothing is isolated here (${error.message.replace(/^[^:]*: /, '')}); ${choice.why}.`;
    return { ...opened, report: { ...opened.report, lacks: [why, ...opened.report.lacks] } };
  }
}

/** A ground with namespaces. */
async function openSandbox(o: GroundOptions): Promise<Ground> {
  if (canMount()) {
    try {
      sys.unshareMounts();
    } catch (error) {
      throw unavailable([`as root: ${messageOf(error)}`]);
    }
    return openLocalGround(o);
  }
  const reasons: string[] = [];
  const found = findIdMaps();
  if ('reason' in found) reasons.push(`subordinate ids: ${found.reason}`);
  else {
    try {
      return await openKeeper(found, o);
    } catch (error) {
      throwIfCancelled(o);
      reasons.push(`subordinate ids: ${firstLine(error)}`);
    }
  }
  try {
    return await openKeeper({ kind: 'single' }, { ...o, lacks: [`There is one id only: ${reasons.join('; ')}.`] });
  } catch (error) {
    throwIfCancelled(o);
    throw unavailable([...reasons, `one id: ${firstLine(error)}`]);
  }
}

/** A ground in a keeper, and the connection to it. */
export interface KeeperGround extends Ground {
  readonly asker: Asker;
  /** The process that was started; the keeper itself may be its child. */
  readonly pid: number;
}

/** A ground in a keeper with these ids. */
export async function openKeeper(
  maps: IdMaps,
  o: GroundOptions & { readonly lacks?: readonly string[] | undefined },
): Promise<KeeperGround> {
  const started = await startInNamespaces(o.keeper, { maps, env: keeperEnvironment(), signal: o.signal });
  const { child, stream, said } = started;
  const gone = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const asker = new Asker(stream, said);
  const close = async (): Promise<void> => {
    asker.close();
    const killer = setTimeout(() => child.kill('SIGKILL'), PATIENCE_MS);
    await gone;
    clearTimeout(killer);
  };
  try {
    const params: OpenParams = {
      folder: o.folder,
      databasePath: pathOf(o.database),
      executor: o.executor,
      lateNetwork: o.lateNetwork,
      snapshotter: o.snapshotter,
    };
    const answer = (await asker.ask('open', params, o)) as OpenAnswer;
    const report = { ...answer.report, lacks: [...(o.lacks ?? []), ...answer.report.lacks] };
    return {
      name: `${report.as} ${report.snapshotter} ${report.executor}`,
      report,
      asker,
      pid: child.pid ?? 0,
      snapshotter: new RemoteSnapshotter(asker, report.snapshotter),
      executor: new RemoteExecutor(asker, answer.executor),
      caches: new RemoteCaches(asker),
      recover: async (w) => (await asker.ask('recover', {}, w)) as number,
      [Symbol.asyncDispose]: close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

/** How long a keeper may take to put things away. */
const PATIENCE_MS = 5000;

const CAP_SYS_ADMIN = 21n;

/** Root, of the machine or of a namespace, with the right to mount. */
export function canMount(): boolean {
  if (process.geteuid?.() !== 0) return false;
  const effective = /^CapEff:\s*([0-9a-f]+)/m.exec(readFileSync('/proc/self/status', 'latin1'))?.[1] ?? '0';
  return ((BigInt(`0x${effective}`) >> CAP_SYS_ADMIN) & 1n) === 1n;
}

/** What tools and Node need; no secret of the engine's. */
function keeperEnvironment(): Record<string, string> {
  const env: Record<string, string> = {};
  for (const name of ['PATH', 'HOME', 'USER', 'LANG', 'TMPDIR', 'XDG_RUNTIME_DIR', 'NODE_COMPILE_CACHE']) {
    const value = process.env[name];
    if (value !== undefined) env[name] = value;
  }
  return env;
}

function firstLine(error: unknown): string {
  return messageOf(error).split('\n')[0] ?? '';
}

function pathOf(database: Database): string {
  const file = database.get("SELECT file FROM pragma_database_list WHERE name = 'main'")?.['file'];
  if (typeof file === 'string' && file !== '') return file;
  throw groundError('KEEPER_FAILED', 'start the keeper: its database is in memory');
}

function unavailable(reasons: readonly string[]): Error {
  return groundError('GROUND_UNAVAILABLE', `find a place to run steps in: ${reasons.join('; ')}`, {
    remedy:
      'Run as root, or allow user namespaces for this user (package uidmap, a range in /etc/subuid and /etc/subgid); "strake doctor" says more.',
  });
}
