import { chmodSync, chownSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { copyTree } from './copy-tree.ts';
import { resolveInRoot } from './in-root.ts';
import type { Process } from './process.ts';

/** Gives empty volumes what the root has at their place, its owner and mode with it (Docker: "Populate a volume using a container"). */
export function fillVolumes(process: Pick<Process, 'mounts'>, rootfs: string): void {
  for (const mount of process.mounts) {
    if (mount.type !== 'bind' || mount.fill !== true || readdirSync(mount.source).length > 0) continue;
    const place = resolveInRoot(rootfs, mount.target);
    const from = join(rootfs, ...place.exists);
    if (place.missing.length > 0 || !statSync(from).isDirectory()) continue;
    for (const name of readdirSync(from, 'buffer'))
      copyTree(Buffer.concat([Buffer.from(`${from}/`), name]), Buffer.concat([Buffer.from(`${mount.source}/`), name]));
    const { uid, gid, mode } = statSync(from);
    chownSync(mount.source, uid, gid);
    chmodSync(mount.source, mode & 0o7777);
  }
}
