import { composeTree, type ComposeItem, type Entry, type FileTree } from '../tree/index.ts';
import type { Deb } from './deb.ts';
import { packagesError } from './errors.ts';
import { parseRelations } from './relation.ts';
import { satisfiesVersion } from './version.ts';

/** A tree that is being put together: entries by path, and what the files hold. */
export interface Draft {
  readonly entries: Map<string, Entry>;
  readonly contents: Map<string, NonNullable<ComposeItem['from']>>;
}

export function treeOf(draft: Draft): FileTree {
  return composeTree([...draft.entries.values()].map((entry) => ({ entry, from: draft.contents.get(entry.path) })));
}

/** Which packages' files a path of a package ended up at, and whose it is in the end. */
export interface Unpacked extends Draft {
  /** Path in the tree -> the package whose file it is, and how that package calls it. */
  readonly owners: ReadonlyMap<string, Owner>;
  /** Paths as the package names them, which another package took over because it replaces this one. By package name. */
  readonly lost: ReadonlyMap<string, ReadonlySet<string>>;
}

export interface Owner {
  readonly name: string;
  readonly path: string;
}

const LINK_DEPTH = 40;

/**
 * The files of packages unpacked over each other, in this order, as dpkg would: a folder that is there stays as it is, a link to a folder is followed, a file that two packages have
 * belongs to the one that replaces the other. `links` are symbolic links to folders, both there before anything is. Throws `PACKAGE_CONFLICT`.
 */
export function unpackPackages(
  packages: readonly { readonly name: string; readonly deb: Deb }[],
  o: { links: readonly { readonly path: string; readonly target: string }[]; epoch: number },
): Unpacked {
  const entries = new Map<string, Entry>();
  const contents: Draft['contents'] = new Map();
  const owners = new Map<string, Owner>();
  const lost = new Map<string, Set<string>>();
  const byName = new Map(packages.map(({ name, deb }) => [name, deb]));
  const links = new Map(o.links.map(({ path, target }) => [path, target]));
  for (const { deb } of packages)
    for (const { type, path, link } of deb.entries)
      if (type === 'symlink' && !links.has(path)) links.set(path, link ?? '');
  const place = placer(links);
  for (const { path, target } of o.links) {
    entries.set(path, symlinkEntry(path, target, o.epoch));
    entries.set(target, directoryEntry(target, 0o755, o.epoch));
  }
  for (const { name, deb } of packages) {
    for (const entry of deb.entries) {
      const path = place(entry.path);
      const before = entries.get(path);
      if (entry.type === 'directory') {
        if (before === undefined) entries.set(path, { ...entry, path });
        else if (before.type !== 'directory' && before.type !== 'symlink')
          throw clash(path, owners.get(path)?.name, name);
        continue;
      }
      if (before?.type === 'directory' && entry.type === 'symlink') continue;
      const other = owners.get(path);
      if (before !== undefined && other !== undefined && other.name !== name) {
        const winner = ownerOf(path, { name, deb }, { name: other.name, deb: byName.get(other.name) as Deb });
        const loser = winner === name ? other : { name, path: entry.path };
        lost.set(loser.name, (lost.get(loser.name) ?? new Set()).add(loser.path));
        if (winner !== name) continue;
      }
      const link = entry.type === 'hardlink' ? place(entry.link ?? '') : entry.link;
      entries.set(path, { ...entry, path, ...(link === undefined ? {} : { link }) });
      owners.set(path, { name, path: entry.path });
      contents.delete(path);
      if (entry.type === 'file' && entry.size > 0) contents.set(path, { tree: deb.data, entry });
    }
  }
  addParents(entries, o.epoch);
  return { entries, contents, owners, lost };
}

/** Where a path really lies when the links among its folders are followed inside the root, as the kernel would. */
function placer(links: ReadonlyMap<string, string>): (path: string) => string {
  const folders = new Map<string, string>([['', '']]);
  const folder = (path: string, depth: number): string => {
    const known = folders.get(path);
    if (known !== undefined) return known;
    const parent = folder(parentOf(path), depth);
    const here = parent === '' ? baseOf(path) : `${parent}/${baseOf(path)}`;
    const target = links.get(here);
    const real = target === undefined || depth > LINK_DEPTH ? here : folder(joined(parent, target), depth + 1);
    folders.set(path, real);
    return real;
  };
  return (path) => {
    if (path === '') return '';
    const parent = folder(parentOf(path), 0);
    return parent === '' ? baseOf(path) : `${parent}/${baseOf(path)}`;
  };
}

