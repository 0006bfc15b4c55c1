import { closeSync, lstatSync, openSync, readSync, realpathSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { fileBytes, hasCode, hasErrno, throwIfCancelled, type Wait } from '../base/index.ts';
import { compressionOf, sniffed } from './decompress.ts';
import type { FileTree } from './file-tree.ts';
import { PlacedTree } from './placed-tree.ts';
import { BLOCK, checksumHolds, isZeroBlock } from './tar-header.ts';
import { TarIndexer } from './tar-index.ts';
import { TarParser } from './tar-reader.ts';
import { indexTar } from './tar-tree.ts';

/**
 * The content of a local archive as a tree, as ADD unpacks it: a tar, plain or compressed by gzip, zstd, bzip2 or xz. Whiteouts have no meaning in it. Undefined when the file is no archive: BuildKit looks whether its
 * content, decompressed, begins with a tar header (fileop backend, isArchivePath). What is compressed is unpacked into a file in the folder `scratch`, which must live as long as the tree. `what` begins messages.
 */
export async function archiveTree(
  path: string,
  o: { scratch: string; what?: string | undefined } & Wait,
): Promise<FileTree | undefined> {
  throwIfCancelled(o);
  if (!lstatSync(path).isFile()) return undefined;
  const head = headOf(path);
  const what = o.what ?? `read archive "${path}"`;
  if (compressionOf(head) === 'none') {
    if (!beginsTar(head)) return undefined;
    const real = realpathSync(path);
    return new PlacedTree(real, await indexTar(real, { ...o, what, layer: false }));
  }
  const target = scratchFile(o.scratch);
  try {
    const tree = await unpacked(path, { ...o, what, target });
    if (!tree) rmSync(target.path, { force: true });
    return tree;
  } catch (error) {
    rmSync(target.path, { force: true });
    throw error;
  } finally {
    closeSync(target.fd);
  }
}

interface Unpack extends Wait {
  readonly what: string;
  readonly target: { readonly path: string; readonly fd: number };
}

async function unpacked(path: string, o: Unpack): Promise<FileTree | undefined> {
  const { bytes } = await sniffed(fileBytes(path, o), o);
  const indexer = new TarIndexer(o.what, { layer: false });
  const parser = new TarParser(o.what, (member) => indexer.add(member));
  let head: Buffer = Buffer.alloc(0);
  try {
    for await (const chunk of bytes) {
      throwIfCancelled(o);
      for (let at = 0; at < chunk.length;) at += writeSync(o.target.fd, chunk, at);
      if (head.length < BLOCK) {
        head = Buffer.concat([head, chunk]);
        if (head.length < BLOCK) continue;
        if (!beginsTar(head)) return undefined;
        parser.feed(head);
      } else parser.feed(chunk);
    }
  } catch (error) {
    // Damaged from the start: not an archive, but a file that begins like one.
    if (head.length < BLOCK && hasCode(error, 'COMPRESSED_CORRUPT') && !(await startsAsTar(path, o))) return undefined;
    throw error;
  }
  if (head.length < BLOCK) return undefined;
  parser.end();
  return new PlacedTree(o.target.path, indexer.finish());
}

/** Looks at the first block alone, of which the whole file's damage says nothing. */
async function startsAsTar(path: string, o: Unpack): Promise<boolean> {
  let head = Buffer.alloc(0);
  try {
    for await (const chunk of (await sniffed(fileBytes(path, o), { ...o, chunk: BLOCK })).bytes) {
      head = Buffer.concat([head, chunk]);
      if (head.length >= BLOCK) return beginsTar(head);
    }
  } catch (error) {
    if (!hasCode(error, 'COMPRESSED_CORRUPT')) throw error;
  }
  return false;
}

function headOf(path: string): Buffer {
  const fd = openSync(path, 'r');
  try {
    const head = Buffer.alloc(BLOCK);
    return head.subarray(0, readSync(fd, head, 0, BLOCK, 0));
  } finally {
    closeSync(fd);
  }
}

function beginsTar(head: Buffer): boolean {
  return head.length >= BLOCK && !isZeroBlock(head, 0) && checksumHolds(head, 0);
}

/** A new file in the folder, of a name that no other archive has taken. */
function scratchFile(folder: string): { path: string; fd: number } {
  for (let number = 0; ; number++) {
    const path = join(folder, `archive-${number}.tar`);
    try {
      return { path, fd: openSync(path, 'wx', 0o600) };
    } catch (error) {
      if (!hasErrno(error, 'EEXIST')) throw error;
    }
  }
}
