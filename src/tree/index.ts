export { compareEntries, comparePaths } from './compare-entries.ts';
export type { Entry, EntryType } from './entry.ts';
export { treeError } from './errors.ts';
export type { FileFilter, FileRegion, FileSource, FileTree, Mount } from './file-tree.ts';
export type { Codec, Dialect, WrittenLayer } from './layer.ts';
export { decodePath, encodePath, fsPath } from './path-text.ts';
export { checkGoPattern, cleanPath, goMatch, hasWildcards } from './go-match.ts';
export { PatternMatcher, readIgnoreFile, type MatchState } from './ignore.ts';
export { tarFileTree } from './tar-tree.ts';
