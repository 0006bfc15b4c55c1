import type { Wait } from '../base/index.ts';
import { composeTree, type ComposeItem } from './compose.ts';
import type { Entry } from './entry.ts';
import type { FileTree } from './file-tree.ts';

/**
 * The tree without these paths (absolute or relative to the root) and what is below them; undefined when it holds none of them. A name that is kept of a file whose first name goes becomes the file.
 */
export async function withoutPaths(tree: FileTree, paths: readonly string[], w?: Wait): Promise<FileTree | undefined> {
  const gone = paths.map((path) =>
    path
      .split('/')
      .filter((part) => part !== '' && part !== '.')
      .join('/'),
  );
  const isGone = (path: string): boolean =>
    gone.some((root) => root === '' || path === root || path.startsWith(`${root}/`));
  const entries = await tree.entries(w);
  const lost = new Map<string, Entry>();
  const items: ComposeItem[] = [];
  const heirs = new Map<string, string>();
  for (const entry of entries) {
    if (isGone(entry.path)) {
      if (entry.type === 'file') lost.set(entry.path, entry);
      continue;
    }
    const target = entry.type === 'hardlink' ? lost.get(entry.link ?? '') : undefined;
    if (!target) items.push({ entry, from: entry.type === 'file' ? { tree, entry } : undefined });
    else {
      const heir = heirs.get(target.path);
      if (heir === undefined) {
        heirs.set(target.path, entry.path);
        items.push({ entry: { ...target, path: entry.path }, from: { tree, entry: target } });
      } else items.push({ entry: { ...entry, link: heir } });
    }
  }
  return items.length === entries.length ? undefined : composeTree(items);
}
