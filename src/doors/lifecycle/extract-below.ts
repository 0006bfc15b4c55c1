import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Wait } from '../../base/index.ts';
import { composeTree, extractTree, type FileTree } from '../../tree/index.ts';
import { lifecycleError } from './errors.ts';

/** Extracts what a layer has at `folder` and below, at its own paths; all else in it is left. Throws `LIFECYCLE_CACHE_FAILED` where it has nothing there. */
export async function extractBelow(tree: FileTree, folder: string, w: Wait = {}): Promise<void> {
  const at = folder.slice(1);
  const entries = (await tree.entries(w)).filter(({ path }) => path === at || path.startsWith(`${at}/`));
  if (entries.length === 0)
    throw lifecycleError('LIFECYCLE_CACHE_FAILED', `restore "${folder}": the layer has nothing there`, {
      remedy: 'The folder of layers must be the one that the layer was made of.',
    });
  mkdirSync(dirname(folder), { recursive: true });
  const picked = composeTree(
    entries.map((entry) => ({ entry, from: entry.type === 'file' ? { tree, entry } : undefined })),
  );
  await extractTree(picked, '/', w);
}
