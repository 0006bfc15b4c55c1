import type { Wait } from '../base/index.ts';
import type { FileFilter, FileSource, FileTree } from './file-tree.ts';
import { followLinks } from './follow-links.ts';
import type { StatCache } from './stat-cache.ts';
import { realFolder, walkFolder } from './walk-folder.ts';

/**
 * A folder of this machine as a build context. Nothing is read before a tree is asked for; then the folder is walked under the filter, each time anew. Ids are 0:0 unless `owner` says otherwise.
 * `tree` throws `PATH_NOT_FOUND` and `NOT_A_FOLDER` for the folder, `FILE_UNREADABLE` for what is in it, `PATTERN_INVALID`.
 */
export function folderSource(
  root: string,
  o: {
    readonly cache?: StatCache | undefined;
    readonly owner?: { readonly uid: number; readonly gid: number } | undefined;
  } = {},
): FileSource {
  return {
    async tree(filter: FileFilter, w: Wait = {}): Promise<FileTree> {
      const real = realFolder(root);
      return walkFolder(real, {
        include: includesOf(real, filter),
        exclude: filter.exclude?.map(relative),
        owner: o.owner ?? { uid: 0, gid: 0 },
        stats: o.cache?.of(real),
        signal: w.signal,
      });
    },
  };
}

/** `include`, and what `follow` comes to. */
function includesOf(root: string, filter: FileFilter): readonly string[] | undefined {
  const include = filter.include?.map(relative);
  if (!filter.follow || filter.follow.length === 0) return include;
  const followed = followLinks(root, filter.follow);
  return followed === undefined && include === undefined ? undefined : [...(include ?? []), ...(followed ?? [])];
}

/** Patterns are relative to the folder, also when they are written as rooted in it. */
function relative(pattern: string): string {
  return pattern.replace(/^(!?)\/+(?=.)/, '$1');
}
