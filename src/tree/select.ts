import { hasCode } from '../base/index.ts';
import { missingPath } from './absence.ts';
import { cleanPath, goMatch, hasWildcards } from './go-match.ts';
import { PatternMatcher, type MatchState } from './ignore.ts';
import { joinPath } from './safe-path.ts';
import type { TreeView, ViewNode } from './tree-view.ts';

/** What looking for paths needs of a view. */
export type Names = Pick<TreeView, 'stat' | 'lstat' | 'list' | 'walk' | 'absence'>;

/** One path of a selection, found. */
export interface Found {
  /** As it was asked for, or as the wildcard matched it; no leading "/". */
  readonly path: string;
  readonly node: ViewNode;
}

/**
 * What a path of a COPY or of a selection comes to in a view. With `wildcard` each part may be a pattern of Go's path.Match (links in the parts before the first pattern are followed, below it not); no match
 * is no error. Without, or where there is no pattern in it, the path must be there: throws `PATH_NOT_FOUND`. `follow`: a link that is itself named or matched is followed.
 */
export function findPaths(view: Names, path: string, o: { wildcard?: boolean; follow?: boolean } = {}): Found[] {
  const parts = cleanPath(`/${path}`).slice(1).split('/');
  const first = o.wildcard === true ? parts.findIndex((part) => hasWildcards(part)) : -1;
  if (first < 0) return [{ path: parts.join('/'), node: found(view, path, o) }];
  const folder = parts.slice(0, first).join('/');
  const root = view.stat(folder);
  if (root?.entry.type !== 'directory') return [];
  const patterns = parts.slice(first);
  const out: Found[] = [];
  for (const below of matching(view, root, patterns)) {
    const name = joinPath(folder, below);
    out.push({ path: name, node: found(view, name, o) });
  }
  return out;
}

function found(view: Names, path: string, o: { follow?: boolean }): ViewNode {
  let node: ViewNode | undefined;
  try {
    node = o.follow === true ? view.stat(path) : view.lstat(path);
  } catch (error) {
    // A link to "/etc" of that name leads back to itself in a build context, and out of it as a person sees it.
    if (!hasCode(error, 'LINK_LOOP') || view.absence?.(path)?.detail === undefined) throw error;
  }
  if (node) return node;
  throw missingPath(path, view.absence?.(path));
}

/** Paths below a folder, relative to it, that the patterns match, in canonical order. */
function* matching(view: Names, root: ViewNode, patterns: readonly string[]): Iterable<string> {
  // A negated class may match "/", so that the parts cannot be told apart.
  if (patterns.some((pattern) => pattern.includes('[^'))) {
    const whole = patterns.join('/');
    const start = root.path === '' ? 0 : root.path.length + 1;
    let skip: string | undefined;
    for (const node of view.walk(root.path)) {
      const path = node.path.slice(start);
      if (path === '' || (skip !== undefined && path.startsWith(skip)) || !goMatch(whole, path)) continue;
      skip = `${path}/`;
      yield path;
    }
    return;
  }
  const [pattern, ...rest] = patterns;
  for (const node of view.list(root.path)) {
    const name = node.path.slice(root.path === '' ? 0 : root.path.length + 1);
    if (!goMatch(pattern!, name)) continue;
    if (rest.length === 0) yield name;
    else if (node.entry.type === 'directory') for (const below of matching(view, node, rest)) yield `${name}/${below}`;
  }
}

export interface Picked {
  readonly node: ViewNode;
  /** Relative to the root of the walk; "" is that itself. */
  readonly path: string;
  /** False for a folder that only leads to something picked. */
  readonly matched: boolean;
}

/**
 * A node and all below it that the patterns pick, in canonical order, by the rules of fsutil's copy: the node itself always, then what matches `include` (with the folders that lead there) and not
 * `exclude`. Patterns are about paths relative to the node. Throws `PATTERN_INVALID`.
 */
export function* pick(
  view: Names,
  root: ViewNode,
  o: { include?: readonly string[] | undefined; exclude?: readonly string[] | undefined } = {},
): Iterable<Picked> {
  yield { node: root, path: '', matched: true };
  if (root.entry.type !== 'directory') return;
  const include = o.include && o.include.length > 0 ? new PatternMatcher(o.include) : undefined;
  const exclude = o.exclude && o.exclude.length > 0 ? new PatternMatcher(o.exclude) : undefined;
  const start = root.path === '' ? 0 : root.path.length + 1;

  function* below(
    folder: ViewNode,
    pending: Picked[],
    inn: MatchState | undefined,
    out: MatchState | undefined,
  ): Iterable<Picked> {
    for (const node of view.list(folder.path)) {
      const path = node.path.slice(start);
      const isFolder = node.entry.type === 'directory';
      let matched = true;
      let enter = isFolder;
      let innHere: MatchState | undefined;
      let outHere: MatchState | undefined;
      if (include && inn) {
        const state = include.start();
        const hit = include.step(path, inn, state);
        if (isFolder && include.mayDifferBelow(path, hit)) innHere = state;
        matched = hit;
        enter &&= hit || innHere !== undefined;
      }
      if (exclude && out) {
        const state = exclude.start();
        const hit = exclude.step(path, out, state);
        if (isFolder && exclude.mayDifferBelow(path, hit)) outHere = state;
        matched &&= !hit;
        enter &&= !hit || outHere !== undefined;
      }
      if (matched) {
        yield* pending.splice(0);
        yield { node, path, matched: true };
      }
      if (!enter) continue;
      if (!matched) pending.push({ node, path, matched: false });
      yield* below(node, pending, innHere, outHere);
      if (!matched && pending.at(-1)?.node === node) pending.pop();
    }
  }
  yield* below(root, [], include?.start(), exclude?.start());
}
