import {
  closeSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  unlinkSync,
  fstatSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import {
  fileBytes,
  hasErrno,
  isProcessAlive,
  messageOf,
  sleep,
  sys,
  throwIfCancelled,
  type Bytes,
  type Random,
  type Wait,
} from '../base/index.ts';
import {
  algorithmOf,
  blobError,
  hexOf,
  verified,
  type BlobReader,
  type Descriptor,
  type Digest,
} from '../blob/index.ts';
import { bundledImages, IMAGE_NAME, namedDescriptors, REF_NAME, type Bundle, type BundleItem } from './bundle.ts';
import { contentsOf, type Content } from './contents.ts';
import { imageError } from './errors.ts';
import { openImageOrIndex } from './image-from.ts';
import { encodeManifestCompact, parseIndexManifest, type IndexManifest } from './manifest.ts';
import { MEDIA } from './media-types.ts';

/** The content of the file `oci-layout` (image-spec image-layout.md). */
export const LAYOUT_FILE = '{"imageLayoutVersion":"1.0.0"}';

export interface Layout extends Bundle {
  readonly kind: 'oci-layout';
  readonly blobs: BlobReader;
}

/** The images of an OCI layout folder. A sparse layout (blobs missing) is opened, too: what is missing is noticed when it is read. Throws `LAYOUT_INVALID`. */
export function openLayout(folder: string): Layout {
  checkVersion(readLayoutFile(folder, 'oci-layout'), folder);
  const index = parseIndexManifest(readLayoutFile(folder, 'index.json'), { what: `"${join(folder, 'index.json')}"` });
  const blobs = layoutBlobs(folder);
  return {
    kind: 'oci-layout',
    blobs,
    images: bundledImages(index.manifests, (descriptor) => openImageOrIndex(descriptor, { blobs })),
  };
}

/** Throws `LAYOUT_INVALID` when the content of `oci-layout` is not of a version we know. */
export function checkVersion(content: Uint8Array, what: string): void {
  let version: unknown;
  try {
    version = (JSON.parse(Buffer.from(content).toString()) as { imageLayoutVersion?: unknown } | null)
      ?.imageLayoutVersion;
  } catch {
    version = undefined;
  }
  if (typeof version !== 'string' || !version.startsWith('1.'))
    throw imageError(
      'LAYOUT_INVALID',
      `open OCI layout "${what}": its version ${JSON.stringify(version ?? null)} is not 1.x`,
    );
}

/**
 * Writes images into an OCI layout folder, made if there is none. An existing layout is added to; an entry of the same name is replaced (BuildKit's rule). Blobs first, each under a temporary name and renamed, index.json last:
 * whoever reads meanwhile sees the old state or the new one. Without names the image is called `latest`. Returns the descriptor of each item.
 */
export async function writeLayout(
  folder: string,
  items: readonly BundleItem[],
  o: {
    random: Random;
    /** RFC 3339; becomes an annotation of the descriptors. */
    created?: string | undefined;
    /** Members of an index to write; the others are left out, which makes the layout sparse. */
    members?: ((descriptor: Descriptor) => boolean) | undefined;
  } & Wait,
): Promise<readonly Descriptor[]> {
  mkdirSync(join(folder, 'blobs'), { recursive: true });
  using temporary = temporaryFolder(folder, o.random);
  const described: Descriptor[] = [];
  const entries: Descriptor[] = [];
  for (const item of items) {
    const contents = await contentsOf(item.image, o);
    for (const content of contents) await writeBlob(folder, content, { ...o, temporary: temporary.path });
    const { descriptor } = contents.at(-1) as Content;
    const unnamed = (item.names ?? []).length + (item.refs ?? []).length === 0;
    entries.push(...namedDescriptors(descriptor, unnamed ? { ...item, refs: ['latest'] } : item, o));
    described.push(descriptor);
  }
  await updateIndex(folder, entries, { ...o, temporary: temporary.path });
  return described;
}

function layoutBlobs(folder: string): BlobReader {
  const sizeOf = (digest: Digest): number | undefined =>
    statSync(blobPath(folder, digest), { throwIfNoEntry: false })?.size;
  return {
    has: async (descriptor) => sizeOf(descriptor.digest) !== undefined,
    open: async (descriptor, range = {}): Promise<Bytes> => {
      throwIfCancelled(range);
      const path = blobPath(folder, descriptor.digest);
      const size = sizeOf(descriptor.digest);
      if (size === undefined)
        throw blobError('BLOB_NOT_FOUND', `open blob ${descriptor.digest}: not in the layout "${folder}"`);
      const { offset = 0, length } = range;
      if (offset === 0 && length === undefined) return verified(fileBytes(path, range), descriptor);
      return fileBytes(path, {
        offset,
        length: Math.min(length ?? size, Math.max(0, size - offset)),
        signal: range.signal,
      });
    },
  };
}

function blobPath(folder: string, digest: Digest): string {
  return join(folder, 'blobs', algorithmOf(digest), hexOf(digest));
}

function readLayoutFile(folder: string, name: string): Buffer {
  try {
    return readFileSync(join(folder, name));
  } catch (error) {
    if (!hasErrno(error, 'ENOENT', 'ENOTDIR'))
      throw imageError('LAYOUT_INVALID', `open OCI layout "${folder}": ${messageOf(error)}`, { cause: error });
    throw imageError('LAYOUT_INVALID', `open OCI layout "${folder}": there is no "${name}" in it`, {
      cause: error,
      remedy: 'Name a folder that holds "oci-layout", "index.json" and "blobs".',
    });
  }
}

async function writeBlob(folder: string, content: Content, o: { temporary: string } & Wait): Promise<void> {
  const { digest, size } = content.descriptor;
  const target = blobPath(folder, digest);
  if (statSync(target, { throwIfNoEntry: false })?.size === size) return;
  const path = join(o.temporary, hexOf(digest));
  const fd = openSync(path, 'w', 0o644);
  try {
    for await (const chunk of await content.open(o)) {
      throwIfCancelled(o);
      for (let at = 0; at < chunk.length;) at += writeSync(fd, chunk, at);
    }
  } finally {
    closeSync(fd);
  }
  mkdirSync(dirname(target), { recursive: true });
  renameSync(path, target);
}

async function updateIndex(
  folder: string,
  entries: readonly Descriptor[],
  o: { temporary: string } & Wait,
): Promise<void> {
  using _ = await lockIndex(folder, o);
  const put = (name: string, content: string | Uint8Array): void => {
    const path = join(o.temporary, name);
    writeFileSync(path, content, { mode: 0o644 });
    renameSync(path, join(folder, name));
  };
  put('index.json', encodeManifestCompact(merged(existingIndex(folder), entries)));
  put('oci-layout', LAYOUT_FILE);
}

function existingIndex(folder: string): IndexManifest {
  const path = join(folder, 'index.json');
  if (!statSync(path, { throwIfNoEntry: false })) return { kind: 'index', mediaType: MEDIA.ociIndex, manifests: [] };
  return parseIndexManifest(readFileSync(path), { what: `"${path}"` });
}

function merged(index: IndexManifest, entries: readonly Descriptor[]): IndexManifest {
  const key = (d: Descriptor): string => `${d.annotations?.[REF_NAME] ?? ''}\n${d.annotations?.[IMAGE_NAME] ?? ''}`;
  const replaced = new Set(entries.map((entry) => key(entry)));
  const isOutdated = (old: Descriptor): boolean =>
    replaced.has(key(old)) && (key(old) !== '\n' || entries.some((entry) => entry.digest === old.digest));
  return { ...index, manifests: [...index.manifests.filter((old) => !isOutdated(old)), ...entries] };
}

/** The lock that BuildKit's client takes (`index.json.lock`), so that both may write the same layout at once. */
async function lockIndex(folder: string, w: Wait): Promise<Disposable> {
  const path = join(folder, 'index.json.lock');
  for (;;) {
    const fd = openSync(path, 'a', 0o644);
    const isOurs = sys.flock(fd, 'exclusive') && statSync(path, { throwIfNoEntry: false })?.ino === fstatSync(fd).ino;
    if (isOurs)
      return {
        [Symbol.dispose]: () => {
          unlinkSync(path);
          closeSync(fd);
        },
      };
    closeSync(fd);
    await sleep(10, w);
  }
}

/** A folder for what is being written, on the same file system. What writers that were killed left behind is removed. */
function temporaryFolder(folder: string, random: Random): { readonly path: string } & Disposable {
  for (const name of readdirSync(folder)) {
    const pid = /^\.strake-(\d+)-/.exec(name)?.[1];
    if (pid !== undefined && !isProcessAlive(Number(pid))) rmSync(join(folder, name), { recursive: true, force: true });
  }
  const path = join(folder, `.strake-${process.pid}-${random.hex(6)}`);
  mkdirSync(path);
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) };
}
