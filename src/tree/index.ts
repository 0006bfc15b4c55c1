export { missingPath, type Absence } from './absence.ts';
export { compareEntries, comparePaths } from './compare-entries.ts';
export type { Entry, EntryType } from './entry.ts';
export { treeError } from './errors.ts';
export type { FileFilter, FileRegion, FileSource, FileTree, Mount } from './file-tree.ts';
export type { Codec, Dialect, WrittenLayer } from './layer.ts';
export { decodePath, encodePath, fsPath } from './path-text.ts';
export { checkGoPattern, cleanPath, goMatch, hasWildcards } from './go-match.ts';
export { PatternMatcher, readIgnoreFile, type MatchState } from './ignore.ts';
export { tarFileTree } from './tar-tree.ts';
export { folderSource } from './folder-source.ts';
export { FolderTree } from './folder-tree.ts';
export { StatCache } from './stat-cache.ts';
export { isLayerXattr, walkFolder, type WalkOptions } from './walk-folder.ts';
export {
  compareTrees,
  describeEntry,
  type EntryField,
  type FieldDifference,
  type TreeDifference,
} from './compare-trees.ts';
export { composeTree, emptyTree, memoryTree, type ComposeItem, type ContentPlace, type MemoryFile } from './compose.ts';
export { baseOf, joinPath, parentOf, resolvePath, type Lookup, type Resolved } from './safe-path.ts';
export { linkTo, viewTree, type TreeView, type ViewNode } from './tree-view.ts';
export { unionOf } from './union.ts';
export { changesBetween } from './changes.ts';
export { contentDigest, selectionContent, type SelectedPath, type Selection } from './content-digest.ts';
export { extractTree, type Extracted } from './extract.ts';
export { findPaths, pick, type Found, type Picked } from './select.ts';
export { closeCodecs } from './codec-pool.ts';
export { GZIP, layerMediaType, NONE, ZSTD } from './codec.ts';
export { writeLayer, type LayerOptions } from './layer-writer.ts';
export { LIFECYCLE_TIME } from './layer-entries.ts';
export { openLayer } from './toc.ts';
export { withoutPaths } from './without-paths.ts';
export { changedEntries, whiteoutOf, type NodeChange } from './changes.ts';
export { archiveTree } from './archive-tree.ts';
export { zipTree } from './zip-tree.ts';
export { compressLayer } from './compress-layer.ts';
export { compressionOf, decompressed } from './decompress.ts';
export { importLayer } from './import-layer.ts';
export type { Names } from './select.ts';
export { packFiles, type PackOptions } from './pack-files.ts';
export { openRoot, statRooted, type RootedStat } from './rooted-files.ts';
export { unpackFiles, type UnpackOptions } from './unpack-files.ts';
