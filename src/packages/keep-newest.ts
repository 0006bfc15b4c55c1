import { readdirSync, statSync, unlinkSync, utimesSync } from 'node:fs';
import { join } from 'node:path';
import { hasErrno } from '../base/index.ts';

/** Marks a kept file as used now, so that `keepNewest` spares it. `now` in milliseconds. */
export function markUsed(path: string, now: number): void {
  try {
    utimesSync(path, now / 1000, now / 1000);
  } catch (error) {
    if (!hasErrno(error, 'ENOENT', 'EPERM', 'EACCES', 'EROFS')) throw error;
  }
}

/** Removes all files of a folder but the `count` used last. Another process may do the same at the same time. */
export function keepNewest(folder: string, count: number): void {
  const files = readdirSync(folder).flatMap((name) => {
    const path = join(folder, name);
    const stat = statSync(path, { throwIfNoEntry: false });
    return stat?.isFile() === true ? [{ path, usedAt: stat.mtimeMs }] : [];
  });
  for (const { path } of files.sort((a, b) => b.usedAt - a.usedAt).slice(count)) {
    try {
      unlinkSync(path);
    } catch (error) {
      if (!hasErrno(error, 'ENOENT')) throw error;
    }
  }
}
