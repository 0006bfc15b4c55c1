import { createWriteStream, mkdirSync, writeFileSync } from 'node:fs';
import { once } from 'node:events';
import { join } from 'node:path';
import type { Bytes, Wait } from '../../../base/index.ts';
import { hexOf } from '../../../blob/index.ts';
import { descriptorOf, manifestOf, type Image, type Layer } from '../../../image/index.ts';

/** Writes an image as an OCI layout with manifest and config, and of its layers only these. */
export async function writeSparse(
  folder: string,
  image: Image,
  o: { layers?: readonly Layer[] } & Wait = {},
): Promise<void> {
  const blobs = join(folder, 'blobs/sha256');
  mkdirSync(blobs, { recursive: true });
  const descriptor = await descriptorOf(image, o);
  writeFileSync(join(blobs, hexOf(descriptor.digest)), await image.manifest(o));
  const { config } = await manifestOf(image, o);
  writeFileSync(join(blobs, hexOf(config.digest)), await image.config(o));
  for (const layer of o.layers ?? []) {
    const { digest } = await layer.descriptor(o);
    await writeBytes(join(blobs, hexOf(digest)), await layer.compressed(o));
  }
  const { mediaType, digest, size } = descriptor;
  const index = {
    schemaVersion: 2,
    mediaType: 'application/vnd.oci.image.index.v1+json',
    manifests: [{ mediaType, digest, size }],
  };
  writeFileSync(join(folder, 'index.json'), JSON.stringify(index));
  writeFileSync(join(folder, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}');
}

async function writeBytes(path: string, bytes: Bytes): Promise<void> {
  const file = createWriteStream(path);
  // A chunk is only good until the next one is asked for.
  for await (const chunk of bytes) if (!file.write(Buffer.from(chunk))) await once(file, 'drain');
  file.end();
  await once(file, 'close');
}
