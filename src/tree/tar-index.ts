import { comparePaths, inOrder } from './compare-entries.ts';
import type { Entry } from './entry.ts';
import { treeError } from './errors.ts';
import type { Extent, TarMember } from './tar-member.ts';

/** Where the content of a file lies in an archive: its offset, or for a sparse file also its extents. */
export type Place = number | { readonly at: number; readonly extents: readonly Extent[] };

/** The entries of an archive in canonical order, and where the content of each `file` lies. */
export interface TarIndex {
  readonly entries: readonly Entry[];
  readonly places: { get(path: string): Place | undefined };
}

/** A name in the archive; several may mean the same inode, the member that first made it. */
interface Node {
  readonly path: string;
  readonly member: TarMember;
  /** Of another name of an inode: the node that made it. */
  readonly source: Node | undefined;
}

const WHITEOUT = '.wh.';
const OPAQUE = '.wh..wh..opq';
const SYMLINK_LIMIT = 40;

/**
 * Brings the members of an archive into the form of a tree, as if they were unpacked one after the other: names without leading "./" or "/", the last of several wins, links of one
 * inode led by the first in canonical order, members below a symlink of the same archive put where it leads. With `layer`, whiteouts are recognised and AUFS's other `.wh..wh.` files left out (image-spec layer.md).
 * A hard link to what the archive does not have stays as it is. Throws `PATH_TRAVERSAL` for a ".." that leads out (in a layer: any), `TAR_CORRUPT`.
 */
export class TarIndexer {
  readonly #what: string;
  readonly #layer: boolean;
  readonly #nodes = new Map<string, Node>();
  readonly #whiteouts = new Map<string, TarMember>();
  readonly #opaques = new Map<string, TarMember>();
  /** Folders that have content and no member. */
  readonly #implied = new Set<string>();
  /** A folder that is known to be one, or to be implied. */
  #sureFolder = '';
  #linked = false;

  constructor(what: string, o: { layer: boolean }) {
    this.#what = what;
    this.#layer = o.layer;
  }

