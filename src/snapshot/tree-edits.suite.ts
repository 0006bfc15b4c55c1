/** What tests do to a mounted tree and how they look at it, as plain data, so that it can happen in another process (a keeper) or in memory. */
import {
  appendFileSync,
  chmodSync,
  closeSync,
  lchownSync,
  linkSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  lstatSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { sys } from '../base/index.ts';
import { decodePath, fsPath } from '../tree/index.ts';

export type Edit =
  | { readonly do: 'write' | 'append'; readonly path: string; readonly text: string; readonly mode?: number }
  | { readonly do: 'mkdir'; readonly path: string; readonly mode?: number }
  | { readonly do: 'symlink' | 'link' | 'rename'; readonly path: string; readonly to: string }
  | { readonly do: 'remove'; readonly path: string }
  | { readonly do: 'chmod'; readonly path: string; readonly mode: number }
  | { readonly do: 'chown'; readonly path: string; readonly uid: number; readonly gid: number }
  | { readonly do: 'times'; readonly path: string; readonly mtime: number }
  | { readonly do: 'xattr'; readonly path: string; readonly name: string; readonly value: string }
  | { readonly do: 'open-for-writing'; readonly path: string };

/** Makes edits below `root`, one after the other. */
export function editFolder(root: string, edits: readonly Edit[]): void {
  for (const edit of edits) {
    const path = fsPath(root, edit.path);
    switch (edit.do) {
      case 'write':
        writeFileSync(path, edit.text);
        if (edit.mode !== undefined) chmodSync(path, edit.mode);
        break;
      case 'append':
        appendFileSync(path, edit.text);
        break;
      case 'mkdir':
        mkdirSync(path);
        chmodSync(path, edit.mode ?? 0o755);
        break;
      case 'symlink':
        symlinkSync(edit.to, path);
        break;
      case 'link':
        linkSync(fsPath(root, edit.to), path);
        break;
      case 'rename':
        renameSync(path, fsPath(root, edit.to));
        break;
      case 'remove':
        rmSync(path, { recursive: true });
        break;
      case 'chmod':
        chmodSync(path, edit.mode);
        break;
      case 'chown':
        lchownSync(path, edit.uid, edit.gid);
        break;
      case 'times':
        sys.utimes(path, BigInt(edit.mtime) * 1_000_000_000n, BigInt(edit.mtime) * 1_000_000_000n);
        break;
      case 'xattr':
        sys.setXattr(path, edit.name, Buffer.from(edit.value, 'latin1'));
        break;
      case 'open-for-writing':
        closeSync(openSync(path, 'r+'));
        break;
      default:
        throw new Error(`unknown edit ${JSON.stringify(edit satisfies never)}`);
    }
  }
}

/** One line per path: type, mode, owner, then the content of a file, the target of a link, the numbers of a device; the root is ".". */
export type Look = Readonly<Record<string, string>>;

export function lookAtFolder(root: string): Look {
  const look: Record<string, string> = {};
  const visit = (path: string): void => {
    const at = fsPath(root, path);
    const stat = lstatSync(at);
    const mode = (stat.mode & 0o7777).toString(8).padStart(4, '0');
    const owner = `${mode} ${stat.uid}:${stat.gid}`;
    const { major, minor } = sys.splitDevice(stat.rdev);
    const name = path === '' ? '.' : path;
    if (stat.isSymbolicLink()) look[name] = `link -> ${readlinkSync(at)}`;
    else if (stat.isFile()) look[name] = `file ${owner} ${readFileSync(at, 'utf8')}`;
    else if (stat.isDirectory()) {
      look[name] = `folder ${owner}`;
      for (const child of readdirSync(at, 'buffer')) {
        const text = decodePath(child);
        visit(path === '' ? text : `${path}/${text}`);
      }
    } else if (stat.isFIFO()) look[name] = `fifo ${owner}`;
    else look[name] = `${stat.isBlockDevice() ? 'block' : 'character'} ${owner} ${major}:${minor}`;
  };
  visit('');
  return look;
}

/** What `Look` leaves out. */
export interface Details {
  /** Nanoseconds since the epoch. */
  readonly mtime: string;
  readonly links: number;
  /** By name, as Latin-1. */
  readonly xattrs: Readonly<Record<string, string>>;
}

export function detailsOf(root: string, path: string): Details {
  const at = fsPath(root, path);
  const stat = lstatSync(at, { bigint: true });
  const xattrs: Record<string, string> = {};
  for (const name of sys.listXattrs(at)) {
    if (name.includes('.overlay.') || name === 'security.selinux') continue;
    xattrs[name] = Buffer.from(sys.getXattr(at, name) ?? []).toString('latin1');
  }
  return { mtime: `${stat.mtimeNs}`, links: Number(stat.nlink), xattrs };
}
