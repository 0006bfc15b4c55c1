import { memoryTree, unionOf, type MemoryFile } from '../../../tree/index.ts';
import type { Files, GroupElement, ModuleDescriptor } from '../model/types.ts';

/** A tree in memory. */
export async function treeOf(record: Readonly<Record<string, MemoryFile>>): Promise<Files> {
  const view = await unionOf([memoryTree(record)]);
  return {
    read: async (path) => (view.stat(path)?.entry.type === 'file' ? view.readFile(path) : undefined),
    list: async (path) =>
      view.stat(path)?.entry.type === 'directory' ? view.list(path).map(({ entry }) => entry) : [],
    stat: async (path) => view.lstat(path)?.entry,
  };
}

export const element = (id: string, api = '0.12'): GroupElement => ({ kind: 'buildpack', id, version: '1.0.0', api });

export const descriptor = (over: Partial<ModuleDescriptor> = {}): ModuleDescriptor => ({
  kind: 'buildpack',
  id: 'a/b',
  version: '1.0.0',
  api: '0.12',
  keywords: [],
  licenses: [],
  clearEnv: false,
  sbomFormats: [],
  execEnv: [],
  order: [],
  targets: [],
  stacks: [],
  metadata: {},
  ...over,
});
