import { existsSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { hasErrno, isProcessAlive } from '../base/index.ts';
import type { DiskBlobStore, Leases } from '../blob/index.ts';

/** Removes what processes that were killed have left: half-written blobs, temporary folders, leases. Where a process of another pid namespace is at work nothing is touched: its pids mean nothing here. */
export async function cleanUp(o: {
  store: DiskBlobStore;
  leases: Leases;
  scratch: string;
  /** Of git repositories; there once one was fetched. */
  mirrors: string;
}): Promise<void> {
  if (o.leases.count() > 0) o.leases.expire();
  if (o.leases.strangers() > 0) return;
  try {
    await o.store.clean(isProcessAlive);
    for (const folder of [o.scratch, ...(existsSync(o.mirrors) ? [o.mirrors] : [])])
      for (const name of readdirSync(folder)) {
        const pid = /^tmp-(\d+)-/.exec(name)?.[1];
        if (pid !== undefined && !isProcessAlive(Number(pid)))
          rmSync(join(folder, name), { recursive: true, force: true });
      }
  } catch (error) {
    // A store that may only be read still answers; another process may have cleaned up at the same time.
    if (!hasErrno(error, 'EACCES', 'EPERM', 'EROFS', 'ENOENT')) throw error;
  }
}
