import { readdirSync, readFileSync, rmdirSync } from 'node:fs';
import { join } from 'node:path';
import { hasErrno } from '../base/index.ts';

const ROOT = '/sys/fs/cgroup';

/** The folders of a cgroup in every hierarchy there is, whether they exist or not. `path` is absolute, as in a runtime configuration. */
export function cgroupFolders(path: string): string[] {
  const own = join(ROOT, path);
  try {
    const hierarchies = readdirSync(ROOT, { withFileTypes: true }).filter((entry) => entry.isDirectory());
    return [own, ...hierarchies.map((entry) => join(ROOT, entry.name, path))];
  } catch {
    return [own];
  }
}

/** Kills what is left in a cgroup and below, and removes it. What cannot be removed yet stays, for `recover` to find. */
export function removeCgroup(path: string): void {
  for (const folder of cgroupFolders(path)) removeFolder(folder);
}

/** Removes a cgroup that nobody uses. */
export function removeIfEmpty(path: string): void {
  for (const folder of cgroupFolders(path)) {
    try {
      rmdirSync(folder);
    } catch {
      continue;
    }
  }
}

function removeFolder(folder: string): void {
  let names;
  try {
    names = readdirSync(folder, { withFileTypes: true });
  } catch (error) {
    if (hasErrno(error, 'ENOENT', 'ENOTDIR', 'EACCES')) return;
    throw error;
  }
  for (const entry of names) if (entry.isDirectory()) removeFolder(join(folder, entry.name));
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    try {
      rmdirSync(folder);
      return;
    } catch (error) {
      if (!hasErrno(error, 'EBUSY')) return;
      for (const pid of processes(folder)) kill(pid);
      Atomics.wait(PAUSE, 0, 0, PAUSE_MS);
    }
  }
}

/** What was killed leaves its cgroup when the kernel has taken it down: at once, or, on a machine that is busy, in a second or two. */
const ATTEMPTS = 1500;
const PAUSE_MS = 2;
const PAUSE = new Int32Array(new SharedArrayBuffer(4));

function processes(folder: string): number[] {
  try {
    return readFileSync(join(folder, 'cgroup.procs'), 'latin1').split('\n').filter(Boolean).map(Number);
  } catch {
    return [];
  }
}

function kill(pid: number): void {
  try {
    if (pid > 1) process.kill(pid, 'SIGKILL');
  } catch (error) {
    if (!hasErrno(error, 'ESRCH', 'EPERM')) throw error;
  }
}
