import { existsSync, mkdirSync, readdirSync, readlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { holdNames, type Clock, type Database, type Random, type Wait } from '../../base/index.ts';
import { createInPlaceExecutor, inPlaceHindrance } from '../../exec/index.ts';
import { CopySnapshotter, guardedHere, InPlaceSnapshotter } from '../../snapshot/index.ts';
import { groundError } from './errors.ts';
import { CacheFolders } from '../mounts/cache-folders.ts';
import type { Ground } from './ground.ts';

/** Grounds without mounts and namespaces. */
export type PlainGround = 'in-place' | 'chroot';

/** What those need to know. */
export interface PlainSettings {
  /** They may be used where nothing better works. Without it they have to be asked for. */
  readonly allowed?: boolean | undefined;
  /** Paths besides strake's own that steps of the in-place ground neither overwrite nor put into layers. */
  readonly guarded?: readonly string[] | undefined;
  /** The layer file that the root of the in-place ground is already when the first step comes. */
  readonly adopted?: (() => string | undefined) | undefined;
  /** How this program is started to become a step (`stepMain`). */
  readonly step: { readonly command: string; readonly args: readonly string[] };
  /** In place even where this does not look like a container. */
  readonly force?: boolean | undefined;
  /** The root is left empty when the ground is closed. */
  readonly cleanUp?: boolean | undefined;
}

export interface PlainOptions extends PlainSettings {
  /** Of grounds alone. */
  readonly folder: string;
  readonly database: Database;
  readonly clock: Clock;
  readonly random: Random;
}

/** Where strake's image has its own files, and kaniko's its. */
const OWN = ['/strake', '/kaniko', '/busybox'];
/** What a container has in its root that was not made for strake. */
const FOREIGN = ['/usr', '/bin', '/sbin', '/lib', '/opt'];
const MARK = 'in-place';

/** Which of the two serves better here, or why neither can. A root that holds a system of its own is spared by chroot; in one that is strake's alone, steps in place have /proc and /sys too. */
export function choosePlain(
  o: Pick<PlainOptions, 'folder' | 'force' | 'guarded'>,
): { readonly use: PlainGround; readonly why: string } | { readonly reason: string } {
  const inPlace = inPlaceHindrance('in place') ?? danger(o) ?? foreign(o);
  if (inPlace === undefined) return { use: 'in-place', why: 'the root holds nothing but strake' };
  const chroot = inPlaceHindrance('chroot');
  if (chroot === undefined) return { use: 'chroot', why: `in place is not possible: ${inPlace}` };
  return { reason: `in place: ${inPlace}; chroot: ${chroot}` };
}

/** A ground whose steps are plain child processes. Throws `GROUND_UNAVAILABLE`. */
export async function openPlainGround(use: PlainGround, o: PlainOptions & Wait): Promise<Ground> {
  return use === 'chroot' ? openChroot(o) : openInPlace(o);
}

async function openInPlace(o: PlainOptions): Promise<Ground> {
  const hindrance = inPlaceHindrance('in place') ?? danger(o);
  if (hindrance !== undefined) throw unavailable(`in place: ${hindrance}`);
  holdNames();
  mkdirSync(o.folder, { recursive: true, mode: 0o711 });
  const guarded = guardedBy(o);
  const snapshotter = new InPlaceSnapshotter({
    ...o,
    guarded,
    folder: join(o.folder, 'in-place-views'),
    // What it holds from now on is a stage's.
    onTake: () => writeFileSync(join(o.folder, MARK), ''),
  });
  return groundOf(snapshotter, {
    o,
    how: 'in place',
    close: async () => {
      if (o.cleanUp === true) await snapshotter.clear();
    },
  });
}

async function openChroot(o: PlainOptions & Wait): Promise<Ground> {
  const hindrance = inPlaceHindrance('chroot');
  if (hindrance !== undefined) throw unavailable(`chroot: ${hindrance}`);
  const folder = join(o.folder, 'snapshots');
  mkdirSync(folder, { recursive: true, mode: 0o711 });
  const snapshotter = new CopySnapshotter({ ...o, folder, idMapStamp: 'root', ids: 'all' });
  await snapshotter.recover(o);
  return groundOf(snapshotter, { o, how: 'chroot', close: async () => undefined });
}

function groundOf(
  snapshotter: InPlaceSnapshotter | CopySnapshotter,
  c: {
    readonly o: PlainOptions;
    readonly how: 'in place' | 'chroot';
    readonly close: () => Promise<void>;
  },
): Ground {
  const { o, how } = c;
  const executor = createInPlaceExecutor({ folder: join(o.folder, 'steps'), step: o.step, how, random: o.random });
  const caches = new CacheFolders({ ...o, folder: join(o.folder, 'caches'), idMapStamp: 'root' });
  const { lacks } = executor.report;
  return {
    name: `root ${snapshotter.name} ${how}`,
    snapshotter,
    executor,
    caches,
    report: { as: 'root', ids: 'root', snapshotter: snapshotter.name, executor: how, lacks },
    oneRoot: true,
    recover: async (w) =>
      (await caches.recover(w)) + (snapshotter instanceof CopySnapshotter ? await snapshotter.recover(w) : 0),
    [Symbol.asyncDispose]: async () => {
      await executor[Symbol.asyncDispose]();
      await c.close();
      await snapshotter[Symbol.asyncDispose]();
    },
  };
}

/** What of this very program a step could replace, or why this root is none to be replaced. */
function danger(o: Pick<PlainOptions, 'folder' | 'force' | 'guarded'>): string | undefined {
  const guard = guardedHere(guardedBy(o));
  const program = [process.execPath, process.argv[1] ?? ''].find(
    (path) => path.startsWith('/') && !guard.covers(path.slice(1)),
  );
  if (program !== undefined) return `"${program}" would be removed, which is strake itself: it has to lie in /strake`;
  if (!guard.covers(o.folder.slice(1))) return `the store "${o.folder}" would be removed`;
  if (o.force !== true && !inContainer()) return 'this does not look like a container, and its root would be replaced';
  return undefined;
}

function guardedBy(o: Pick<PlainOptions, 'folder' | 'guarded'>): string[] {
  return [...OWN, o.folder, ...(o.guarded ?? [])];
}

function foreign({ folder }: Pick<PlainOptions, 'folder'>): string | undefined {
  if (existsSync(join(folder, MARK))) return undefined;
  const found = FOREIGN.find((path) => existsSync(path) && readdirSync(path).length > 0);
  return found === undefined ? undefined : `this container's own "${found}" would be removed`;
}

/** The inode of the first PID namespace's file, in every kernel (PROC_PID_INIT_INO). */
const FIRST_PID_NAMESPACE = '4026531836';

function inContainer(): boolean {
  if (['/.dockerenv', '/run/.containerenv', '/var/run/secrets/kubernetes.io'].some((path) => existsSync(path)))
    return true;
  try {
    return !readlinkSync('/proc/self/ns/pid').includes(FIRST_PID_NAMESPACE);
  } catch {
    return false;
  }
}

function unavailable(reason: string): Error {
  return groundError('GROUND_UNAVAILABLE', `find a place to run steps in: ${reason}`, {
    remedy:
      'Use strake’s own image, as root in a container with Docker’s default capabilities; "strake doctor" says more.',
  });
}
