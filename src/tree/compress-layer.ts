import { createHash } from 'node:crypto';
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { setImmediate } from 'node:timers/promises';
import { hasErrno, throwIfCancelled, type Wait } from '../base/index.ts';
import { blobError, type Descriptor, type Digest, type DiskBlobStore } from '../blob/index.ts';
import { BlockCompressor } from './block-compressor.ts';
import { layerMediaType } from './codec.ts';
import type { Codec } from './layer.ts';

/** Compresses a layer that the store has uncompressed into a blob of the store, on the codec workers, verified against its diffID on the way. Throws `BLOB_NOT_FOUND`, `BLOB_CORRUPT`. */
export async function compressLayer(store: DiskBlobStore, diffId: Digest, codec: Codec, w?: Wait): Promise<Descriptor> {
  throwIfCancelled(w);
  const mediaType = layerMediaType(codec);
  const path = store.pathOf(diffId);
  if (codec.name === 'none') {
    const size = store.sizeOf(diffId);
    if (size === undefined) throw missing(diffId);
    return { mediaType, digest: diffId, size };
  }
  using compressor = new BlockCompressor(codec, store);
  const fd = open(path, diffId);
  try {
    const { size } = fstatSync(fd);
    const hash = createHash('sha256');
    let offset = 0;
    for (let turn = 1; offset < size || turn === 1; turn++) {
      const block = await compressor.acquire(w);
      const length = Math.min(block.length, size - offset);
      for (let at = 0; at < length;) {
        const n = readSync(fd, block, at, length - at, offset + at);
        if (n === 0) throw blobError('BLOB_CORRUPT', `read layer ${diffId}: it has become shorter`);
        at += n;
      }
      hash.update(block.subarray(0, length));
      offset += length;
      compressor.submit(length, offset === size);
      if (turn % 16 === 0) await setImmediate();
    }
    const digest = `sha256:${hash.digest('hex')}`;
    if (digest !== diffId) throw blobError('BLOB_CORRUPT', `read layer ${diffId}: its content has digest ${digest}`);
    return { mediaType, ...(await compressor.finish(w)) };
  } finally {
    closeSync(fd);
  }
}

function open(path: string, diffId: Digest): number {
  try {
    return openSync(path, 'r');
  } catch (error) {
    throw hasErrno(error, 'ENOENT') ? missing(diffId) : error;
  }
}

function missing(diffId: Digest): Error {
  return blobError('BLOB_NOT_FOUND', `compress layer ${diffId}: not in this store`);
}
