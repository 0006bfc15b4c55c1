import { closeSync, openSync, rmSync, statSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import type { Wait } from '../../base/index.ts';
import { archiveTree, unionOf, type TreeView, type ViewNode } from '../../tree/index.ts';
import type { CopyContext } from './copy.ts';

/** Looks into files for archives. Those that are not whole files on this disk, or may change, are first copied into the folder `scratch`, which must live as long as the trees. */
export function unpacker(o: { readonly scratch: string } & Wait): CopyContext['unpack'] {
  let number = 0;
  return async (view, node) => {
    const there = wholeFile(node);
    const path = there ?? (await spool(view, node, { ...o, path: join(o.scratch, `add-${number++}`) }));
    const what = `read archive "/${node.path}"`;
    const tree = path === undefined ? undefined : await archiveTree(path, { ...o, what });
    if (tree) return unionOf([tree], o);
    if (path !== undefined && there === undefined) rmSync(path, { force: true });
    return undefined;
  };
}

function wholeFile({ entry, from }: ViewNode): string | undefined {
  const region = from?.tree.locate?.(from.entry);
  if (!region || region.offset !== 0 || typeof region.path !== 'string') return undefined;
  return statSync(region.path, { throwIfNoEntry: false })?.size === entry.size ? region.path : undefined;
}

/** A copy of a file that may be an archive; undefined for others, of which only the beginning is read. */
async function spool(view: TreeView, node: ViewNode, o: { path: string } & Wait): Promise<string | undefined> {
  let fd: number | undefined;
  try {
    for await (const chunk of view.open(node, o)) {
      if (fd === undefined && !mayBeArchive(chunk)) return undefined;
      fd ??= openSync(o.path, 'wx', 0o600);
      for (let at = 0; at < chunk.length;) at += writeSync(fd, chunk, at);
    }
    return fd === undefined ? undefined : o.path;
  } finally {
    if (fd !== undefined) closeSync(fd);
  }
}

/** By its first bytes: gzip, bzip2, xz, zstd (a frame, or one to be skipped), or a tar header with the right sum. */
function mayBeArchive(head: Uint8Array): boolean {
  const [a = 0, b = 0, c = 0, d = 0] = head;
  if (a === 0x1f && b === 0x8b) return true;
  if (a === 0x42 && b === 0x5a && c === 0x68) return true;
  if (a === 0xfd && b === 0x37 && c === 0x7a) return true;
  if (
    (a === 0x28 || (a & 0xf0) === 0x50) &&
    (b === 0xb5 || b === 0x2a) &&
    (c === 0x2f || c === 0x4d) &&
    (d === 0xfd || d === 0x18)
  )
    return true;
  if (head.length < 512) return head.length > 0;
  let sum = 8 * 32;
  for (let i = 0; i < 512; i++) if (i < 148 || i >= 156) sum += head[i]!;
  return Number.parseInt(Buffer.from(head.subarray(148, 156)).toString('latin1').replaceAll('\0', ' '), 8) === sum;
}
