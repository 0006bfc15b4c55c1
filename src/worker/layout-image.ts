import { collect, type Wait } from '../base/index.ts';
import { digestOf, type BlobReader } from '../blob/index.ts';
import type { LayoutSource } from '../graph/index.ts';
import {
  chooseImage,
  MANIFEST_LIMIT,
  openImageOrIndex,
  parseManifest,
  type ImageRecord,
  type ImageStore,
} from '../image/index.ts';
import { workerError } from './errors.ts';

/** The image that the asking side has in an OCI layout, for the source's platform, brought into the store without a name. Throws `IMAGE_NOT_FOUND`, and what opening and choosing an image throw. */
export async function importLayoutImage(
  { store, digest, platform }: LayoutSource,
  o: { blobs: BlobReader; images: ImageStore } & Wait,
): Promise<ImageRecord> {
  const what = `${store}@${digest}`;
  // Only the digest is known: what is read is held against it here.
  const content = await o.blobs.open(
    { mediaType: '', digest, size: 0 },
    { offset: 0, length: MANIFEST_LIMIT, signal: o.signal },
  );
  const bytes = await collect(content, { limit: MANIFEST_LIMIT, what });
  if (digestOf(bytes) !== digest)
    throw workerError('IMAGE_NOT_FOUND', `read the manifest of "${what}": what lies there is ${digestOf(bytes)}`, {
      remedy: 'Write the layout anew: it is damaged.',
    });
  const { mediaType } = parseManifest(bytes, { what });
  const data = Buffer.from(bytes).toString('base64');
  const value = await openImageOrIndex({ mediaType, digest, size: bytes.length, data }, { blobs: o.blobs });
  const { image } = await chooseImage(value, platform, { what, signal: o.signal });
  return o.images.import([], image, { index: value.kind === 'index' ? value : undefined, signal: o.signal });
}
