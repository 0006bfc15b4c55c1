import type { Bytes, Random, Wait } from '../base/index.ts';
import { algorithmOf, blobError, hexOf, verified, type BlobReader } from '../blob/index.ts';
import { ArchiveFile } from './archive-file.ts';
import { bundledImages, type Bundle } from './bundle.ts';
import { dockerImages } from './docker-archive.ts';
import { imageError } from './errors.ts';
import { openImageOrIndex } from './image-from.ts';
import { checkVersion } from './layout.ts';
import { MANIFEST_LIMIT, parseIndexManifest } from './manifest.ts';

export interface Archive extends Bundle, Disposable {
  readonly kind: 'oci-archive' | 'docker-archive';
}

/**
 * The images of an archive: an OCI layout as a tar, or what `docker save` writes (of any version since 1.10; a newer one holds both, and the layout is taken). It may be compressed (gzip, zstd; bzip2, xz by the system's tools), and may come as a stream. Images stay readable until the archive is disposed of.
 * Throws `ARCHIVE_INVALID`.
 */
export async function openArchive(
  source: string | Bytes,
  o: {
    /** Where an archive that is compressed or comes as a stream may be unpacked to. */
    temp: string;
    random: Random;
    what?: string | undefined;
  } & Wait,
): Promise<Archive> {
  const file = await ArchiveFile.open(source, o);
  try {
    const bundle = read(file);
    return { ...bundle, [Symbol.dispose]: () => file[Symbol.dispose]() };
  } catch (error) {
    file[Symbol.dispose]();
    throw error;
  }
}

function read(file: ArchiveFile): Omit<Archive, typeof Symbol.dispose> {
  if (file.find('oci-layout') && file.find('index.json')) {
    checkVersion(file.readSmall('oci-layout', 4096), file.what);
    const blobs = archiveBlobs(file);
    const index = parseIndexManifest(file.readSmall('index.json', MANIFEST_LIMIT), {
      what: `"index.json" of archive "${file.what}"`,
    });
    return {
      kind: 'oci-archive',
      images: bundledImages(index.manifests, (descriptor) => openImageOrIndex(descriptor, { blobs })),
    };
  }
  if (file.find('manifest.json')) return { kind: 'docker-archive', images: dockerImages(file) };
  throw imageError(
    'ARCHIVE_INVALID',
    `open archive "${file.what}": neither an OCI layout (oci-layout, index.json) nor a Docker archive (manifest.json)`,
    file.find('repositories')
      ? { remedy: 'This is the format of Docker before 1.10: load and save it with a current Docker.' }
      : {
          remedy: 'Name an archive that "docker save", "skopeo copy" or a build wrote; a root file system is no image.',
        },
  );
}

function archiveBlobs(file: ArchiveFile): BlobReader {
  const nameOf = (digest: `${string}:${string}`): string => `blobs/${algorithmOf(digest)}/${hexOf(digest)}`;
  return {
    has: async (descriptor) => file.find(nameOf(descriptor.digest)) !== undefined,
    open: async (descriptor, range = {}) => {
      const item = file.find(nameOf(descriptor.digest));
      if (!item) throw blobError('BLOB_NOT_FOUND', `open blob ${descriptor.digest}: not in the archive "${file.what}"`);
      const content = file.read(item, range);
      return (range.offset ?? 0) === 0 && range.length === undefined ? verified(content, descriptor) : content;
    },
  };
}
