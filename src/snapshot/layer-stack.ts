import { sys } from '../base/index.ts';
import { below, isWhiteout, nameOf, namesIn, native, parentOf, statOf, type Stat } from './files.ts';

/** Under which names overlayfs keeps its attributes: `user` in a user namespace (mount option userxattr). */
export type OverlayXattrs = 'trusted' | 'user';

/** One entry of a stack and where it lies. */
export interface Found {
  readonly path: string;
  readonly stat: Stat;
}

/**
 * Overlay folders, uppermost first, read as the one tree that they make when mounted, without mounting them: whiteouts and opaque folders count. Links are not followed. Paths are relative to the root.
 * For folders that do not change: what was found is kept.
 */
export class LayerStack {
  readonly layers: readonly string[];
  readonly #opaque: string;
  readonly #folders = new Map<string, readonly string[]>();

  constructor(layers: readonly string[], xattrs: OverlayXattrs) {
    this.layers = layers;
    this.#opaque = opaqueXattr(xattrs);
    this.#folders.set('', layers);
  }

  /** The folders that together are the folder `path`, uppermost first; none when it is no folder. */
  folders(path: string): readonly string[] {
    const known = this.#folders.get(path);
    if (known) return known;
    const folders: string[] = [];
    const name = nameOf(path);
    for (const folder of this.folders(parentOf(path))) {
      const at = below(folder, name);
      const stat = statOf(at);
      if (!stat) continue;
      if (!stat.isDirectory()) break;
      folders.push(at);
      if (isOpaque(at, this.#opaque)) break;
    }
    this.#folders.set(path, folders);
    return folders;
  }

  /** What is at `path`, or undefined. */
  find(path: string): Found | undefined {
    if (path === '') return this.layers[0] === undefined ? undefined : found(this.layers[0]);
    const name = nameOf(path);
    for (const folder of this.folders(parentOf(path))) {
      const at = below(folder, name);
      const stat = statOf(at);
      if (stat) return isWhiteout(stat) ? undefined : { path: at, stat };
    }
    return undefined;
  }

  /** What is in the folder `path`, by name. */
  list(path: string): Map<string, Found> {
    const all = new Map<string, Found>();
    const gone = new Set<string>();
    for (const folder of this.folders(path))
      for (const name of namesIn(folder)) {
        if (all.has(name) || gone.has(name)) continue;
        const at = below(folder, name);
        const stat = statOf(at);
        if (!stat) continue;
        if (isWhiteout(stat)) gone.add(name);
        else all.set(name, { path: at, stat });
      }
    return all;
  }
}

export function opaqueXattr(xattrs: OverlayXattrs): string {
  return `${xattrs}.overlay.opaque`;
}

export function isOpaque(folder: string, name: string): boolean {
  return sys.getXattr(native(folder), name)?.[0] === 0x79;
}

function found(path: string): Found | undefined {
  const stat = statOf(path);
  return stat && { path, stat };
}
