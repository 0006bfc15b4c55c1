import { setImmediate } from 'node:timers/promises';
import { throwIfCancelled, type Wait } from '../base/index.ts';
import { copyEntry, copyFolderMetadata, namesIn, statOf, type Stat } from './files.ts';
import { link } from './flatten.ts';

/** Entries made before the event loop, and with it a cancellation, gets a turn. */
const TURN = 256;

/**
 * Fills the empty folder `into` with what the folder `from` holds. `link`: files are further names of the same inodes, for a tree in which files are only ever replaced. `copy`: files of their own (blocks shared where the file
 * system can), for one that a process writes to; names of one inode stay names of one inode.
 */
export async function cloneTree(from: string, into: string, o: { how: 'link' | 'copy' } & Wait): Promise<void> {
  const copied = new Map<bigint, string>();
  const root = statOf(from);
  const folders: { from: string; into: string; stat: Stat }[] = root ? [{ from, into, stat: root }] : [];
  let made = 0;
  for (const folder of folders)
    for (const name of namesIn(folder.from)) {
      if (++made % TURN === 0) {
        await setImmediate();
        throwIfCancelled(o);
      }
      const source = `${folder.from}/${name}`;
      const target = `${folder.into}/${name}`;
      const stat = statOf(source);
      if (!stat) continue;
      const copy = (): void => copyEntry(source, target, stat);
      const first = o.how === 'link' ? source : copied.get(stat.ino);
      if (stat.isDirectory()) {
        copy();
        folders.push({ from: source, into: target, stat });
      } else if (first !== undefined) link(first, target, copy);
      else {
        if (stat.nlink > 1n) copied.set(stat.ino, target);
        copy();
      }
    }
  for (const folder of folders.toReversed()) copyFolderMetadata(folder.from, folder.into, folder.stat);
}
