import type { Bytes, Wait } from '../base/index.ts';
import type { Entry, FileTree } from '../tree/index.ts';

/** The contents of single files of a tree, by path. */
export class FileTreeContents {
  readonly #tree: FileTree;
  readonly #files: ReadonlyMap<string, Entry>;

  constructor(tree: FileTree, entries: readonly Entry[]) {
    this.#tree = tree;
    this.#files = new Map(entries.filter(({ type }) => type === 'file').map((entry) => [entry.path, entry]));
  }

  /** Undefined when there is no such file. Hard links are not followed. */
  async read(path: string, w?: Wait): Promise<Bytes | undefined> {
    const file = this.#files.get(path);
    return file && this.#tree.read([file], w);
  }
}