/** The path that a link's target means, from the folder the link is in. */
function joined(folder: string, target: string): string {
  const parts = target.startsWith('/') ? [] : folder.split('/').filter((part) => part !== '');
  for (const part of target.split('/')) {
    if (part === '..') parts.pop();
    else if (part !== '' && part !== '.') parts.push(part);
  }
  return parts.join('/');
}

function ownerOf(path: string, a: { name: string; deb: Deb }, b: { name: string; deb: Deb }): string {
  if (replaces(a.deb, b)) return a.name;
  if (replaces(b.deb, a)) return b.name;
  throw clash(path, b.name, a.name);
}

function replaces(deb: Deb, other: { name: string; deb: Deb }): boolean {
  const version = other.deb.control.get('version') ?? '';
  return parseRelations(deb.control.get('replaces')).some(
    ([relation]) =>
      relation?.name === other.name &&
      (!relation.version || satisfiesVersion(version, relation.version.relation, relation.version.version)),
  );
}

function clash(path: string, a: string | undefined, b: string): Error {
  return packagesError(
    'PACKAGE_CONFLICT',
    `unpack "/${path}": the packages "${a ?? 'unknown'}" and "${b}" both have it`,
  );
}

/** Folders that no package has, as dpkg makes them. */
function addParents(entries: Map<string, Entry>, epoch: number): void {
  for (const path of [...entries.keys(), 'x'])
    for (let parent = parentOf(path); !entries.has(parent); parent = parentOf(parent))
      entries.set(parent, directoryEntry(parent, 0o755, epoch));
}

export function directoryEntry(
  path: string,
  mode: number,
  mtime: number,
  o: { uid?: number; gid?: number } = {},
): Entry {
  return { path, type: 'directory', mode, uid: o.uid ?? 0, gid: o.gid ?? 0, size: 0, mtime, mtimeNs: 0 };
}

export function symlinkEntry(path: string, target: string, mtime: number): Entry {
  return { path, type: 'symlink', mode: 0o777, uid: 0, gid: 0, size: 0, mtime, mtimeNs: 0, link: target };
}

export function parentOf(path: string): string {
  const slash = path.lastIndexOf('/');
  return slash < 0 ? '' : path.slice(0, slash);
}

function baseOf(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}

/** Puts a file into a draft, with the folders above it. */
export function putFile(
  draft: Draft,
  path: string,
  o: { content: string | Uint8Array; mode?: number | undefined; gid?: number | undefined; mtime: number },
): void {
  const content = typeof o.content === 'string' ? Buffer.from(o.content) : o.content;
  draft.entries.set(path, {
    path,
    type: 'file',
    mode: o.mode ?? 0o644,
    uid: 0,
    gid: o.gid ?? 0,
    size: content.length,
    mtime: o.mtime,
    mtimeNs: 0,
  });
  draft.contents.delete(path);
  if (content.length > 0) draft.contents.set(path, { content });
  putParents(draft, path, o.mtime);
}

export function putSymlink(draft: Draft, path: string, o: { target: string; mtime: number }): void {
  draft.entries.set(path, symlinkEntry(path, o.target, o.mtime));
  draft.contents.delete(path);
  putParents(draft, path, o.mtime);
}

/** A folder that is there already keeps what it is. */
export function putDirectory(draft: Draft, path: string, o: { mode?: number; gid?: number; mtime: number }): void {
  if (draft.entries.get(path)?.type === 'directory') return;
  draft.entries.set(path, directoryEntry(path, o.mode ?? 0o755, o.mtime, { gid: o.gid ?? 0 }));
  putParents(draft, path, o.mtime);
}

function putParents(draft: Draft, path: string, mtime: number): void {
  for (let parent = parentOf(path); parent !== '' && !draft.entries.has(parent); parent = parentOf(parent))
    draft.entries.set(parent, directoryEntry(parent, 0o755, mtime));
}
