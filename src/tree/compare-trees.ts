import { throwIfCancelled, type Wait } from '../base/index.ts';
import type { Digest } from '../blob/index.ts';
import { compareEntries } from './compare-entries.ts';
import type { Entry } from './entry.ts';
import type { FileTree } from './file-tree.ts';

/** What two entries of one path can differ in. `links`: which names are one file. */
export type EntryField = 'type' | 'mode' | 'owner' | 'time' | 'target' | 'links' | 'device' | 'xattrs' | 'content';

/** One field with its two values, in words. */
export interface FieldDifference {
  readonly field: EntryField;
  readonly a: string;
  readonly b: string;
}

export type TreeDifference =
  | { readonly kind: 'only-a' | 'only-b'; readonly path: string; readonly entry: Entry }
  | { readonly kind: 'changed'; readonly path: string; readonly fields: readonly FieldDifference[] };

export interface CompareTreesOptions extends Wait {
  /** Fields that may differ. */
  readonly ignore?: ReadonlySet<EntryField> | undefined;
}

/** Pairs of files whose digests are asked for at once. */
const BATCH = 512;

/**
 * What differs between two trees, in canonical order. Entries are compared as they stand, so layers (with their whiteouts) can be compared as well as whole file systems (`viewTree`). Contents are digested only where the sizes are
 * equal. Times of symbolic links are compared, too; the root is where both trees state it.
 */
export async function* compareTrees(
  a: FileTree,
  b: FileTree,
  o: CompareTreesOptions = {},
): AsyncGenerator<TreeDifference, void, undefined> {
  const sides: readonly [Side, Side] = [new Side(a, await a.entries(o)), new Side(b, await b.entries(o))];
  const [left, right] = sides;
  let pending: Pending[] = [];
  for (let i = 0, j = 0; i < left.entries.length || j < right.entries.length;) {
    const x = left.entries[i];
    const y = right.entries[j];
    const order = x === undefined ? 1 : y === undefined ? -1 : compareEntries(x, y);
    if (order <= 0) i += 1;
    if (order >= 0) j += 1;
    if (order !== 0) {
      const entry = (order < 0 ? x : y) as Entry;
      if (entry.path !== '')
        pending.push({ found: { kind: order < 0 ? 'only-a' : 'only-b', path: entry.path, entry } });
    } else if (x !== y) pending.push(compareTwo(x as Entry, y as Entry, { sides, ...o }));
    if (pending.length < BATCH) continue;
    yield* settle(pending, sides, o);
    pending = [];
  }
  yield* settle(pending, sides, o);
}

/** A difference that was found, or two files of one size, to be digested. */
interface Pending {
  readonly found?: TreeDifference | undefined;
  readonly path?: string | undefined;
  readonly fields?: readonly FieldDifference[] | undefined;
  readonly files?: readonly [Entry, Entry] | undefined;
}

class Side {
  readonly tree: FileTree;
  readonly entries: readonly Entry[];
  #files: Map<string, Entry> | undefined;

  constructor(tree: FileTree, entries: readonly Entry[]) {
    this.tree = tree;
    this.entries = entries;
  }

  /** The entry that has the content: of a further name, the one it is a name of. */
  fileOf(entry: Entry): Entry | undefined {
    if (entry.type === 'file') return entry;
    this.#files ??= new Map(this.entries.filter(({ type }) => type === 'file').map((file) => [file.path, file]));
    return this.#files.get(entry.link ?? '');
  }
}

