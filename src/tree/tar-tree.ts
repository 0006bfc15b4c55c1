import { realpathSync } from 'node:fs';
import { throwIfCancelled, type Wait } from '../base/index.ts';
import type { FileTree } from './file-tree.ts';
import { PlacedTree } from './placed-tree.ts';
import { TarIndexer, type TarIndex } from './tar-index.ts';
import { scanTar } from './scan-tar.ts';
import { TarParser } from './tar-reader.ts';

/**
 * The tree of an uncompressed layer on disk, by one scan of its headers; contents are read from the tar when asked for. The file must stay as it is. Throws what `TarParser` and `TarIndexer` throw.
 */
export async function tarFileTree(path: string, w?: Wait): Promise<FileTree> {
  const real = realpathSync(path);
  return new PlacedTree(real, await indexTar(real, { what: `read layer "${path}"`, layer: true, ...w }));
}

/** The index of an uncompressed tar on disk. */
export async function indexTar(path: string, o: { what: string; layer: boolean } & Wait): Promise<TarIndex> {
  throwIfCancelled(o);
  const indexer = new TarIndexer(o.what, o);
  await scanTar(path, new TarParser(o.what, (member) => indexer.add(member)), o);
  return indexer.finish();
}
