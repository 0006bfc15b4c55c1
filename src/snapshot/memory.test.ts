import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { decodePath } from '../tree/index.ts';
import { tickingClock } from './folder-rig.suite.ts';
import type { MemoryFile, MemoryTree } from './memory-tree.ts';
import { MemorySnapshotter } from './memory.ts';
import { snapshotterSuite } from './snapshotter.suite.ts';
import type { Edit, Look } from './tree-edits.suite.ts';

snapshotterSuite('memory', async () => {
  const snapshotter = new MemorySnapshotter({ clock: tickingClock() });
  const folder = mkdtempSync(join(tmpdir(), 'strake-memory-'));
  return {
    snapshotter,
    folder,
    can: { owners: true, devices: true },
    edit: async (mounts, edits) => {
      for (const edit of edits) make(snapshotter.treeOf(mounts), edit);
    },
    look: async (mounts) => lookAt(snapshotter.treeOf(mounts)),
    details: async (mounts, path) => {
      const tree = snapshotter.treeOf(mounts);
      const file = get(tree, path);
      return {
        mtime: `${file.mtime}`,
        links: [...tree.files.values()].filter((other) => other === file).length,
        xattrs: Object.fromEntries([...file.xattrs].map(([name, v]) => [name, Buffer.from(v).toString('latin1')])),
      };
    },
    [Symbol.asyncDispose]: async () => rmSync(folder, { recursive: true }),
  };
});

/** Ticks for every change, as a file system's clock. */
let now = 1_700_000_000_123_456_789n;

function make(tree: MemoryTree, edit: Edit): void {
  const stamp = (): void => {
    now += 1_000_001n;
    get(tree, edit.path).mtime = now;
  };
  switch (edit.do) {
    case 'write':
      tree.write(edit.path, edit.text);
      if (edit.mode !== undefined) get(tree, edit.path).mode = edit.mode;
      return stamp();
    case 'append':
      tree.write(edit.path, Buffer.concat([get(tree, edit.path).content, Buffer.from(edit.text)]));
      return stamp();
    case 'mkdir':
      tree.mkdir(edit.path, edit.mode);
      return stamp();
    case 'symlink':
      tree.put(edit.path, { ...get(tree, ''), type: 'symlink', mode: 0o777, link: edit.to, xattrs: new Map() });
      return stamp();
    case 'link':
      return tree.put(edit.path, get(tree, edit.to));
    case 'rename':
      return tree.rename(edit.path, edit.to);
    case 'remove':
      return tree.remove(edit.path);
    case 'chmod':
      get(tree, edit.path).mode = edit.mode;
      return undefined;
    case 'chown':
      Object.assign(get(tree, edit.path), { uid: edit.uid, gid: edit.gid });
      return undefined;
    case 'times':
      get(tree, edit.path).mtime = BigInt(edit.mtime) * 1_000_000_000n;
      return undefined;
    case 'xattr':
      get(tree, edit.path).xattrs.set(edit.name, new Uint8Array(Buffer.from(edit.value, 'latin1')));
      return undefined;
    case 'open-for-writing':
      get(tree, edit.path);
      return undefined;
    default:
      throw new Error(`unknown edit ${JSON.stringify(edit satisfies never)}`);
  }
}

function get(tree: MemoryTree, path: string): MemoryFile {
  const file = tree.get(path);
  if (!file) throw Object.assign(new Error(`ENOENT: ${path}`), { code: 'ENOENT' });
  return file;
}

function lookAt(tree: MemoryTree): Look {
  const look: Record<string, string> = {};
  for (const [path, file] of tree.files) {
    const name = path === '' ? '.' : path;
    const owner = `${file.mode.toString(8).padStart(4, '0')} ${file.uid}:${file.gid}`;
    if (file.type === 'symlink') look[name] = `link -> ${file.link}`;
    else if (file.type === 'file') look[name] = `file ${owner} ${decodePath(file.content)}`;
    else if (file.type === 'directory') look[name] = `folder ${owner}`;
    else if (file.type === 'fifo') look[name] = `fifo ${owner}`;
    else look[name] = `${file.type} ${owner} ${file.device?.major}:${file.device?.minor}`;
  }
  return look;
}
