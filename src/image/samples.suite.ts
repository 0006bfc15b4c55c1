import { gzipSync, zstdCompressSync } from 'node:zlib';
import { digestOf, MemoryBlobStore, type Descriptor, type Digest } from '../blob/index.ts';
import { bytesOf } from '../base/index.ts';
import type { ImageConfig } from './config.ts';
import type { Image, Layer } from './image.ts';
import { layerFromBlob } from './layer-from.ts';
import { makeImage } from './make-image.ts';
import { layerType, type Compression, type MediaFamily } from './media-types.ts';
import { tarEnd, tarHeader, tarPadding } from './tar-header.ts';

/** A tar of small text files, for tests. */
export function tarOf(files: Readonly<Record<string, string>>): Buffer {
  const parts: Uint8Array[] = [];
  for (const [name, text] of Object.entries(files)) {
    const content = Buffer.from(text);
    parts.push(
      tarHeader({ name, mode: name.endsWith('/') ? 0o755 : 0o644, size: content.length }),
      content,
      tarPadding(content.length),
    );
  }
  return Buffer.concat([...parts, tarEnd()]);
}

export function compressed(content: Uint8Array, compression: Compression): Buffer {
  if (compression === 'gzip') return gzipSync(content);
  return compression === 'zstd' ? zstdCompressSync(content) : Buffer.from(content);
}

/** A layer of these files whose blob is put into `blobs`. */
export async function layerOf(
  blobs: MemoryBlobStore,
  files: Readonly<Record<string, string>>,
  o: { compression?: Compression; family?: MediaFamily } = {},
): Promise<Layer & { readonly tar: Buffer; readonly blob: Descriptor; readonly id: Digest }> {
  const compression = o.compression ?? 'gzip';
  const tar = tarOf(files);
  const blob = await blobs.put(bytesOf(compressed(tar, compression)), {
    mediaType: layerType(compression, o.family ?? 'oci'),
  });
  const id = digestOf(tar);
  return { ...layerFromBlob(blob, { blobs, diffId: async () => id }), tar, blob, id };
}

export const CONFIG: ImageConfig = {
  created: '2024-01-02T03:04:05Z',
  architecture: 'amd64',
  os: 'linux',
  config: { Env: ['PATH=/usr/bin:/bin'], Cmd: ['sh'], WorkingDir: '/' },
  rootfs: { type: 'layers', diff_ids: [] },
};

/** An image of one layer per file map. */
export async function imageOf(
  files: readonly Readonly<Record<string, string>>[],
  o: {
    blobs?: MemoryBlobStore;
    config?: Partial<ImageConfig>;
    compression?: Compression;
    family?: MediaFamily;
    annotations?: Readonly<Record<string, string>>;
  } = {},
): Promise<Image> {
  const blobs = o.blobs ?? new MemoryBlobStore();
  const layers: Layer[] = [];
  for (const each of files) layers.push(await layerOf(blobs, each, o));
  return makeImage({
    config: {
      ...CONFIG,
      history: files.map((_, at) => ({ created: '2024-01-02T03:04:05Z', created_by: `COPY ${at} . # buildkit` })),
      ...o.config,
    },
    layers,
    mediaTypes: o.family ?? 'oci',
    annotations: o.annotations,
  });
}
