import { compareEntries, comparePaths, inOrder } from './compare-entries.ts';
import type { Entry } from './entry.ts';
import { treeError } from './errors.ts';
import type { Dialect } from './layer.ts';
import { encodePath } from './path-text.ts';

/** An entry as a layer has it. */
export interface LayerEntry {
  /** As it will be written, and read again. */
  readonly entry: Entry;
  /** Its name in the archive. */
  readonly name: string;
  /** The entry of the tree whose content this one has; undefined for what has none. */
  readonly content: Entry | undefined;
}

/** The time of all that lies in layers of the lifecycle, and in what pack writes (platform.md; lifecycle archive.NormalizedModTime): 1980-01-01T00:00:01Z, in seconds. */
export const LIFECYCLE_TIME = 315_532_801;

/**
 * What a dialect makes of the entries of a tree, in the order of the archive. `oci`: canonical order, but in each folder the opaque mark and the whiteouts come first, as image-spec layer.md wants them before
 * siblings; whiteouts without owner and mode, as containerd writes them; times in whole seconds, none later than `epoch`; the first name of an inode leads its hard links; no root entry.
 * `lifecycle`: absolute names, folders without slash, one fixed time, no hard links and xattrs. `lifecycle-slice`: the same, sorted by the bytes of the whole path, so that "a-b" comes before "a/c"
 * (lifecycle layers/slices.go, createLayerFromFiles). The same for every order of `entries`.
 */
export function layerEntries(
  entries: readonly Entry[],
  o: { dialect: Dialect; epoch?: number | undefined },
): readonly LayerEntry[] {
  const sorted = inOrder(entries);
  for (let i = 1; i < sorted.length; i++)
    if (compareEntries(sorted[i - 1]!, sorted[i]!) === 0) throw unencodable(sorted[i]!, 'the tree has it twice');
  const leaders = linkLeaders(sorted);
  if (o.dialect === 'oci') return ociEntries(sorted, leaders, o.epoch);
  const items = lifecycleEntries(sorted, leaders);
  return o.dialect === 'lifecycle' ? items : items.toSorted((a, b) => compareNames(a.name, b.name));
}

/** By the path of a hard link or its target: the entry with the content, and the name that leads. */
type Leaders = ReadonlyMap<string, { readonly source: Entry; readonly leader: string }>;

function ociEntries(sorted: readonly Entry[], leaders: Leaders, epoch = Infinity): readonly LayerEntry[] {
  let whiteouts = false;
  const result: LayerEntry[] = [];
  for (const entry of sorted) {
    const { path, type } = entry;
    const mtime = Math.min(entry.mtime, epoch);
    if (type === 'whiteout' || type === 'opaque') {
      whiteouts = true;
      const written: Entry = { path, type, mode: 0, uid: 0, gid: 0, size: 0, mtime, mtimeNs: 0 };
      result.push({ entry: written, name: whiteoutName(entry), content: undefined });
      continue;
    }
    if (path === '') continue;
    const group = leaders.get(path);
    if (group && group.leader !== path) {
      const metadata = group.leader === group.source.path ? entry : group.source;
      const { mode, uid, gid, xattrs } = metadata;
      const base: Entry = {
        path,
        type: 'hardlink',
        mode,
        uid,
        gid,
        size: 0,
        mtime: Math.min(metadata.mtime, epoch),
        mtimeNs: 0,
        link: group.leader,
      };
      result.push({ entry: xattrs ? { ...base, xattrs } : base, name: path, content: undefined });
      continue;
    }
    const source = group?.source ?? entry;
    const size = source.type === 'file' ? source.size : 0;
    const asItIs =
      source === entry && entry.mtimeNs === 0 && mtime === entry.mtime && size === entry.size && entry.mode < 0o10000;
    const written = asItIs
      ? entry
      : { ...source, path, size, mode: source.mode & 0o7777, mtime: Math.min(source.mtime, epoch), mtimeNs: 0 };
    result.push({
      entry: written,
      name: source.type === 'directory' ? `${path}/` : path,
      content: source.type === 'file' ? source : undefined,
    });
  }
  return whiteouts ? result.sort(compareInLayer) : result;
}

