import type { Entry } from '../tree/index.ts';
import { create } from '../wire/grpc/index.ts';
import { StatSchema, type Stat } from '../wire/gen/buildkit/fsutil_pb.ts';

/** Bits of Go's FileMode. */
const TYPES: Partial<Record<Entry['type'], number>> = {
  directory: 2 ** 31,
  symlink: 2 ** 27,
  block: 2 ** 26,
  character: 2 ** 26 + 2 ** 21,
  fifo: 2 ** 25,
};

/** An entry as fsutil's Stat: the mode as Go has it, times in nanoseconds. */
export function toStat(entry: Entry): Stat {
  const { mode } = entry;
  const special = (mode & 0o4000 ? 2 ** 23 : 0) + (mode & 0o2000 ? 2 ** 22 : 0) + (mode & 0o1000 ? 2 ** 20 : 0);
  return create(StatSchema, {
    path: entry.path,
    mode: (TYPES[entry.type] ?? 0) + special + (mode & 0o777),
    uid: entry.uid,
    gid: entry.gid,
    size: BigInt(entry.size),
    modTime: BigInt(entry.mtime) * 1_000_000_000n + BigInt(entry.mtimeNs),
    linkname: entry.link ?? '',
    devmajor: BigInt(entry.device?.major ?? 0),
    devminor: BigInt(entry.device?.minor ?? 0),
  });
}
