import type { Entry } from '../../tree/index.ts';
import type { Stat } from '../../wire/gen/buildkit/fsutil_pb.ts';

// Bits of Go's os.FileMode.
const DIRECTORY = 0x8000_0000;
const SYMLINK = 0x0800_0000;
const DEVICE = 0x0400_0000;
const FIFO = 0x0200_0000;
const SETUID = 0x0080_0000;
const SETGID = 0x0040_0000;
const CHARACTER = 0x0020_0000;
const STICKY = 0x0010_0000;
const NS = 1_000_000_000n;

/** What BuildKit says of a file in a tree, as an entry at `path` (without a slash at its beginning). */
export function readEntry(stat: Stat, path: string): Entry {
  const { mode } = stat;
  const type = typeOf(mode);
  const rest = ((stat.modTime % NS) + NS) % NS;
  return {
    path,
    type,
    mode: (mode & 0o777) | (mode & SETUID ? 0o4000 : 0) | (mode & SETGID ? 0o2000 : 0) | (mode & STICKY ? 0o1000 : 0),
    uid: stat.uid,
    gid: stat.gid,
    size: type === 'file' ? Number(stat.size) : 0,
    mtime: Number((stat.modTime - rest) / NS),
    mtimeNs: Number(rest),
    ...(type === 'symlink' && { link: stat.linkname }),
    ...((type === 'character' || type === 'block') && {
      device: { major: Number(stat.devmajor), minor: Number(stat.devminor) },
    }),
  };
}

function typeOf(mode: number): Entry['type'] {
  if (mode & DIRECTORY) return 'directory';
  if (mode & SYMLINK) return 'symlink';
  if (mode & FIFO) return 'fifo';
  if (mode & DEVICE) return mode & CHARACTER ? 'character' : 'block';
  return 'file';
}
