import { createHash } from 'node:crypto';
import { throwIfCancelled, type Wait } from '../base/index.ts';
import type { Digest } from '../blob/index.ts';
import { missingPath } from './absence.ts';
import { digestsOf } from './compose.ts';
import type { Entry } from './entry.ts';
import { cleanPath, hasWildcards } from './go-match.ts';
import { encodePath } from './path-text.ts';
import { findPaths, pick } from './select.ts';
import type { TreeView, ViewNode } from './tree-view.ts';

/** Which part of a tree a step reads. Canonical data: part of a step's key. */
export type Selection = {
  /** From the root; with `wildcard`, each may hold patterns of Go's path.Match. */
  readonly paths: readonly string[];
  readonly wildcard?: boolean | undefined;
  /** Patterns about paths relative to each of `paths`. */
  readonly include?: readonly string[] | undefined;
  readonly exclude?: readonly string[] | undefined;
  /** A link at a path is followed; what lies in folders is not. */
  readonly follow?: boolean | undefined;
  /** Paths relative to `paths` of which each must be among what is picked, or have something below it that is. */
  readonly required?: readonly string[] | undefined;
};

/**
 * A digest of what a selection comes to: names relative to each path (of a path without wildcard its own name is not part of it), types, modes, owners, link targets, devices, extended attributes, contents, and which
 * names are one file; no times (BuildKit's contenthash, in our own encoding). A missing path throws `PATH_NOT_FOUND`; a wildcard that matches nothing does not.
 */
export async function contentDigest(view: TreeView, selection: Selection, w?: Wait): Promise<Digest> {
  return (await selectionContent(view, selection, w)).digest;
}

/** One path of what a selection comes to, from the root of the tree: the digest of a file, and in words what else counts (`file 0644 5:5`, `symlink -> b`). */
export interface SelectedPath {
  readonly path: string;
  readonly digest?: Digest | undefined;
  readonly about: string;
}

/** `contentDigest`, and the paths that it was made of, in canonical order. */
export async function selectionContent(
  view: TreeView,
  selection: Selection,
  w?: Wait,
): Promise<{ readonly digest: Digest; paths: () => Iterable<SelectedPath> }> {
  const picked: { name: string; node: ViewNode }[] = [];
  selection.paths.forEach((path, i) => {
    const found = findPaths(view, path, { wildcard: selection.wildcard === true, follow: selection.follow === true });
    const plain = selection.wildcard !== true || !hasWildcards(path);
    const missing = new Set(selection.required);
    for (const { path: at, node } of found) {
      const prefix = plain ? `${i}` : `${i}/${at}`;
      for (const { node: below, path: relative } of pick(view, node, selection)) {
        picked.push({ name: relative === '' ? prefix : `${prefix}/${relative}`, node: below });
        if (missing.size > 0) for (const path of missing) if (isAt(relative, path)) missing.delete(path);
      }
    }
    for (const below of missing) {
      const at = cleanPath(`/${path}/${below}`);
      throw missingPath(at, view.absence?.(at));
    }
  });
  throwIfCancelled(w);
  const files = picked.filter(({ node }) => node.entry.type === 'file');
  const digests = await digestsOf(
    files.map(({ node }) => node.from),
    w,
  );
  const contents = new Map(files.map(({ node }, i) => [node, digests[i]!]));
  return { digest: digestNames(picked, contents), paths: () => pathsOf(picked, contents) };
}

function* pathsOf(
  picked: readonly { node: ViewNode }[],
  contents: ReadonlyMap<ViewNode, Digest>,
): Iterable<SelectedPath> {
  const names = new Map<object, string>();
  const known: About = { mode: -1, text: '' };
  for (const { node } of picked) {
    const { entry } = node;
    const path = node.path === '' ? '/' : node.path;
    const first = entry.type === 'file' ? names.get(node.inode) : undefined;
    if (entry.type === 'file' && first === undefined) names.set(node.inode, path);
    const same = first === undefined || first === path ? '' : `, the same as ${first}`;
    yield { path, digest: contents.get(node), about: aboutOf(entry, known) + same };
  }
}

/** What is said of an ordinary file of a mode: most files of a tree have the same. */
interface About {
  mode: number;
  text: string;
}

function aboutOf(entry: Entry, known: About): string {
  const { type, mode, uid, gid, link, device, xattrs } = entry;
  const isOrdinary = type === 'file' && uid === 0 && gid === 0 && !xattrs;
  if (isOrdinary && mode === known.mode) return known.text;
  let text: string = type;
  if (type !== 'symlink') text += ` ${mode.toString(8).padStart(4, '0')}`;
  if (uid !== 0 || gid !== 0) text += ` ${uid}:${gid}`;
  if (type === 'symlink' && link !== undefined) text += ` -> ${link}`;
  if (device) text += ` ${device.major}:${device.minor}`;
  if (xattrs) text += ` xattrs ${hashOf(xattrsText(xattrs))}`;
  if (isOrdinary) Object.assign(known, { mode, text });
  return text;
}

/** Enough to see that it is another one. */
function hashOf(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 12);
}

function digestNames(
  picked: readonly { name: string; node: ViewNode }[],
  contents: ReadonlyMap<ViewNode, Digest>,
): Digest {
  const hash = createHash('sha256');
  const names = new Map<object, string>();
  let text = '';
  for (const { name, node } of picked) {
    const { entry } = node;
    text += `${name}\0${entry.type}\0${entry.type === 'symlink' ? '' : entry.mode.toString(8)}\0${entry.uid}\0${entry.gid}\0`;
    if (entry.type === 'file') {
      const first = names.get(node.inode);
      if (first === undefined) names.set(node.inode, name);
      text += first === undefined ? `${contents.get(node)}\0` : `=${first}\0`;
    } else if (entry.link !== undefined) text += `${entry.link}\0`;
    else if (entry.device) text += `${entry.device.major}:${entry.device.minor}\0`;
    if (entry.xattrs) text += xattrsText(entry.xattrs);
    text += '\0';
    if (text.length < 1 << 16) continue;
    hash.update(text.isWellFormed() ? text : encodePath(text));
    text = '';
  }
  hash.update(text.isWellFormed() ? text : encodePath(text));
  return `sha256:${hash.digest('hex')}`;
}

function xattrsText(xattrs: NonNullable<Entry['xattrs']>): string {
  const sorted = [...xattrs].sort(([a], [b]) => (a < b ? -1 : 1));
  return sorted.map(([name, value]) => `${name}=${Buffer.from(value).toString('hex')}\0`).join('');
}

function isAt(path: string, required: string): boolean {
  return path === required || path.startsWith(`${required}/`);
}
