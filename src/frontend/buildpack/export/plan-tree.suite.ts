import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemRandom } from '../../../base/index.ts';
import { DiskBlobStore } from '../../../blob/index.ts';
import {
  composeTree,
  memoryTree,
  parentOf,
  unionOf,
  writeLayer,
  type ComposeItem,
  type Entry,
  type FileTree,
  type MemoryFile,
  type TreeView,
} from '../../../tree/index.ts';
import type { Files, LayerContent, LayerPlan } from '../model/types.ts';

/** A tree in memory, as what is planned reads it. */
export interface PlannedFrom {
  readonly view: TreeView;
  readonly files: Files;
}

/** Folders that nothing states are 0755, 0:0. */
export async function memoryFiles(record: Readonly<Record<string, MemoryFile>>): Promise<PlannedFrom> {
  const view = await unionOf([memoryTree(record)]);
  const files: Files = {
    read: async (path) => (view.lstat(path)?.entry.type === 'file' ? view.readFile(path) : undefined),
    list: async (path) =>
      view.lstat(path)?.entry.type === 'directory' ? view.list(path).map(({ entry }) => entry) : [],
    stat: async (path) => view.lstat(path)?.entry,
  };
  return { view, files };
}

/** The tree of a planned layer. */
export function treeOfPlan(plan: LayerPlan, o: { view: TreeView; launcher?: string | undefined }): FileTree {
  return composeTree(plan.content.flatMap((content) => [...itemsOf(content, o)]));
}

/** Writes planned layers into a store of its own. */
export class PlanWriter implements Disposable {
  readonly #folder = mkdtempSync(join(tmpdir(), 'strake-plan-'));
  readonly #store = new DiskBlobStore(join(this.#folder, 'blobs'), { clock: { now: () => 0 }, random: systemRandom });

  async diffId(plan: LayerPlan, o: { view: TreeView; launcher?: string | undefined }): Promise<string> {
    return (await writeLayer(treeOfPlan(plan, o), { store: this.#store, dialect: plan.dialect })).diffId;
  }

  [Symbol.dispose](): void {
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

function* itemsOf(content: LayerContent, o: { view: TreeView; launcher?: string | undefined }): Iterable<ComposeItem> {
  const path = content.path.slice(1);
  const made = { path, size: 0, mtime: 0, mtimeNs: 0 };
  if (content.kind === 'parents') {
    const above: string[] = [];
    for (let at = parentOf(path); at !== ''; at = parentOf(at)) above.unshift(at);
    for (const at of above) yield { entry: nodeAt(o.view, at).entry };
  } else if (content.kind === 'tree') {
    const except = (content.except ?? []).map((one) => one.slice(1));
    const left = (at: string): boolean => except.some((one) => at === one || at.startsWith(`${one}/`));
    for (const { entry, from } of o.view.lstat(path)?.entry.type === 'directory'
      ? o.view.walk(path)
      : [nodeAt(o.view, path)])
      if (!left(entry.path)) yield { entry: owned(entry, content), from };
  } else if (content.kind === 'entry') {
    const { entry, from } = nodeAt(o.view, path);
    yield { entry: owned(entry, content), from };
  } else if (content.kind === 'folder') {
    const { mode, uid, gid } = content;
    yield { entry: { ...made, type: 'directory', mode, uid, gid } };
  } else if (content.kind === 'link') {
    const { mode, uid, gid, target } = content;
    yield { entry: { ...made, type: 'symlink', mode, uid, gid, link: target } };
  } else {
    const { mode, uid, gid, text } =
      content.kind === 'launcher'
        ? { mode: 0o755, uid: 0, gid: 0, text: o.launcher ?? '' }
        : { ...content, text: content.content };
    const bytes = Buffer.from(text);
    yield { entry: { ...made, type: 'file', mode, uid, gid, size: bytes.length }, from: { content: bytes } };
  }
}

function owned(entry: Entry, { uid, gid }: { readonly uid: number; readonly gid: number }): Entry {
  return { ...entry, uid, gid };
}

function nodeAt(view: TreeView, path: string): NonNullable<ReturnType<TreeView['lstat']>> {
  const node = view.lstat(path);
  if (!node) throw new Error(`"${path}" is not in the tree`);
  return node;
}
