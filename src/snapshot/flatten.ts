import { linkSync } from 'node:fs';
import { setImmediate } from 'node:timers/promises';
import { hasErrno, throwIfCancelled, type Wait } from '../base/index.ts';
import { below, copyEntry, copyFolderMetadata, native } from './files.ts';
import { LayerStack, type OverlayXattrs } from './layer-stack.ts';

/**
 * One folder that holds what a stack of overlay folders holds. Files are hard links to the ones in the stack, which nobody writes to: an overlay copies a lower file before it changes it.
 */
export async function flatten(
  layers: readonly string[],
  into: string,
  o: { xattrs: OverlayXattrs } & Wait,
): Promise<void> {
  const stack = new LayerStack(layers, o.xattrs);
  const root = stack.find('');
  if (!root) return;
  copyEntry(root.path, into, root.stat);
  const folders: { path: string; finish: () => void }[] = [
    { path: '', finish: () => copyFolderMetadata(root.path, into, root.stat) },
  ];
  for (const { path } of folders) {
    await setImmediate();
    throwIfCancelled(o);
    for (const [name, found] of stack.list(path)) {
      const at = below(path, name);
      const target = `${into}/${at}`;
      if (found.stat.isDirectory()) {
        copyEntry(found.path, target, found.stat);
        folders.push({ path: at, finish: () => copyFolderMetadata(found.path, target, found.stat) });
      } else link(found.path, target, () => copyEntry(found.path, target, found.stat));
    }
  }
  for (const { finish } of folders.toReversed()) finish();
}

/** Another name for a file, or a copy where it can have no more or its owner is not to be linked to. */
export function link(from: string, to: string, copy: () => void): void {
  try {
    linkSync(native(from), native(to));
  } catch (error) {
    if (!hasErrno(error, 'EMLINK', 'EPERM', 'EXDEV')) throw error;
    copy();
  }
}
