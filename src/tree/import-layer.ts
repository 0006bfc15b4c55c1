import { createHash } from 'node:crypto';
import { writeSync } from 'node:fs';
import { throwIfCancelled, type Wait } from '../base/index.ts';
import { algorithmOf, type Descriptor, type Digest, type DiskBlobStore } from '../blob/index.ts';
import { sniffed } from './decompress.ts';
import { treeError } from './errors.ts';
import type { WrittenLayer } from './layer.ts';
import { TarIndexer } from './tar-index.ts';
import { TarParser } from './tar-reader.ts';
import { hasToc, writeToc } from './toc.ts';

/**
 * Decompresses a layer blob of the store (gzip, zstd, plain: by its content, not its media type) into an uncompressed one under its diffID, with its table of contents, in one pass.
 * With `diffId` the content must have it, else `LAYER_MISMATCH`; also throws `COMPRESSED_CORRUPT`, `BLOB_CORRUPT`, and what `TarParser` and `TarIndexer` throw. Then nothing is stored.
 */
export async function importLayer(
  store: DiskBlobStore,
  o: { descriptor: Descriptor; diffId?: Digest | undefined },
  w?: Wait,
): Promise<WrittenLayer> {
  throwIfCancelled(w);
  const { descriptor, diffId: expected } = o;
  const size = expected && store.sizeOf(expected);
  if (expected && size !== undefined && hasToc(store, expected)) return { diffId: expected, size };
  const what = `read layer ${descriptor.digest}`;
  const { bytes, compression } = await sniffed(await store.open(descriptor, w), { what, ...w });
  const indexer = new TarIndexer(what, { layer: true });
  const parser = new TarParser(what, (member) => indexer.add(member));
  const hash = createHash('sha256');
  // A plain blob under its sha256 is the uncompressed layer already.
  using ingest = compression === 'none' && algorithmOf(descriptor.digest) === 'sha256' ? undefined : store.ingest();
  let length = 0;
  for await (const chunk of bytes) {
    throwIfCancelled(w);
    hash.update(chunk);
    parser.feed(chunk);
    length += chunk.length;
    if (ingest) for (let at = 0; at < chunk.length;) at += writeSync(ingest.fd, chunk, at);
  }
  parser.end();
  const diffId: Digest = `sha256:${hash.digest('hex')}`;
  if (expected && diffId !== expected)
    throw treeError('LAYER_MISMATCH', `${what}: its content has diffID ${diffId}, the image says ${expected}`, {
      remedy: 'Pull the image again; if that does not help, its maker must repair it.',
    });
  const index = indexer.finish();
  ingest?.commit(diffId);
  writeToc(store, diffId, index);
  return { diffId, size: length };
}
