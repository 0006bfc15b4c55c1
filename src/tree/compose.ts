import { throwIfCancelled, type Bytes, type Wait } from '../base/index.ts';
import { digestOf, type Digest } from '../blob/index.ts';
import { compareEntries } from './compare-entries.ts';
import type { Entry } from './entry.ts';
import { treeError } from './errors.ts';
import type { FileRegion, FileTree, WatchedRegion } from './file-tree.ts';

/** Where the content of a `file` lies: in another tree, whose own entry for it this is. */
export interface ContentPlace {
  readonly tree: FileTree;
  readonly entry: Entry;
}

export interface ComposeItem {
  readonly entry: Entry;
  /** Of a `file`; one of no bytes may go without. */
  readonly from?: ContentPlace | { readonly content: Uint8Array } | undefined;
}

/** A tree put together from entries whose contents lie elsewhere. Sorted here; of several entries of one path and meaning the last wins. */
export function composeTree(items: readonly ComposeItem[]): FileTree {
  const sorted = isSorted(items) ? items : sortLastWins(items);
  const entries = sorted.map((item) => item.entry);
  let byEntry: Map<Entry, ComposeItem> | undefined;
  let byPath: Map<string, ComposeItem> | undefined;
  const placeOf = (file: Entry): ComposeItem['from'] => {
    byEntry ??= new Map(sorted.map((item) => [item.entry, item]));
    let item = byEntry.get(file);
    if (!item) {
      byPath ??= new Map(sorted.filter(({ entry }) => entry.type === 'file').map((item) => [item.entry.path, item]));
      item = byPath.get(file.path);
    }
    if (!item) throw treeError('PATH_NOT_FOUND', `read "${file.path}": not a file of this tree`);
    return item.from ?? NOTHING;
  };
  return {
    async entries(w?: Wait): Promise<readonly Entry[]> {
      throwIfCancelled(w);
      return entries;
    },
    async *read(files: readonly Entry[], w?: Wait): Bytes {
      for (let i = 0; i < files.length;) {
        const from = placeOf(files[i]!);
        i += 1;
        if (!from || 'content' in from) {
          if (from && from.content.length > 0) yield from.content.slice();
          continue;
        }
        const run = [from.entry];
        for (; i < files.length; i++) {
          const next = placeOf(files[i]!);
          if (!next || 'content' in next || next.tree !== from.tree) break;
          run.push(next.entry);
        }
        yield* from.tree.read(run, w);
      }
    },
    async digests(files: readonly Entry[], w?: Wait): Promise<readonly Digest[]> {
      return digestsOf(
        files.map((file) => placeOf(file)),
        w,
      );
    },
    locate(file: Entry): FileRegion | undefined {
      const from = placeOf(file);
      return from && 'tree' in from ? from.tree.locate?.(from.entry) : undefined;
    },
    watched(file: Entry): WatchedRegion | undefined {
      const from = placeOf(file);
      return from && 'tree' in from ? from.tree.watched?.(from.entry) : undefined;
    },
  };
}

/** The digests of contents that lie in several trees: each tree is asked once. */
export async function digestsOf(places: readonly ComposeItem['from'][], w?: Wait): Promise<readonly Digest[]> {
  const out: Digest[] = Array.from({ length: places.length });
  const byTree = new Map<FileTree, { at: number[]; entries: Entry[] }>();
  places.forEach((place, i) => {
    if (!place || 'content' in place) {
      out[i] = digestOf(place?.content ?? NOTHING.content);
      return;
    }
    let group = byTree.get(place.tree);
    if (!group) byTree.set(place.tree, (group = { at: [], entries: [] }));
    group.at.push(i);
    group.entries.push(place.entry);
  });
  for (const [tree, { at, entries }] of byTree) {
    const digests = await tree.digests(entries, w);
    at.forEach((i, k) => {
      out[i] = digests[k]!;
    });
  }
  return out;
}

const NOTHING = { content: new Uint8Array(0) };

export const emptyTree: FileTree = composeTree([]);

/** What `memoryTree` makes a `file` of: its text or bytes, or an entry's members with them. Paths that end in "/" are folders. */
export type MemoryFile = string | Uint8Array | (Partial<Entry> & { readonly content?: string | Uint8Array });

/** A tree from a record of paths, for tests and small things: files are 0644, folders 0755, all 0:0 and of time 0 unless it says otherwise. Nothing is added that is not named. */
export function memoryTree(record: Readonly<Record<string, MemoryFile>>): FileTree {
  return composeTree(
    Object.entries(record).map(([name, value]) => {
      const given = typeof value === 'string' || value instanceof Uint8Array ? { content: value } : value;
      const { content: text = '', ...members } = given;
      const content = typeof text === 'string' ? Buffer.from(text) : text;
      const type = members.type ?? (name.endsWith('/') ? 'directory' : members.link === undefined ? 'file' : 'symlink');
      const entry: Entry = {
        path: name.replace(/\/$/, ''),
        type,
        mode: type === 'directory' ? 0o755 : type === 'symlink' ? 0o777 : 0o644,
        uid: 0,
        gid: 0,
        size: type === 'file' ? content.length : 0,
        mtime: 0,
        mtimeNs: 0,
        ...members,
      };
      return { entry, from: type === 'file' ? { content } : undefined };
    }),
  );
}

function isSorted(items: readonly ComposeItem[]): boolean {
  for (let i = 1; i < items.length; i++) if (compareEntries(items[i - 1]!.entry, items[i]!.entry) >= 0) return false;
  return true;
}

function sortLastWins(items: readonly ComposeItem[]): ComposeItem[] {
  const sorted = items.toSorted((a, b) => compareEntries(a.entry, b.entry));
  return sorted.filter((item, i) => i + 1 === sorted.length || compareEntries(item.entry, sorted[i + 1]!.entry) !== 0);
}
