import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** What is left of work in a store: mounts on it anywhere, processes that name it, temporary files in it. Empty when all is clean. */
export function leftovers(root: string): string[] {
  const found: string[] = [];
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    if (Number(pid) === process.pid) continue;
    const command = read(`/proc/${pid}/cmdline`).replaceAll('\0', ' ').trim();
    if (command.includes(root)) found.push(`process ${pid}: ${command}`);
    if (read(`/proc/${pid}/mountinfo`).includes(root))
      found.push(`a mount in the namespace of process ${pid}: ${command}`);
  }
  for (const folder of ['tmp', 'blobs/ingest'])
    for (const name of list(join(root, folder))) found.push(`file ${folder}/${name}`);
  return found;
}

function list(path: string): string[] {
  try {
    return readdirSync(path);
  } catch {
    return [];
  }
}

function read(path: string): string {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return '';
  }
}