  add(member: TarMember): void {
    let path = this.#normal(member.path, member);
    const slash = path.lastIndexOf('/');
    if (this.#layer) {
      if (path.includes('.wh..wh.') && path.split('/').some((part) => part.startsWith('.wh..wh.') && part !== OPAQUE))
        return;
      if (path.startsWith(WHITEOUT, slash + 1)) {
        this.#whiteout(path, slash, member);
        return;
      }
    }
    if (slash > 0) {
      const folder = path.slice(0, slash);
      if (folder !== this.#sureFolder) {
        const real = this.#folder(folder, member);
        if (real === folder) this.#sureFolder = folder;
        else path = real === '' ? path.slice(slash + 1) : real + path.slice(slash);
      }
    }
    if (path === '' && member.type !== 'directory') throw this.#corrupt(member, 'it has the name of the root');
    const before = this.#nodes.get(path);
    if (member.type !== 'directory') {
      if (before?.member.type === 'directory' || this.#implied.has(path)) this.#removeBelow(path);
      if (member.type === 'hardlink') {
        this.#hardlink(path, member);
        return;
      }
    }
    this.#nodes.set(path, { path, member, source: undefined });
    if (this.#implied.size > 0) this.#implied.delete(path);
  }

  finish(): TarIndex {
    const entries: Entry[] = [];
    const places = new Map<string, Place>();
    const groups = new Map<Node, Node[]>();
    const put = (path: string, member: TarMember): void => {
      entries.push(entryOf(path, member));
      if (member.type === 'file')
        places.set(path, member.sparse ? { at: member.at, extents: member.sparse } : member.at);
    };
    if (this.#linked)
      for (const node of this.#nodes.values())
        if (node.source) {
          const group = groups.get(node.source);
          if (group) group.push(node);
          else
            groups.set(node.source, this.#nodes.get(node.source.path) === node.source ? [node.source, node] : [node]);
        }
    for (const node of this.#nodes.values()) if (!node.source && !groups.has(node)) put(node.path, node.member);
    for (const [source, names] of groups) {
      names.sort((a, b) => comparePaths(a.path, b.path));
      const leader = names[0]!;
      put(leader.path, source.member);
      for (const { path, member, source: other } of names.slice(1)) {
        const metadata = leader === source && other ? member : source.member;
        entries.push({ ...entryOf(path, { ...metadata, type: 'hardlink', link: leader.path }), size: 0 });
      }
    }
    for (const [path, member] of this.#whiteouts) entries.push({ ...bare(path, member), type: 'whiteout' });
    for (const [path, member] of this.#opaques) entries.push({ ...bare(path, member), type: 'opaque' });
    return { entries: inOrder(entries), places };
  }

  #corrupt(member: TarMember, detail: string): Error {
    return treeError('TAR_CORRUPT', `${this.#what}: entry "${member.path}": ${detail}`, {
      remedy: 'Make or fetch the archive again.',
    });
  }

  /** The path in the form of `Entry.path`. */
  #normal(raw: string, member: TarMember): string {
    let start = raw.startsWith('./') ? 2 : raw.startsWith('/') ? 1 : 0;
    let end = raw.length;
    if (raw === '.') start = 1;
    if (end > start && raw.endsWith('/')) end -= 1;
    const path = start === 0 && end === raw.length ? raw : raw.slice(start, end);
    return path !== '' && ODD.test(path) ? this.#clean(path, member) : path;
  }

  #clean(path: string, member: TarMember): string {
    const parts: string[] = [];
    for (const part of path.split('/')) {
      if (part === '' || part === '.') continue;
      if (part !== '..') parts.push(part);
      else if (this.#layer || parts.pop() === undefined)
        throw treeError(
          'PATH_TRAVERSAL',
          `${this.#what}: ${this.#layer ? 'layer path traversal' : 'path traversal'}: entry "${member.path}"${member.link === '' ? '' : ` (link to "${member.link}")`} leads outside by ".."`,
          { remedy: 'Do not use this archive unless you know who made it, and why.' },
        );
    }
    return parts.join('/');
  }

  /** The real path of a folder that members are in: what is a symlink in this archive is followed, inside the root. */
  #folder(path: string, member: TarMember): string {
    const node = this.#nodes.get(path);
    if (node?.member.type === 'directory') return path;
    if (!node && this.#implied.has(path)) return path;
    let real = '';
    const parts = path.split('/');
    let hops = 0;
    while (parts.length > 0) {
      const part = parts.shift()!;
      if (part === '' || part === '.') continue;
      if (part === '..') {
        real = real.includes('/') ? real.slice(0, real.lastIndexOf('/')) : '';
        continue;
      }
      const next = real === '' ? part : `${real}/${part}`;
      const made = this.#nodes.get(next);
      const { type, link } = (made?.source ?? made)?.member ?? { type: 'directory', link: '' };
      if (type === 'symlink') {
        if (++hops > SYMLINK_LIMIT) throw this.#corrupt(member, `too many symbolic links on the way, at "${next}"`);
        if (link.startsWith('/')) real = '';
        parts.unshift(...link.split('/'));
        continue;
      }
      if (type !== 'directory') throw this.#corrupt(member, `"${next}" is not a folder`);
      if (!made) this.#implied.add(next);
      real = next;
    }
    return real;
  }

  #whiteout(path: string, slash: number, member: TarMember): void {
    const folder = slash < 0 ? '' : this.#folder(path.slice(0, slash), member);
    const name = path.slice(slash + 1);
    if (name === OPAQUE) {
      this.#opaques.set(folder, member);
      return;
    }
    const hidden = name.slice(WHITEOUT.length);
    if (hidden === '' || hidden === '.' || hidden === '..')
      throw treeError(
        'PATH_TRAVERSAL',
        `${this.#what}: layer path traversal: whiteout "${member.path}" names no file`,
        {
          remedy: 'Do not use this archive unless you know who made it, and why.',
        },
      );
    this.#whiteouts.set(folder === '' ? hidden : `${folder}/${hidden}`, member);
  }

  #hardlink(path: string, member: TarMember): void {
    this.#linked = true;
    let target = this.#normal(member.link, member);
    const slash = target.lastIndexOf('/');
    if (slash > 0) {
      const folder = this.#nodes.get(target)
        ? target.slice(0, slash)
        : this.#folderOrSelf(target.slice(0, slash), member);
      target = folder === '' ? target.slice(slash + 1) : folder + target.slice(slash);
    }
    if (target === '') throw this.#corrupt(member, 'it is a hard link to the root');
    const made = this.#nodes.get(target);
    if (target === path) {
      if (!made) throw this.#corrupt(member, 'it is a hard link to itself');
      return;
    }
    if (made?.member.type === 'directory') throw this.#corrupt(member, `it is a hard link to the folder "${target}"`);
    const lost = made === undefined || (made.member.type === 'hardlink' && made.source === undefined);
    this.#nodes.set(
      path,
      lost
        ? { path, member: { ...member, link: made === undefined ? target : made.member.link }, source: undefined }
        : { path, member, source: made.source ?? made },
    );
  }

  /** A hard link's folder may lie in a lower layer: then nothing of it is known here. */
  #folderOrSelf(folder: string, member: TarMember): string {
    const known = this.#implied.size;
    const real = this.#folder(folder, member);
    if (this.#implied.size > known) {
      const parts = real.split('/');
      while (parts.length > 0 && this.#implied.size > known) {
        this.#implied.delete(parts.join('/'));
        parts.pop();
      }
    }
    return real;
  }

  #removeBelow(path: string): void {
    const prefix = `${path}/`;
    for (const key of this.#nodes.keys()) if (key.startsWith(prefix)) this.#nodes.delete(key);
    for (const key of this.#whiteouts.keys()) if (key.startsWith(prefix)) this.#whiteouts.delete(key);
    for (const key of this.#opaques.keys()) if (key === path || key.startsWith(prefix)) this.#opaques.delete(key);
    for (const key of this.#implied) if (key === path || key.startsWith(prefix)) this.#implied.delete(key);
    this.#sureFolder = '';
  }
}

/** An empty, "." or ".." part. */
const ODD = /(?:^|\/)\.{0,2}(?:\/|$)/;

function entryOf(path: string, member: TarMember): Entry {
  const { type, mode, uid, gid, size, mtime, mtimeNs, link, major, minor, xattrs } = member;
  if (type === 'file' || type === 'directory')
    return xattrs
      ? { path, type, mode, uid, gid, size, mtime, mtimeNs, xattrs }
      : { path, type, mode, uid, gid, size, mtime, mtimeNs };
  return {
    path,
    type,
    mode,
    uid,
    gid,
    size,
    mtime,
    mtimeNs,
    ...(type === 'symlink' || type === 'hardlink' ? { link } : {}),
    ...(type === 'character' || type === 'block' ? { device: { major, minor } } : {}),
    ...(xattrs ? { xattrs } : {}),
  };
}

function bare(path: string, { mode, uid, gid, mtime, mtimeNs }: TarMember): Omit<Entry, 'type'> {
  return { path, mode, uid, gid, size: 0, mtime, mtimeNs };
}
