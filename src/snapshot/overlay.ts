import { escapeOverlayPath } from '../base/index.ts';
import { copyFolderMetadata, statOf } from './files.ts';
import { overlayChanges } from './changes.ts';
import { LayerStack, type OverlayXattrs } from './layer-stack.ts';
import { StoredSnapshotter, type SnapshotKind, type StoredOptions } from './stored-snapshotter.ts';
import { unpack } from './unpack.ts';
import { mkdirSync } from 'node:fs';

export interface OverlayOptions extends StoredOptions {
  /** The mount options that this kernel and file system take, `probeOverlay` knows them. With `userxattr` among them the private attributes are in `user.`. */
  readonly mountOptions: readonly string[];
  /** `single`: one id only can be given to files. */
  readonly ids: 'all' | 'single';
  /** More layers than these are made into one; the kernel takes 500. */
  readonly maxLayers?: number | undefined;
}

/** Snapshots as overlayfs layers: each is the upper folder of its step, mounted over those below. Layers are unpacked and changes read without mounting anything. */
export class OverlaySnapshotter extends StoredSnapshotter {
  constructor(o: OverlayOptions) {
    super(overlayKind(o), o);
  }
}

function overlayKind(o: OverlayOptions): SnapshotKind {
  const xattrs: OverlayXattrs = o.mountOptions.includes('userxattr') ? 'user' : 'trusted';
  const stackOf = (layers: readonly string[]): LayerStack => new LayerStack(layers, xattrs);
  const lowerdir = (layers: readonly string[]): string => `lowerdir=${layers.map(escapeOverlayPath).join(':')}`;
  const forViews = o.mountOptions.filter((option) => option !== 'volatile');
  return {
    name: 'overlay',
    variant: xattrs,
    maxLayers: o.maxLayers ?? 200,
    async begin(at, layers, { for: purpose }) {
      const [top] = layers;
      const stat = top === undefined ? undefined : statOf(top);
      // The root of an overlay is its uppermost folder.
      if (top !== undefined && stat) copyFolderMetadata(top, `${at}/f`, stat);
      if (purpose === 'write' && top !== undefined) mkdirSync(`${at}/w`, { mode: 0o700 });
    },
    end: (at, trash) => trash.take(`${at}/w`),
    activeMounts: (at, layers) =>
      layers.length === 0
        ? [{ type: 'bind', source: `${at}/f`, options: ['rbind', 'rw'] }]
        : [
            {
              type: 'overlay',
              source: 'overlay',
              options: [
                ...o.mountOptions,
                lowerdir(layers),
                `upperdir=${escapeOverlayPath(`${at}/f`)}`,
                `workdir=${escapeOverlayPath(`${at}/w`)}`,
              ],
            },
          ],
    viewMounts: (layers) =>
      layers.length === 1
        ? [{ type: 'bind', source: layers[0] ?? '', options: ['rbind', 'ro'] }]
        : [{ type: 'overlay', source: 'overlay', options: ['ro', ...forViews, lowerdir(layers)] }],
    unpack: (tree, at, { layers, ...w }) =>
      unpack(tree, { folder: at, xattrs, ids: o.ids, ...(layers.length === 0 ? {} : { below: stackOf(layers) }) }, w),
    changes: (at, layers, w) => overlayChanges(at, stackOf(layers), { xattrs, ...w }),
  };
}
