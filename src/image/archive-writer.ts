import { bytesOf, throwIfCancelled, type Bytes, type Wait } from '../base/index.ts';
import { algorithmOf, hexOf, type Descriptor, type Digest } from '../blob/index.ts';
import { LIFECYCLE_TIME } from '../tree/index.ts';
import { namedDescriptors, type BundleItem } from './bundle.ts';
import { contentsOf, type Content } from './contents.ts';
import { imageError } from './errors.ts';
import { goJson, type GoValue } from './go-json.ts';
import { manifestOf } from './image-from.ts';
import { LAYOUT_FILE } from './layout.ts';
import { encodeManifestCompact } from './manifest.ts';
import { MEDIA } from './media-types.ts';
import { familiarReference, parseReference } from './reference.ts';
import { tarEnd, tarHeader, tarPadding, type ArchiveEntry } from './tar-header.ts';

export interface ArchiveOptions extends Wait {
  /** RFC 3339; becomes an annotation of the descriptors in index.json. */
  readonly created?: string | undefined;
  /** Members of an index to write; the others are left out. */
  readonly members?: ((descriptor: Descriptor) => boolean) | undefined;
  /** How entries are named and headed: as containerd does (by default), or as pack does in a `.cnb` file (names absolute, all 0755, 1980-01-01T00:00:01Z). */
  readonly heads?: 'containerd' | 'cnb' | undefined;
  /** Blobs to leave out, because whoever reads the archive has them; what names them stays. */
  readonly omit?: ((descriptor: Descriptor) => boolean) | undefined;
}

/** Takes the archive as it is made; waited for before the next chunk comes. */
export type WriteChunk = (chunk: Uint8Array) => Promise<void> | void;

/**
 * Writes an OCI layout as a tar, byte for byte as containerd's exporter (BuildKit's `type=oci`) orders and heads it: entries sorted by name, owned by 0:0, dated at the epoch. The same images give the same bytes.
 * Returns the descriptor of each item.
 */
export async function writeOciArchive(
  items: readonly BundleItem[],
  write: WriteChunk,
  o: ArchiveOptions = {},
): Promise<readonly Descriptor[]> {
  const { entries, described } = await layoutEntries(items, o);
  await writeTar(entries, write, o);
  return described;
}

/**
 * Writes what `docker load` reads: the same archive with a manifest.json (BuildKit's `type=docker`), which skopeo and podman read as docker-archive, too. Throws `LAYER_UNSUPPORTED` for an index: Docker's format holds single images.
 */
export async function writeDockerArchive(
  items: readonly BundleItem[],
  write: WriteChunk,
  o: ArchiveOptions = {},
): Promise<readonly Descriptor[]> {
  const { entries, described } = await layoutEntries(items, o);
  const manifests = new Map<Digest, { config: string; tags: string[]; layers: string[] }>();
  for (const [at, { image, names = [] }] of items.entries()) {
    if (image.kind === 'index')
      throw imageError(
        'MANIFEST_UNSUPPORTED',
        'write docker archive: the format cannot hold an index of several platforms',
        {
          remedy: 'Write an OCI archive, or choose one platform.',
        },
      );
    const { config, layers } = await manifestOf(image, o);
    const { digest } = described[at] as Descriptor;
    const known = manifests.get(digest) ?? {
      config: blobName(config.digest),
      tags: [],
      layers: layers.map((layer) => blobName(layer.digest)),
    };
    known.tags.push(...names.map((name) => familiarReference(parseReference(name))));
    manifests.set(digest, known);
  }
  const list = [...manifests.values()].map(
    ({ config, tags, layers }) =>
      new Map<string, GoValue>([
        ['Config', config],
        ['RepoTags', tags.length === 0 ? null : [...new Set(tags)]],
        ['Layers', layers],
      ]),
  );
  entries.set('manifest.json', textEntry(goJson(list)));
  await writeTar(entries, write, o);
  return described;
}

interface Entry {
  readonly mode: number;
  readonly size: number;
  readonly open: (w?: Wait) => Promise<Bytes>;
}

async function layoutEntries(
  items: readonly BundleItem[],
  o: ArchiveOptions,
): Promise<{ entries: Map<string, Entry>; described: readonly Descriptor[] }> {
  const entries = new Map<string, Entry>();
  const described: Descriptor[] = [];
  const listed: Descriptor[] = [];
  for (const item of items) {
    const contents = await contentsOf(item.image, o);
    for (const content of contents) {
      const { digest, size } = content.descriptor;
      if (o.omit?.(content.descriptor)) continue;
      entries.set('blobs/', folderEntry());
      entries.set(`blobs/${algorithmOf(digest)}/`, folderEntry());
      entries.set(blobName(digest), { mode: 0o444, size, open: (w) => content.open(w) });
    }
    const { descriptor } = contents.at(-1) as Content;
    described.push(descriptor);
    listed.push(...namedDescriptors(descriptor, item, o));
  }
  entries.set('oci-layout', { ...textEntry(LAYOUT_FILE), mode: 0o444 });
  const index = encodeManifestCompact({ kind: 'index', mediaType: MEDIA.ociIndex, manifests: listed });
  entries.set('index.json', textEntry(Buffer.from(index).toString()));
  return { entries, described };
}

async function writeTar(entries: ReadonlyMap<string, Entry>, write: WriteChunk, w: ArchiveOptions): Promise<void> {
  for (const [name, entry] of [...entries].sort(([a], [b]) => (a < b ? -1 : 1))) {
    throwIfCancelled(w);
    await write(
      tarHeader(w.heads === 'cnb' ? cnbHead(name, entry.size) : { name, mode: entry.mode, size: entry.size }),
    );
    let written = 0;
    for await (const chunk of await entry.open(w)) {
      written += chunk.length;
      await write(chunk);
    }
    if (written !== entry.size)
      throw imageError(
        'IMAGE_INVALID',
        `write archive: "${name}" has ${written} bytes, its descriptor says ${entry.size}`,
      );
    const padding = tarPadding(written);
    if (padding.length > 0) await write(padding);
  }
  await write(tarEnd());
}

/** An entry's head in a `.cnb` file (pack archive.WriteDirToTar). */
function cnbHead(name: string, size: number): ArchiveEntry {
  return {
    name: `/${name.replace(/\/$/, '')}`,
    mode: 0o755,
    size,
    mtime: LIFECYCLE_TIME,
    isFolder: name.endsWith('/'),
  };
}

function blobName(digest: Digest): string {
  return `blobs/${algorithmOf(digest)}/${hexOf(digest)}`;
}

function folderEntry(): Entry {
  return { mode: 0o755, size: 0, open: async () => bytesOf() };
}

function textEntry(text: string): Entry {
  const content = Buffer.from(text);
  return { mode: 0o644, size: content.length, open: async () => bytesOf(content) };
}
