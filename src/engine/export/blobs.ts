import { mapBounded, type Wait } from '../../base/index.ts';
import type { BlobReader, BlobWriter, Descriptor } from '../../blob/index.ts';
import { contentsOf, type Content, type Image, type Index } from '../../image/index.ts';

/** Blobs that are sent at a time. */
const LANES = 3;

/** Writes all blobs of an image or index to a store, those that it has not: what is named before what names it. */
export async function writeBlobs(image: Image | Index, store: BlobReader & BlobWriter, w: Wait): Promise<Descriptor> {
  const contents = await contentsOf(image, w);
  const write = async (content: Content): Promise<void> => {
    const { descriptor } = content;
    if (await store.has(descriptor, w)) return;
    await store.put(await content.open(w), { mediaType: descriptor.mediaType, expect: descriptor, signal: w.signal });
  };
  const layers = contents.filter(({ role }) => role === 'layer');
  await mapBounded(layers, LANES, write);
  for (const content of contents) if (content.role !== 'layer') await write(content);
  return (contents.at(-1) as Content).descriptor;
}

/** What an exporter says of the image that it sends, by BuildKit's names. */
export async function saidOf(
  image: Image | Index,
  o: { readonly names: readonly string[] } & Wait,
): Promise<Record<string, string>> {
  const contents = await contentsOf(image, o);
  const { descriptor } = contents.at(-1) as Content;
  const configs = contents.filter(({ role }) => role === 'config');
  return {
    'containerimage.digest': descriptor.digest,
    ...(image.kind === 'image' && configs[0] && { 'containerimage.config.digest': configs[0].descriptor.digest }),
    'containerimage.descriptor': Buffer.from(JSON.stringify(descriptor)).toString('base64'),
    ...(o.names.length > 0 && { 'image.name': o.names.join(',') }),
  };
}
