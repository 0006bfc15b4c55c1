export type { Entry, EntryType } from './entry.ts';
export type { FileFilter, FileRegion, FileSource, FileTree, Mount } from './file-tree.ts';
export type { Codec, Dialect, WrittenLayer } from './layer.ts';
