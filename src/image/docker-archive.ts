import { Lazy, type Wait } from '../base/index.ts';
import { Digester, isDigest, verified, type BlobReader, type Descriptor, type Digest } from '../blob/index.ts';
import { compressionOf } from '../tree/index.ts';
import type { ArchiveFile } from './archive-file.ts';
import { canonicalName, type BundledImage } from './bundle.ts';
import { CONFIG_LIMIT, parseConfig } from './config-codec.ts';
import { imageError } from './errors.ts';
import type { Image, Layer } from './image.ts';
import { layerFromBlob } from './layer-from.ts';
import { makeImage } from './make-image.ts';
import { layerType } from './media-types.ts';
import type { TarItem } from './tar-scan.ts';

interface SavedImage {
  readonly Config: string;
  readonly RepoTags?: readonly string[] | null;
  readonly Layers?: readonly string[] | null;
}

/** The images of what `docker save` wrote (moby image/tarexport). Such an image has no manifest: one of Docker's media types is made. Throws `ARCHIVE_INVALID`. */
export function dockerImages(file: ArchiveFile): readonly BundledImage[] {
  return readList(file).map((saved) => ({
    names: (saved.RepoTags ?? []).map((tag) => canonicalName(tag)).filter((name) => name !== undefined),
    refs: [],
    open: async () => dockerImage(file, saved),
  }));
}

function dockerImage(file: ArchiveFile, saved: SavedImage): Image {
  const config = file.readSmall(saved.Config, CONFIG_LIMIT);
  const ids = parseConfig(config, `"${saved.Config}" of archive "${file.what}"`).rootfs.diff_ids;
  const paths = saved.Layers ?? [];
  if (paths.length !== ids.length)
    throw imageError(
      'ARCHIVE_INVALID',
      `open archive "${file.what}": manifest.json has ${paths.length} layers, the config "${saved.Config}" ${ids.length}`,
    );
  return makeImage({
    config,
    layers: paths.map((path, at) => dockerLayer(file, path, ids[at] as Digest)),
    mediaTypes: 'docker',
  });
}

function dockerLayer(file: ArchiveFile, path: string, diffId: Digest): Layer {
  const item = file.find(path);
  if (!item) throw imageError('ARCHIVE_INVALID', `open archive "${file.what}": layer "${path}" is missing`);
  const layer = new Lazy(async () => {
    const descriptor = await describe(file, item, { path, diffId });
    const blobs: BlobReader = {
      has: async () => true,
      open: async (_, range = {}) => {
        const content = file.read(item, range);
        return (range.offset ?? 0) === 0 && range.length === undefined
          ? verified(content, descriptor, 'layer')
          : content;
      },
    };
    return layerFromBlob(descriptor, { blobs, diffId: async () => diffId });
  });
  return {
    descriptor: async (w) => (await layer.get(w)).descriptor(w),
    diffId: async () => diffId,
    compressed: async (w) => (await layer.get(w)).compressed(w),
    uncompressed: async (w) => (await layer.get(w)).uncompressed(w),
  };
}

/** A plain tar has its diffID as digest, and newer archives name blobs by their digest; only an older compressed one must be read to know it. */
async function describe(
  file: ArchiveFile,
  item: TarItem,
  o: { path: string; diffId: Digest } & Wait,
): Promise<Descriptor> {
  let head: Uint8Array = new Uint8Array();
  for await (const chunk of file.read(item, { length: 6 })) head = chunk;
  const compression = compressionOf(head);
  if (compression === 'bzip2' || compression === 'xz')
    throw imageError(
      'LAYER_UNSUPPORTED',
      `open archive "${file.what}": layer "${o.path}" is compressed by ${compression}`,
    );
  const mediaType = layerType(compression, 'docker');
  if (compression === 'none') return { mediaType, digest: o.diffId, size: item.size };
  const named = /^blobs\/(sha256|sha512)\/([0-9a-f]+)$/.exec(o.path);
  const digest = `${named?.[1]}:${named?.[2]}`;
  if (isDigest(digest)) return { mediaType, digest, size: item.size };
  const digester = new Digester();
  for await (const chunk of file.read(item)) digester.update(chunk);
  return { mediaType, digest: digester.digest(), size: item.size };
}

function readList(file: ArchiveFile): readonly SavedImage[] {
  const bad = (detail: string): Error =>
    imageError('ARCHIVE_INVALID', `open archive "${file.what}": its manifest.json ${detail}`);
  let value: unknown;
  try {
    value = JSON.parse(file.readSmall('manifest.json', CONFIG_LIMIT).toString());
  } catch (error) {
    if (error instanceof SyntaxError) throw bad('is not JSON');
    throw error;
  }
  const isTexts = (list: unknown): boolean =>
    list === undefined || list === null || (Array.isArray(list) && list.every((item) => typeof item === 'string'));
  if (
    !Array.isArray(value) ||
    !value.every(
      (item: unknown) =>
        typeof item === 'object' &&
        item !== null &&
        typeof (item as SavedImage).Config === 'string' &&
        isTexts((item as SavedImage).RepoTags) &&
        isTexts((item as SavedImage).Layers),
    )
  )
    throw bad('is not a list of images');
  return value as readonly SavedImage[];
}
