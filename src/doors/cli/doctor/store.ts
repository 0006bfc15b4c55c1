import { statfsSync } from 'node:fs';
import { messageOf, type Wait } from '../../../base/index.ts';
import type { Engine } from '../../../engine/index.ts';
import { plural, shortSize } from '../print/units.ts';
import type { Finding, Section } from './finding.ts';

const FILE_SYSTEMS: Readonly<Record<number, string>> = {
  0xef53: 'ext4',
  0x58465342: 'xfs',
  0x9123683e: 'btrfs',
  0x01021994: 'tmpfs',
  0x794c7630: 'overlay',
  0x2fc12fc1: 'zfs',
  0x6969: 'nfs',
  0xf2f52010: 'f2fs',
  0xca451a4e: 'bcachefs',
};
const SCARCE = 2e9;

/** The store's folder, what it lies on and what is in it. */
export async function storeSection(engine: Engine, w: Wait): Promise<Section> {
  const { folder } = engine.store;
  const { type, bavail, bsize } = statfsSync(folder);
  const free = bavail * bsize;
  const name = FILE_SYSTEMS[type] ?? `file system 0x${type.toString(16)}`;
  const findings: Finding[] = [
    {
      name: 'folder',
      state: name === 'nfs' ? 'lacking' : 'ok',
      text: `${folder} (${name})`,
      lost: name === 'nfs' ? 'Locks and the database are not safe on a network file system.' : undefined,
      remedy: name === 'nfs' ? 'Name a local folder with --root or STRAKE_ROOT.' : undefined,
    },
    {
      name: 'space',
      state: free < SCARCE ? 'lacking' : 'ok',
      text: `${shortSize(free)} free`,
      lost: free < SCARCE ? 'Builds may find the disk full.' : undefined,
      remedy: free < SCARCE ? 'Make room: strake prune --older-than 7d.' : undefined,
    },
  ];
  try {
    const { blobs, blobBytes, snapshots, snapshotBytes, repositories, repositoryBytes, caches, cacheBytes, images } =
      await engine.store.usage(w);
    findings.push({
      name: 'content',
      state: 'ok',
      text: `${plural(images, 'image')}; ${plural(blobs, 'blob')}, ${shortSize(blobBytes)}; ${plural(snapshots, 'snapshot')}, ${shortSize(snapshotBytes)}${repositories === 0 ? '' : `; ${plural(repositories, 'git mirror')}, ${shortSize(repositoryBytes)}`}${caches === 0 ? '' : `; ${plural(caches, 'cache mount')}, ${shortSize(cacheBytes)}`}`,
    });
  } catch (error) {
    findings.push({ name: 'content', state: 'lacking', text: messageOf(error) });
  }
  return { title: 'Store', findings };
}
