import { throwIfCancelled, type Clock, type Wait } from '../../base/index.ts';
import type {
  FileAction,
  FileOp,
  MkdirAction,
  MkfileAction,
  Owner,
  RemoveAction,
  SymlinkAction,
} from '../../graph/index.ts';
import {
  composeTree,
  findPaths,
  parentOf,
  resolvePath,
  type Entry,
  type FileTree,
  type TreeView,
} from '../../tree/index.ts';
import { unpacker } from './archives.ts';
import { copy } from './copy.ts';
import { fileOpError } from './errors.ts';
import { idsOf, type Ids } from './owners.ts';
import { pickEntries } from './pick-entries.ts';
import { WorkTree } from './work-tree.ts';

export interface FileOpOptions extends Wait {
  /** Input 0: what is changed, and where names of owners are looked up that name no other. */
  readonly base: TreeView;
  /** By number; copies read from these. */
  readonly inputs: readonly TreeView[];
  readonly clock: Clock;
  /** A folder for archives while they are looked into. */
  readonly scratch: string;
  readonly log: (text: string) => void;
}

/**
 * The changes that a file operation makes to its base, as a layer's tree: nothing is run, mounted or copied; contents stay where they lie. With the folders that lead to a change, `whiteout` entries for what is
 * removed, and nothing for what was already so. To the letter of BuildKit's file backend and fsutil's copy. Throws `PATH_NOT_FOUND` for a source that is not there, `FILE_CONFLICT`, `FOLDER_MISSING`,
 * `MODE_INVALID`, `PATTERN_INVALID`.
 */
export async function applyFileOp(op: FileOp, o: FileOpOptions): Promise<FileTree> {
  const tree = new WorkTree(o.base);
  const milliseconds = o.clock.now();
  const now = { mtime: Math.floor(milliseconds / 1000), mtimeNs: Math.round((milliseconds % 1000) * 1e6) };
  for (const action of op.actions) {
    throwIfCancelled(o);
    const ids = await idsOf(ownerOf(action), o.inputs, o);
    if (action.kind === 'copy')
      await copy(tree, action, { inputs: o.inputs, ids, now, unpack: unpacker(o), signal: o.signal });
    else if (action.kind === 'pick') pickEntries(tree, action, { inputs: o.inputs, ids, now });
    else change(tree, action, { ids, now });
  }
  return tree.changes(o);
}

function ownerOf(action: FileAction): Owner | undefined {
  return action.kind === 'remove' ? undefined : action.owner;
}

interface Context {
  readonly ids: Ids | undefined;
  readonly now: Pick<Entry, 'mtime' | 'mtimeNs'>;
}

type PlainAction = MkdirAction | MkfileAction | SymlinkAction | RemoveAction;

function change(tree: WorkTree, action: PlainAction, c: Context): void {
  if (action.kind === 'remove') remove(tree, action);
  else if (action.kind === 'mkdir') makeFolder(tree, action, c);
  else if (action.kind === 'mkfile') makeFile(tree, action, c);
  else makeLink(tree, action, c);
}

/** What all of the new things have in common. */
function made(path: string, action: Pick<MkdirAction, 'mtime' | 'mtimeNs'>, c: Context): Omit<Entry, 'type' | 'mode'> {
  const time = action.mtime === undefined ? c.now : { mtime: action.mtime, mtimeNs: action.mtimeNs ?? 0 };
  return { path, uid: 0, gid: 0, size: 0, ...c.ids, ...time };
}

function makeFolder(tree: WorkTree, action: MkdirAction, c: Context): void {
  const path = tree.resolve(action.path);
  const entry = (at: string): Entry => ({ ...made(at, action, c), type: 'directory', mode: action.mode & 0o777 });
  if (action.parents) return tree.makeFolders(path, entry);
  if (path === '' || tree.get(path)) return;
  checkParent(tree, path, `make folder "${action.path}"`);
  tree.put(entry(path));
}

function makeFile(tree: WorkTree, action: MkfileAction, c: Context): void {
  const path = tree.resolve(action.path);
  const there = tree.get(path);
  const what = `make file "${action.path}"`;
  if (path === '' || there?.entry.type === 'directory')
    throw fileOpError('FILE_CONFLICT', `${what}: there is a folder`, { remedy: 'Choose another path.' });
  checkParent(tree, path, what);
  const content = Buffer.from(action.content, action.encoding ?? 'utf8');
  // Writing to a file that is there keeps its mode, and its owner unless one is given.
  const kept = there?.entry.type === 'file' ? there.entry : undefined;
  const entry: Entry = {
    ...made(path, action, { ...c, ids: c.ids ?? (kept && { uid: kept.uid, gid: kept.gid }) }),
    type: 'file',
    mode: kept?.mode ?? action.mode & 0o777,
    size: content.length,
  };
  tree.put(entry, { from: { tree: composeTree([{ entry, from: { content } }]), entry } });
}

function makeLink(tree: WorkTree, action: SymlinkAction, c: Context): void {
  const path = tree.resolve(action.path);
  const what = `make link "${action.path}"`;
  if (path === '' || tree.get(path))
    throw fileOpError('FILE_CONFLICT', `${what}: there is something already`, { remedy: 'Remove it first.' });
  checkParent(tree, path, what);
  tree.put({ ...made(path, action, c), type: 'symlink', mode: action.mode ?? 0o777, link: action.target });
}

function checkParent(tree: WorkTree, path: string, what: string): void {
  const parent = parentOf(path);
  const { type } = tree.get(parent)?.entry ?? {};
  if (type === 'directory') return;
  const remedy = 'Make the folder first.';
  if (type === undefined) throw fileOpError('FOLDER_MISSING', `${what}: folder "/${parent}" not found`, { remedy });
  throw fileOpError('FILE_CONFLICT', `${what}: "/${parent}" is not a folder`, { remedy });
}

function remove(tree: WorkTree, action: RemoveAction): void {
  const paths = action.wildcard
    ? findPaths(tree.view(), action.path, { wildcard: true }).map((found) => found.path)
    : [action.path];
  for (const path of paths) {
    const real = tree.resolve(path, { last: 'keep' });
    if (real === '')
      throw fileOpError('FILE_CONFLICT', `remove "${path}": it is the root`, { remedy: 'Name what is in it.' });
    const lookup = (at: string): Entry | undefined => tree.get(at)?.entry;
    if (!action.missingOk && !resolvePath(lookup, path).found)
      throw fileOpError('FOLDER_MISSING', `remove "${path}": not found`, { remedy: 'Check the path.' });
    if (tree.get(real)) tree.remove(real);
  }
}