function lifecycleEntries(sorted: readonly Entry[], leaders: Leaders): readonly LayerEntry[] {
  return sorted
    .filter(({ path }) => path !== '')
    .map((entry) => {
      const { path, type } = entry;
      if (type === 'whiteout' || type === 'opaque')
        throw unencodable(entry, 'layers of the lifecycle have no whiteouts');
      const source = type === 'hardlink' ? leaders.get(path)?.source : entry;
      if (!source) throw unencodable(entry, `its link target "${entry.link}" is not in the tree`);
      const { xattrs: _, ...rest } = source;
      const size = source.type === 'file' ? source.size : 0;
      const written: Entry = { ...rest, path, size, mode: source.mode & 0o7777, mtime: LIFECYCLE_TIME, mtimeNs: 0 };
      return { entry: written, name: `/${path}`, content: source.type === 'file' ? source : undefined };
    });
}

/** Groups hard links with what they lead to in this tree. Links to what the tree does not have are in no group. */
function linkLeaders(sorted: readonly Entry[]): Leaders {
  const leaders = new Map<string, { source: Entry; leader: string }>();
  const links = sorted.filter(({ type }) => type === 'hardlink');
  if (links.length === 0) return leaders;
  const byPath = new Map<string, Entry>();
  for (const entry of sorted) if (entry.type !== 'whiteout' && entry.type !== 'opaque') byPath.set(entry.path, entry);
  for (const link of links) {
    let target: Entry | undefined = link;
    for (let hops = 0; target?.type === 'hardlink'; hops++) {
      if (hops > links.length) throw unencodable(link, 'its hard links lead in a circle');
      target = byPath.get(target.link ?? '');
    }
    if (!target) continue;
    if (target.type === 'directory') throw unencodable(link, `it is a hard link to the folder "${target.path}"`);
    const group = leaders.get(target.path) ?? { source: target, leader: target.path };
    if (comparePaths(link.path, group.leader) < 0) group.leader = link.path;
    leaders.set(target.path, group);
    leaders.set(link.path, group);
  }
  return leaders;
}

/** By the bytes of the whole text, "/" a byte as any other. */
function compareNames(a: string, b: string): number {
  for (let i = 0; i < a.length && i < b.length; i++) {
    const x = a.charCodeAt(i);
    const y = b.charCodeAt(i);
    if (x !== y) return x < 0xd800 && y < 0xd800 ? x - y : Buffer.compare(encodePath(a), encodePath(b));
  }
  return a.length - b.length;
}

function whiteoutName({ path, type }: Entry): string {
  if (type === 'opaque') return path === '' ? '.wh..wh..opq' : `${path}/.wh..wh..opq`;
  const slash = path.lastIndexOf('/') + 1;
  return `${path.slice(0, slash)}.wh.${path.slice(slash)}`;
}

/** Canonical order, but among siblings the opaque mark comes first, then whiteouts, then all else. */
function compareInLayer(a: LayerEntry, b: LayerEntry): number {
  const x = placeOf(a.entry);
  const y = placeOf(b.entry);
  let i = 0;
  while (i < x.length && i < y.length && x.charCodeAt(i) === y.charCodeAt(i)) i++;
  return rank(a.entry, x, i) - rank(b.entry, y, i) || comparePaths(x, y);
}

/** An opaque mark stands among the content of its folder. */
function placeOf({ path, type }: Entry): string {
  return type !== 'opaque' ? path : path === '' ? '.' : `${path}/.`;
}

/** Rank of the part of a path that character `at` belongs to. */
function rank({ type }: Entry, path: string, at: number): number {
  return (type !== 'opaque' && type !== 'whiteout') || path.includes('/', at) ? 2 : type === 'opaque' ? 0 : 1;
}

function unencodable({ path }: Entry, detail: string): Error {
  return treeError('ENTRY_UNENCODABLE', `write "${path}" into a layer: ${detail}`);
}
