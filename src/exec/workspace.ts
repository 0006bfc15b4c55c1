import { closeSync, mkdirSync, openSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { hasErrno, mountAll, sys, type Random } from '../base/index.ts';
import { removeCgroup, removeIfEmpty } from './cgroups.ts';
import { execError } from './errors.ts';
import { mountsArePrivate } from './machine.ts';

/** An executor's folder. `run` is a tmpfs, in this process's mount namespace, for all that a step needs while it runs. */
export interface Workspace extends Disposable {
  readonly id: string;
  /** Persistent, of this executor. */
  readonly folder: string;
  readonly run: string;
  /** The cgroup below which every step's lies. */
  readonly cgroup: string;
}

/**
 * Opens a workspace below `stateFolder`; a lock on it says as long as this process lives that it is in use. Throws `MOUNTS_SHARED` in the machine's own mount namespace, where mounts would outlive this process, unless they are to (`shared`).
 */
export function openWorkspace(stateFolder: string, random: Random, o: { readonly shared?: boolean } = {}): Workspace {
  if (o.shared !== true && !mountsArePrivate())
    throw execError('MOUNTS_SHARED', 'open the executor: this process has no mount namespace of its own');
  const id = random.hex(6);
  const folder = join(stateFolder, `${PREFIX}${id}`);
  const run = join(folder, 'run');
  mkdirSync(stateFolder, { recursive: true, mode: 0o711 });
  const lock = alone(stateFolder, () => {
    mkdirSync(run, { recursive: true, mode: 0o711 });
    const fd = openSync(join(folder, LOCK), 'wx', 0o600);
    sys.flock(fd, 'exclusive');
    return fd;
  });
  const cgroup = `${PARENT}/${id}`;
  let mounted: Disposable | undefined;
  const dispose = (): void => {
    mounted?.[Symbol.dispose]();
    removeCgroup(cgroup);
    removeIfEmpty(PARENT);
    rmSync(folder, { recursive: true, force: true });
    closeSync(lock);
  };
  try {
    // Shared, so that what is unmounted here goes from the namespaces of running steps too.
    mounted = mountAll([{ type: 'tmpfs', source: 'strake', options: ['mode=0711', 'nosuid', 'shared'] }], run);
  } catch (error) {
    dispose();
    throw error;
  }
  return { id, folder, run, cgroup, [Symbol.dispose]: dispose };
}

/**
 * Takes away what executors of processes that are gone left below the state folder, but for those to `spare`: cgroups with the processes in them, mounts, folders. `release` is called first with each folder, for what else it names. Gives
 * their ids. Others may use the state folder meanwhile.
 */
export function recoverWorkspaces(
  stateFolder: string,
  release: (folder: string) => void = () => undefined,
  spare: ReadonlySet<string> = new Set(),
): string[] {
  if (namesIn(stateFolder).length === 0) return [];
  return alone(stateFolder, () => {
    const found: string[] = [];
    for (const name of namesIn(stateFolder)) {
      if (!name.startsWith(PREFIX)) continue;
      const folder = join(stateFolder, name);
      if (isInUse(join(folder, LOCK))) continue;
      const id = name.slice(PREFIX.length);
      if (spare.has(id)) continue;
      found.push(id);
      release(folder);
      removeWorkspace(stateFolder, id);
    }
    return found;
  });
}

const PARENT = '/strake';
const PREFIX = 'exec-';
const LOCK = 'lock';

/** Folders of workspaces, by their ids. */
export function workspacesIn(stateFolder: string): ReadonlyMap<string, string> {
  const names = namesIn(stateFolder).filter((name) => name.startsWith(PREFIX));
  return new Map(names.map((name) => [name.slice(PREFIX.length), join(stateFolder, name)]));
}

/** Takes over what a process that is gone left, which nobody else has taken over: its lock, to be closed. */
export function takeWorkspace(stateFolder: string, id: string): number | undefined {
  return alone(stateFolder, () => {
    const path = join(stateFolder, `${PREFIX}${id}`, LOCK);
    let fd: number;
    try {
      fd = openSync(path, 'r+');
    } catch (error) {
      if (hasErrno(error, 'ENOENT')) return undefined;
      throw error;
    }
    if (sys.flock(fd, 'exclusive')) return fd;
    closeSync(fd);
    return undefined;
  });
}

/** True for a workspace whose process lives, or that somebody has taken over. */
export function workspaceInUse(stateFolder: string, id: string): boolean {
  return isInUse(join(stateFolder, `${PREFIX}${id}`, LOCK));
}

/** Away with all that a workspace has: cgroup, mounts, folder. Nobody may use it. */
export function removeWorkspace(stateFolder: string, id: string): void {
  const folder = join(stateFolder, `${PREFIX}${id}`);
  removeCgroup(`${PARENT}/${id}`);
  removeIfEmpty(PARENT);
  unmountBelow(folder);
  rmSync(folder, { recursive: true, force: true });
}

/** One at a time makes or recovers workspaces. */
function alone<T>(stateFolder: string, work: () => T): T {
  const fd = openSync(join(stateFolder, 'exec.lock'), 'a', 0o600);
  try {
    sys.flock(fd, 'exclusive', { wait: true });
    return work();
  } finally {
    closeSync(fd);
  }
}

function isInUse(lock: string): boolean {
  try {
    const fd = openSync(lock, 'r');
    try {
      return !sys.flock(fd, 'exclusive');
    } finally {
      closeSync(fd);
    }
  } catch (error) {
    if (hasErrno(error, 'ENOENT')) return false;
    throw error;
  }
}

export function unmountBelow(folder: string): void {
  const points = readFileSync('/proc/self/mountinfo', 'latin1')
    .split('\n')
    .map((line) => line.split(' ')[4] ?? '')
    .map((point) => point.replaceAll(/\\(\d{3})/g, (_, octal: string) => String.fromCharCode(parseInt(octal, 8))))
    .map((point) => Buffer.from(point, 'latin1'))
    .filter((point) => point.toString().startsWith(`${folder}/`));
  for (const point of points.toReversed()) {
    try {
      sys.umount(point, sys.MNT_DETACH | sys.UMOUNT_NOFOLLOW);
    } catch (error) {
      if (!hasErrno(error, 'EINVAL', 'ENOENT')) throw error;
    }
  }
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch (error) {
    if (hasErrno(error, 'ENOENT')) return [];
    throw error;
  }
}
