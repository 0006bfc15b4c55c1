import { closeSync, fstatSync, futimesSync, openSync, unlinkSync } from 'node:fs';
import { setImmediate } from 'node:timers/promises';
import { throwIfCancelled, type Wait } from '../base/index.ts';
import { comparePaths, type Entry } from '../tree/index.ts';
import { changeOf, settle, whiteout, type ChangeNode } from './changes.ts';
import { cloneTree } from './clone.ts';
import { below, namesIn, statOf } from './files.ts';
import { StoredSnapshotter, type SnapshotKind, type StoredOptions } from './stored-snapshotter.ts';
import { unpack } from './unpack.ts';

export interface CopyOptions extends StoredOptions {
  /** `single`: one id only can be given to files. */
  readonly ids: 'all' | 'single';
}

/**
 * Snapshots as whole trees, for where there is no overlayfs. A snapshot that a layer is unpacked to begins as hard links to its parent's files, which is safe because unpacking replaces files and never writes into one. A step
 * may write into any file, so its snapshot begins as a copy, with shared blocks where the file system can (btrfs, xfs). Changes are found by walking both trees.
 */
export class CopySnapshotter extends StoredSnapshotter {
  constructor(o: CopyOptions) {
    super(copyKind(o), o);
  }
}

function copyKind(o: CopyOptions): SnapshotKind {
  return {
    name: 'copy',
    variant: 'whole',
    maxLayers: Number.POSITIVE_INFINITY,
    async begin(at, [parent], { for: purpose, ...w }) {
      if (parent === undefined) return;
      await cloneTree(parent, `${at}/f`, { how: purpose === 'write' ? 'copy' : 'link', ...w });
      if (purpose === 'write') makeMark(`${at}/mark`);
    },
    end: () => undefined,
    activeMounts: (at) => [{ type: 'bind', source: `${at}/f`, options: ['rbind', 'rw'] }],
    viewMounts: ([top]) => [{ type: 'bind', source: top ?? '', options: ['rbind', 'ro'] }],
    unpack: (tree, at, w) => unpack(tree, { folder: at, xattrs: 'user', ids: o.ids }, w),
    changes: (at, [parent], w) => treeChanges(parent, at, w),
  };
}

/** Changes of one whole tree on another, by a walk of both. */
async function treeChanges(lower: string | undefined, upper: string, w?: Wait): Promise<readonly Entry[]> {
  const nodes: ChangeNode[] = [];
  const madeBy = statOf(upper.replace(/\/f$/, '/mark'))?.ctimeNs;
  let seen = 0;
  const visit = async (path: string, o: { node: ChangeNode | undefined; merges: boolean }): Promise<void> => {
    const here = path === '' ? upper : `${upper}/${path}`;
    const there = `${lower}/${path}`;
    const names = new Set(namesIn(here));
    const before = o.merges && lower !== undefined ? new Set(namesIn(there)) : new Set<string>();
    for (const name of [...new Set([...names, ...before])].sort(comparePaths)) {
      if (++seen % TURN === 0) {
        await setImmediate();
        throwIfCancelled(w);
      }
      const at = below(path, name);
      if (!names.has(name)) {
        nodes.push({ entry: whiteout(at), parent: o.node, inode: undefined, kept: true });
        continue;
      }
      const stat = statOf(`${here}/${name}`);
      if (!stat || stat.isSocket()) continue;
      const old = before.has(name) ? statOf(`${lower}/${at}`) : undefined;
      const { node } = changeOf(
        at,
        { path: `${here}/${name}`, stat },
        {
          parent: o.node,
          lower: old && { path: `${lower}/${at}`, stat: old },
          // Not touched since the copy was made: no need to read it.
          sameContent: madeBy !== undefined && stat.ctimeNs <= madeBy,
        },
      );
      nodes.push(node);
      if (stat.isDirectory()) await visit(at, { node, merges: old?.isDirectory() ?? false });
    }
  };
  await visit('', { node: undefined, merges: lower !== undefined });
  return settle(nodes);
}

const TURN = 512;

/** A file whose change time is not before any made so far and before any made later: waits for the next tick of the file system's clock. */
export function makeMark(path: string, o: { keep: boolean } = { keep: true }): void {
  const fd = openSync(path, 'wx', 0o600);
  try {
    const later = openSync(`${path}-later`, 'wx', 0o600);
    try {
      const mark = fstatSync(fd, { bigint: true }).ctimeNs;
      while (fstatSync(later, { bigint: true }).ctimeNs <= mark) futimesSync(later, 0, 0);
    } finally {
      closeSync(later);
      unlinkSync(`${path}-later`);
    }
  } finally {
    closeSync(fd);
    if (!o.keep) unlinkSync(path);
  }
}
