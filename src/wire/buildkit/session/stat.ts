import type { Entry } from '../../../tree/index.ts';

/** What fsutil says of one thing in a tree (fsutil.types.Stat). */
export interface Stat {
  readonly path: string;
  /** Bits of Go's os.FileMode. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly size: number;
  /** Nanoseconds since the epoch. */
  readonly mtime: bigint;
  /** Target of a symbolic link; for another name of a file, the path that it was first sent by. */
  readonly link: string;
  readonly major: number;
  readonly minor: number;
  readonly xattrs: ReadonlyMap<string, Uint8Array> | undefined;
}

const DIRECTORY = 0x8000_0000;
const SYMLINK = 0x0800_0000;
const DEVICE = 0x0400_0000;
const FIFO = 0x0200_0000;
const SOCKET = 0x0100_0000;
const SETUID = 0x0080_0000;
const SETGID = 0x0040_0000;
const CHARACTER = 0x0020_0000;
const STICKY = 0x0010_0000;
const IRREGULAR = 0x0008_0000;
const TYPE = DIRECTORY | SYMLINK | DEVICE | FIFO | SOCKET | CHARACTER | IRREGULAR;
const NS = 1_000_000_000n;

/** Whether its content may be asked for: both sides must agree about it (fsutil's fileCanRequestData). */
export function hasContent(mode: number): boolean {
  return (mode & TYPE) === 0;
}

export function isFolder(mode: number): boolean {
  return (mode & DIRECTORY) !== 0;
}

/** Undefined for what has no place in a tree: a socket, an irregular file. */
export function entryOf(stat: Stat, o: { xattrs: (name: string) => boolean; size?: number }): Entry | undefined {
  const { path, mode, uid, gid } = stat;
  const mtime = Number((stat.mtime - (((stat.mtime % NS) + NS) % NS)) / NS);
  const common = {
    path,
    mode: (mode & 0o777) | (mode & SETUID ? 0o4000 : 0) | (mode & SETGID ? 0o2000 : 0) | (mode & STICKY ? 0o1000 : 0),
    uid,
    gid,
    size: 0,
    mtime,
    mtimeNs: Number(stat.mtime - BigInt(mtime) * NS),
    ...xattrsOf(stat, o.xattrs),
  };
  if (mode & DIRECTORY) return { ...common, type: 'directory' };
  if (mode & SYMLINK) return { ...common, type: 'symlink', mode: 0o777, link: stat.link };
  if (mode & (SOCKET | IRREGULAR)) return undefined;
  const kind = mode & FIFO ? 'fifo' : mode & DEVICE ? (mode & CHARACTER ? 'character' : 'block') : 'file';
  if (stat.link !== '') return { ...common, type: 'hardlink', link: stat.link };
  if (kind === 'fifo') return { ...common, type: kind };
  if (kind === 'file') return { ...common, type: kind, size: o.size ?? stat.size };
  return { ...common, type: kind, device: { major: stat.major, minor: stat.minor } };
}

function xattrsOf(stat: Stat, wanted: (name: string) => boolean): Pick<Entry, 'xattrs'> {
  const kept = [...(stat.xattrs ?? [])].filter(([name]) => wanted(name));
  return kept.length > 0 ? { xattrs: new Map(kept) } : {};
}

const TYPE_BITS: Readonly<Record<Entry['type'], number | undefined>> = {
  file: 0,
  hardlink: 0,
  directory: DIRECTORY,
  symlink: SYMLINK,
  character: DEVICE | CHARACTER,
  block: DEVICE,
  fifo: FIFO,
  whiteout: undefined,
  opaque: undefined,
};

/** Undefined for what stands in layers only. */
export function statOf(entry: Entry): Stat | undefined {
  const type = TYPE_BITS[entry.type];
  if (type === undefined) return undefined;
  const { mode } = entry;
  const bits =
    (mode & 0o777) | (mode & 0o4000 ? SETUID : 0) | (mode & 0o2000 ? SETGID : 0) | (mode & 0o1000 ? STICKY : 0);
  return {
    path: entry.path,
    mode: (type | bits) >>> 0,
    uid: entry.uid,
    gid: entry.gid,
    size: entry.type === 'symlink' ? Buffer.byteLength(entry.link ?? '') : entry.size,
    mtime: BigInt(entry.mtime) * NS + BigInt(entry.mtimeNs),
    link: entry.link ?? '',
    major: entry.device?.major ?? 0,
    minor: entry.device?.minor ?? 0,
    xattrs: entry.xattrs,
  };
}
