import { bytesOf, hasCode, type Bytes, type Wait } from '../base/index.ts';
import type { Descriptor, Digest } from '../blob/index.ts';
import { parseConfig, platformOf } from './config-codec.ts';
import { descriptorOf, indexManifestOf, manifestOf } from './image-from.ts';
import type { Image, Index } from './image.ts';
import { isConfigType, isForeignLayerType } from './media-types.ts';

/** A blob that an image consists of, and how to read it, verified. */
export interface Content {
  readonly descriptor: Descriptor;
  /** What it is in the image. */
  readonly role: 'layer' | 'config' | 'manifest' | 'index' | 'other';
  open(w?: Wait): Promise<Bytes>;
}

/**
 * All blobs of an image or index, each once, what is named before what names it: the last one is `x` itself. `members` says which members of an index to walk; the others stay named and their blobs are left out, which makes the copy
 * sparse. `foreign: false` leaves non-distributable layers out.
 */
export async function contentsOf(
  x: Image | Index,
  o: { members?: ((descriptor: Descriptor) => boolean) | undefined; foreign?: boolean | undefined } & Wait = {},
): Promise<readonly Content[]> {
  const found = new Map<Digest, Content>();
  await walk(x, await rootDescriptor(x, o), {
    ...o,
    add: (content) => void found.set(content.descriptor.digest, content),
  });
  return [...found.values()];
}

/** As BuildKit describes what it exports: an image together with its platform. */
async function rootDescriptor(x: Image | Index, w: Wait): Promise<Descriptor> {
  const descriptor = await descriptorOf(x, w);
  if (x.kind === 'index' || !isConfigType((await manifestOf(x, w)).config.mediaType)) return descriptor;
  return { ...descriptor, platform: platformOf(parseConfig(await x.config(w))) };
}

type Walk = {
  members?: ((descriptor: Descriptor) => boolean) | undefined;
  foreign?: boolean | undefined;
  add: (content: Content) => void;
} & Wait;

async function walk(x: Image | Index, descriptor: Descriptor, o: Walk): Promise<void> {
  const manifest = await x.manifest(o);
  if (x.kind === 'index') {
    for (const member of (await indexManifestOf(x, o)).manifests)
      if (o.members?.(member) !== false) await walkMember(x, member, o);
  } else await walkImage(x, o);
  o.add({ descriptor, role: x.kind === 'index' ? 'index' : 'manifest', open: async () => bytesOf(manifest) });
}

async function walkMember(index: Index, descriptor: Descriptor, o: Walk): Promise<void> {
  let member: Image | Index;
  try {
    member = await index.member(descriptor, o);
  } catch (error) {
    if (!hasCode(error, 'MANIFEST_UNSUPPORTED', 'MANIFEST_INVALID', 'MANIFEST_TOO_LARGE') || !index.blob) throw error;
    o.add({ descriptor, role: 'other', open: (w) => (index.blob as NonNullable<Index['blob']>)(descriptor, w) });
    return;
  }
  await walk(member, descriptor, o);
}

async function walkImage(image: Image, o: Walk): Promise<void> {
  const { config } = await manifestOf(image, o);
  for (const layer of await image.layers(o)) {
    const descriptor = await layer.descriptor(o);
    if (o.foreign === false && isForeignLayerType(descriptor.mediaType)) continue;
    o.add({ descriptor, role: 'layer', open: (w) => layer.compressed(w) });
  }
  const content = await image.config(o);
  o.add({
    descriptor: { ...config, digest: config.digest, size: content.length },
    role: 'config',
    open: async () => bytesOf(content),
  });
}
