import { snapshotError } from './errors.ts';
import { below, nameOf, parentOf } from './files.ts';
import { makeIfFree } from './unpack-root.ts';
import type { Entry, EntryType } from '../tree/index.ts';

/** A file of a tree in memory; several paths may lead to the same one. */
export interface MemoryFile {
  type: Exclude<EntryType, 'hardlink' | 'whiteout' | 'opaque'>;
  mode: number;
  uid: number;
  gid: number;
  /** Nanoseconds since the epoch. */
  mtime: bigint;
  content: Uint8Array;
  link?: string | undefined;
  device?: { readonly major: number; readonly minor: number } | undefined;
  xattrs: Map<string, Uint8Array>;
}

const FOLDER: MemoryFile = {
  type: 'directory',
  mode: 0o755,
  uid: 0,
  gid: 0,
  mtime: 0n,
  content: new Uint8Array(),
  xattrs: new Map(),
};

/** A whole root in memory, for tests: what a step would see and change. Paths as in `Entry`. */
export class MemoryTree {
  readonly files: Map<string, MemoryFile>;
  readonly readonly: boolean;

  constructor(files?: ReadonlyMap<string, MemoryFile>, o: { readonly?: boolean } = {}) {
    this.readonly = o.readonly ?? false;
    const copies = new Map<MemoryFile, MemoryFile>();
    this.files = new Map([['', newFolder()]]);
    for (const [path, file] of files ?? []) {
      const copy = copies.get(file) ?? { ...file, xattrs: new Map(file.xattrs) };
      copies.set(file, copy);
      this.files.set(path, copy);
    }
  }

  get(path: string): MemoryFile | undefined {
    return this.files.get(path);
  }

  /** Puts a file at a path in place of what is there; its folder must exist. */
  put(path: string, file: MemoryFile): void {
    this.#checkWritable(path);
    if (this.files.get(parentOf(path))?.type !== 'directory') throw errno('ENOENT', path);
    if (path !== '') this.#delete(path);
    this.files.set(path, file);
  }

  /** Writes a file's content, made (0644, root) where it is missing. */
  write(path: string, content: string | Uint8Array): void {
    this.#checkWritable(path);
    const file = this.files.get(path);
    const bytes = Buffer.from(content);
    if (file) file.content = bytes;
    else this.put(path, { ...FOLDER, type: 'file', mode: 0o644, content: bytes, xattrs: new Map() });
  }

  mkdir(path: string, mode = 0o755): void {
    if (this.files.has(path)) throw errno('EEXIST', path);
    this.put(path, { ...newFolder(), mode });
  }

  remove(path: string): void {
    this.#checkWritable(path);
    if (!this.files.has(path)) throw errno('ENOENT', path);
    this.#delete(path);
  }

  /** Moves a path and all below it. */
  rename(from: string, to: string): void {
    const moved = [...this.files].filter(([path]) => path === from || path.startsWith(`${from}/`));
    if (moved.length === 0) throw errno('ENOENT', from);
    this.remove(from);
    for (const [path, file] of moved) this.put(to + path.slice(from.length), file);
  }

  /** The names in a folder. */
  names(folder: string): string[] {
    const prefix = folder === '' ? '' : `${folder}/`;
    const names: string[] = [];
    for (const path of this.files.keys())
      if (path !== '' && path.startsWith(prefix) && !path.includes('/', prefix.length))
        names.push(path.slice(prefix.length));
    return names;
  }

  /** Places a layer's entry as unpacking does (see `unpack`), on what is here before it. `own`: paths that this layer has put. */
  apply(entry: Entry, content: Uint8Array, own: Set<string>): void {
    if (entry.type === 'whiteout') {
      const folder = this.#resolve(parentOf(entry.path), { make: false });
      if (folder !== undefined) this.#hide(below(folder, nameOf(entry.path)), own);
      else makeIfFree(() => this.#resolve(parentOf(entry.path), { make: true }));
      return;
    }
    if (entry.type === 'opaque') {
      const folder = this.#resolve(entry.path, { make: true }) ?? '';
      for (const name of this.names(folder)) this.#hide(below(folder, name), own);
      return;
    }
    const path =
      entry.path === '' ? '' : below(this.#resolve(parentOf(entry.path), { make: true }) ?? '', nameOf(entry.path));
    const old = this.files.get(path);
    const merges = entry.type === 'directory' && old?.type === 'directory';
    if (entry.type === 'hardlink') {
      const link = entry.link ?? '';
      const folder = this.#resolve(parentOf(link), { make: false });
      const target = folder === undefined ? undefined : this.files.get(below(folder, nameOf(link)));
      if (!target || target.type === 'directory')
        throw snapshotError('LAYER_INVALID', `unpack "${entry.path}": hard link to "${link}", which is no file`);
      this.#delete(path);
      this.files.set(path, target);
    } else {
      if (!merges) this.#delete(path);
      this.files.set(path, fileOf(entry, entry.type, content));
    }
    own.add(path);
  }

  #resolve(path: string, o: { make: boolean }, links = { left: 255 }): string | undefined {
    let at = '';
    for (const part of path === '' ? [] : path.split('/')) {
      if (part === '' || part === '.') continue;
      if (part === '..') {
        at = parentOf(at);
        continue;
      }
      const next = below(at, part);
      const file = this.files.get(next);
      if (file?.type === 'symlink') {
        if (links.left-- === 0) throw snapshotError('LAYER_UNSAFE', `unpack "${path}": too many links`);
        const target = file.link ?? '';
        const to = this.#resolve(target.startsWith('/') ? target : `${at}/${target}`, o, links);
        if (to === undefined) return undefined;
        at = to;
      } else if (file && file.type !== 'directory') {
        if (!o.make) return undefined;
        throw snapshotError('LAYER_INVALID', `unpack "${path}": "${next}" is not a folder`);
      } else {
        if (!file && !o.make) return undefined;
        if (!file) this.files.set(next, newFolder());
        at = next;
      }
    }
    return at;
  }

  /** Removes what a layer has not itself put at a path or below it. */
  #hide(path: string, own: ReadonlySet<string>): void {
    const kept = own.has(path) || [...own].some((other) => other.startsWith(`${path}/`));
    if (!kept) this.#delete(path);
    else for (const name of this.names(path)) this.#hide(below(path, name), own);
  }

  #delete(path: string): void {
    if (path === '') return;
    this.files.delete(path);
    for (const other of this.files.keys()) if (other.startsWith(`${path}/`)) this.files.delete(other);
  }

  #checkWritable(path: string): void {
    if (this.readonly) throw errno('EROFS', path);
  }
}

function newFolder(): MemoryFile {
  return { ...FOLDER, xattrs: new Map() };
}

function fileOf(entry: Entry, type: MemoryFile['type'], content: Uint8Array): MemoryFile {
  const xattrs = [...(entry.xattrs ?? [])].filter(([name]) => !/^(trusted|user)\.overlay\./.test(name));
  return {
    type,
    mode: type === 'symlink' ? 0o777 : entry.mode,
    uid: entry.uid,
    gid: entry.gid,
    mtime: BigInt(entry.mtime) * 1_000_000_000n + BigInt(entry.mtimeNs),
    content,
    link: entry.link,
    device: entry.device,
    xattrs: new Map(xattrs),
  };
}

function errno(code: string, path: string): Error {
  return Object.assign(new Error(`${code}: "${path}"`), { code });
}
