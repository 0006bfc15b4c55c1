import { memoryTree, type FileTree } from '../tree/index.ts';

/** How much of what a process writes is kept. */
const LIMIT = 4 << 20;

/** What a process said and how it ended, as a tree (graph's `Capture`). */
export class Captured {
  readonly #chunks: Uint8Array[] = [];
  #size = 0;

  add(chunk: Uint8Array): void {
    const kept = chunk.subarray(0, LIMIT - this.#size);
    if (kept.length === 0) return;
    // The caller may use the buffer again.
    this.#chunks.push(Buffer.from(kept));
    this.#size += kept.length;
  }

  tree(code: number): FileTree {
    const common = { mode: 0o644, mtime: 0, mtimeNs: 0 };
    return memoryTree({
      status: { ...common, content: String(code) },
      output: { ...common, content: Buffer.concat(this.#chunks) },
    });
  }
}
