import { readdirSync, readFileSync } from 'node:fs';
import { hasErrno } from '../base/index.ts';

/** All processes below one, the nearer ones first, whichever thread has started them. */
export function descendantsOf(pid: number): number[] {
  const found: number[] = [];
  for (let layer = [pid]; layer.length > 0;) {
    layer = layer.flatMap(children);
    found.push(...layer);
  }
  return found;
}

/** A process's numbers in the PID namespaces that it is in, the outermost that can be seen first; none when it is gone. */
export function namespacedPids(pid: number | 'self'): number[] {
  const line = /^NSpid:\s*(.*)$/m.exec(read(`/proc/${pid}/status`))?.[1];
  return line === undefined ? [] : line.trim().split(/\s+/).map(Number);
}

/** Kills a process and all below it. They are stopped first, so that none is started meanwhile. */
export function killTree(pid: number): void {
  signal(pid, 'SIGSTOP');
  const all = [pid, ...descendantsOf(pid)];
  for (const one of all) signal(one, 'SIGSTOP');
  for (const one of new Set([...all, ...descendantsOf(pid)])) signal(one, 'SIGKILL');
}

export function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch (error) {
    if (!hasErrno(error, 'ESRCH')) throw error;
  }
}

function children(pid: number): number[] {
  let threads: string[];
  try {
    threads = readdirSync(`/proc/${pid}/task`);
  } catch {
    return [];
  }
  return threads.flatMap((thread) =>
    read(`/proc/${pid}/task/${thread}/children`).trim().split(' ').filter(Boolean).map(Number),
  );
}

function read(path: string): string {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return '';
  }
}
