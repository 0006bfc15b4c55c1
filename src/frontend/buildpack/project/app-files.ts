import type { Wait } from '../../../base/index.ts';
import {
  composeTree,
  parentOf,
  type ComposeItem,
  type Entry,
  type FileSource,
  type FileTree,
} from '../../../tree/index.ts';
import type { Files } from '../model/types.ts';
import { GitIgnore } from './git-ignore.ts';
import type { ProjectDescriptor } from './project.ts';

/** Which files of a folder belong to the app. */
export interface AppFilter {
  /** `all`: with all that is below it; `some`: only what is named below it, and the folder where that is needed; `none`: nothing of it. Asked of a walk: of what is in a folder of which some is taken. */
  of(path: string, o: { folder: boolean }): 'all' | 'some' | 'none';
  /** A folder of which some is taken is there even if that is nothing. */
  readonly keepsFolders: boolean;
}

/** Entries of a tree by absolute paths, as a `pick` of the graph wants them. */
export interface Selection {
  readonly trees: readonly string[];
  readonly entries: readonly string[];
  readonly except: readonly string[];
}

/** What a project takes of its files (`include`, `exclude`); undefined: everything. */
export function appFilter({ include, exclude }: Pick<ProjectDescriptor, 'include' | 'exclude'>): AppFilter | undefined {
  if (include.length > 0) {
    const wanted = new GitIgnore(include);
    return {
      of: (path, o) => (wanted.ignoresAlone(path, o) ? 'all' : o.folder ? 'some' : 'none'),
      keepsFolders: false,
    };
  }
  if (exclude.length === 0) return undefined;
  const unwanted = new GitIgnore(exclude);
  return {
    of: (path, o) => (unwanted.ignoresAlone(path, o) ? 'none' : o.folder ? 'some' : 'all'),
    keepsFolders: true,
  };
}

/** A source of files of which only the app's are seen. Of several names of a file the first that is left has its content. */
export function filteredSource(source: FileSource, filter: AppFilter): FileSource {
  return { tree: async (asked, w = {}) => filteredTree(await source.tree(asked, w), filter, w) };
}

async function filteredTree(tree: FileTree, filter: AppFilter, w: Wait): Promise<FileTree> {
  const answers = new Map<string, 'all' | 'some' | 'none'>([['', 'some']]);
  const originals = new Map<string, Entry>();
  const moved = new Map<string, string>();
  const kept = new Map<string, ComposeItem>();
  const folders = new Map<string, Entry>();
  for (const entry of await tree.entries(w)) {
    const { path, type } = entry;
    const folder = type === 'directory';
    const above = path === '' ? 'some' : (answers.get(parentOf(path)) ?? 'some');
    const answer = path === '' || above !== 'some' ? above : filter.of(path, { folder });
    if (folder) answers.set(path, answer);
    else originals.set(path, entry);
    if (folder && answer === 'some' && !filter.keepsFolders) folders.set(path, entry);
    if (answer === 'none' || (answer === 'some' && !filter.keepsFolders)) continue;
    for (let at = parentOf(path); folders.has(at); at = parentOf(at)) {
      kept.set(at, { entry: folders.get(at)! });
      folders.delete(at);
      if (at === '') break;
    }
    kept.set(path, itemOf(entry, { tree, originals, moved, kept }));
  }
  return composeTree([...kept.values()]);
}

function itemOf(
  entry: Entry,
  o: {
    tree: FileTree;
    originals: ReadonlyMap<string, Entry>;
    moved: Map<string, string>;
    kept: ReadonlyMap<string, ComposeItem>;
  },
): ComposeItem {
  if (entry.type === 'file') return { entry, from: { tree: o.tree, entry } };
  if (entry.type !== 'hardlink' || entry.link === undefined || o.kept.has(entry.link)) return { entry };
  const first = o.moved.get(entry.link);
  if (first !== undefined) return { entry: { ...entry, link: first } };
  const original = o.originals.get(entry.link);
  if (!original) return { entry };
  o.moved.set(entry.link, entry.path);
  return { entry: { ...original, path: entry.path }, from: { tree: o.tree, entry: original } };
}

/** What of the folder at `root` a filter takes, in as few paths as may be. */
export async function selectAppFiles(
  root: string,
  { files, filter, ...w }: { files: Files; filter: AppFilter } & Wait,
): Promise<Selection> {
  const trees: string[] = [];
  const entries: string[] = [];
  const except: string[] = [];
  const base = root.replace(/\/$/, '');
  const visit = async (folder: string): Promise<boolean> => {
    let any = filter.keepsFolders;
    for (const { path, type } of await files.list(folder, w)) {
      const at = `/${path}`;
      const answer = filter.of(at.slice(base.length + 1), { folder: type === 'directory' });
      if (answer === 'some') any = (await visit(at)) || any;
      else if (answer === 'none') except.push(at);
      else if (!filter.keepsFolders) (type === 'directory' ? trees : entries).push(at);
      any ||= answer === 'all';
    }
    if (any && !filter.keepsFolders) entries.push(folder);
    return any;
  };
  await visit(root);
  return filter.keepsFolders
    ? { trees: [root], entries: [], except: except.sort() }
    : { trees: trees.sort(), entries: entries.sort(), except: [] };
}