function compareTwo(x: Entry, y: Entry, o: { sides: readonly [Side, Side] } & CompareTreesOptions): Pending {
  const fields: FieldDifference[] = [];
  const check = (field: EntryField, a: string, b: string): void => {
    if (a !== b && o.ignore?.has(field) !== true) fields.push({ field, a, b });
  };
  const { path } = x;
  check('type', kindOf(x), kindOf(y));
  // A link's mode is of no meaning; tars and file systems have different ones.
  if (x.type !== 'symlink' || y.type !== 'symlink') check('mode', modeText(x), modeText(y));
  check('owner', `${x.uid}:${x.gid}`, `${y.uid}:${y.gid}`);
  check('time', timeText(x), timeText(y));
  if (kindOf(x) !== kindOf(y)) return { path, fields };
  if (x.type === 'symlink') check('target', JSON.stringify(x.link), JSON.stringify(y.link));
  if (kindOf(x) === 'file') check('links', linksText(x), linksText(y));
  check('device', deviceText(x), deviceText(y));
  if (x.type !== 'hardlink' && y.type !== 'hardlink') check('xattrs', xattrsText(x), xattrsText(y));
  if (kindOf(x) !== 'file' || (x.type === 'hardlink' && y.type === 'hardlink') || o.ignore?.has('content') === true)
    return { path, fields };
  const [left, right] = [o.sides[0].fileOf(x), o.sides[1].fileOf(y)];
  // The content of a name whose file is in another layer is not this tree's.
  if (!left || !right) return { path, fields };
  if (left.size === right.size) return { path, fields, files: [left, right] };
  check('content', `${left.size} bytes`, `${right.size} bytes`);
  return { path, fields };
}

async function* settle(
  pending: readonly Pending[],
  sides: readonly [Side, Side],
  w: Wait,
): AsyncGenerator<TreeDifference, void, undefined> {
  throwIfCancelled(w);
  const pairs = pending.flatMap(({ files }) => (files && files[0].size > 0 ? [files] : []));
  const digests = async (at: 0 | 1): Promise<readonly Digest[]> =>
    pairs.length === 0
      ? []
      : sides[at].tree.digests(
          pairs.map((pair) => pair[at]),
          w,
        );
  const [left, right] = [await digests(0), await digests(1)];
  let next = 0;
  for (const { found, path = '', fields = [], files } of pending) {
    if (found) {
      yield found;
      continue;
    }
    const all = [...fields];
    if (files && files[0].size > 0) {
      const [a, b] = [left[next] ?? '', right[next] ?? ''];
      next += 1;
      if (a !== b) all.push({ field: 'content', a, b });
    }
    if (all.length > 0) yield { kind: 'changed', path, fields: all };
  }
}

/** A further name of a file is a file. */
function kindOf({ type }: Entry): string {
  return type === 'hardlink' ? 'file' : type;
}

function modeText({ mode }: Entry): string {
  return mode.toString(8).padStart(4, '0');
}

/** `2001-02-03T04:05:06Z`, with nanoseconds where there are any. */
function timeText({ mtime, mtimeNs }: Entry): string {
  const date = new Date(mtime * 1000);
  const text = Number.isNaN(date.getTime()) ? `@${mtime}` : date.toISOString().replace(/\.000Z$/, '');
  return `${text}${mtimeNs === 0 ? '' : `.${String(mtimeNs).padStart(9, '0').replace(/0+$/, '')}`}Z`;
}

function linksText(entry: Entry): string {
  return entry.type === 'hardlink' ? `the same file as ${JSON.stringify(entry.link)}` : 'a file of its own';
}

function deviceText({ device }: Entry): string {
  return device ? `${device.major}:${device.minor}` : '';
}

function xattrsText({ xattrs }: Entry): string {
  return [...(xattrs ?? [])]
    .map(([name, value]) => `${name}=0x${Buffer.from(value).toString('hex')}`)
    .sort()
    .join(' ');
}

/** An entry in words: `file 0644 0:0, 12 bytes`. */
export function describeEntry(entry: Entry): string {
  const { type, uid, gid, size, link } = entry;
  if (type === 'whiteout' || type === 'opaque') return type;
  const device = deviceText(entry);
  return [
    `${type} ${modeText(entry)} ${uid}:${gid}`,
    ...(type === 'file' ? [`${size} bytes`] : []),
    ...(link === undefined ? [] : [`${type === 'hardlink' ? 'of' : '->'} ${JSON.stringify(link)}`]),
    ...(device === '' ? [] : [device]),
  ].join(', ');
}
