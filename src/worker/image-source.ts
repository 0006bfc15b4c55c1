import { Flight, type Wait } from '../base/index.ts';
import { digestOf, type DiskBlobStore, type Platform } from '../blob/index.ts';
import type { ImageSource } from '../graph/index.ts';
import { canonicalReference, configOf, formatPlatform, manifestOf, parseReference, platformRuns, type ImageStore, type StoredImage } from '../image/index.ts';
import type { RegistryClient } from '../registry/index.ts';
import { workerError } from './errors.ts';
import type { RefLayer } from './ref.ts';

/** An image that a source was found to be: its bytes' names, not yet its bytes. */
export interface FoundImage {
  /** The reference with the digest that pins it. */
  readonly pinned: string;
  readonly config: Uint8Array;
  readonly layers: readonly RefLayer[];
  readonly from: 'store' | 'registry';
}

/** Finds images: in the local store, then in their registry. Of a registry's image only the manifest and config are fetched; both are kept, so that the next build asks nobody. */
export class ImageFinder {
  readonly #images: ImageStore;
  readonly #flight = new Flight<FoundImage>();

  constructor(o: { images: ImageStore; store: DiskBlobStore }) {
    this.#images = o.images;
  }

  /** Throws `IMAGE_NOT_FOUND`, and what the registry client throws. */
  find(source: ImageSource, o: { registry: () => RegistryClient } & Wait): Promise<FoundImage> {
    return this.#flight.run(`${source.reference} ${formatPlatform(source.platform)} ${source.pull}`, () => this.#find(source, o));
  }

  async #find(source: ImageSource, o: { registry: () => RegistryClient } & Wait): Promise<FoundImage> {
    if (source.pull !== 'always') {
      const stored = await this.#images.find(source.reference, { platform: source.platform });
      if (stored && platformRuns(stored.platform, source.platform)) return foundOf(stored, source.reference);
    }
    if (source.pull === 'never')
      throw workerError('IMAGE_NOT_FOUND', `find "${source.reference}": not in the local store for ${formatPlatform(source.platform)}`, {
        remedy: 'Pull it, or let the build do so.',
      });
    return this.pull(source.reference, { ...o, platform: source.platform });
  }

  /** Asks the registry and puts what it answers into the store under its name, layers left where they are. */
  async pull(reference: string, o: { platform: Platform; registry: () => RegistryClient } & Wait): Promise<FoundImage> {
    const parsed = parseReference(reference);
    const image = await o.registry().image(parsed, { platform: o.platform, signal: o.signal });
    const manifest = await image.manifest(o);
    const { layers: descriptors } = await manifestOf(image, o);
    const { rootfs } = await configOf(image, o);
    const source = canonicalReference({ registry: parsed.registry, repository: parsed.repository });
    const layers: RefLayer[] = descriptors.map((compressed, at) => {
      const diffId = rootfs.diff_ids[at];
      if (diffId === undefined)
        throw workerError('IMAGE_NOT_FOUND', `read "${reference}": its config names ${rootfs.diff_ids.length} layers, its manifest ${descriptors.length}`);
      return { diffId, compressed, source };
    });
    const config = await image.config(o);
    await this.#images.add({ config, layers, manifest, names: [canonicalReference(parsed)] });
    return { pinned: pin(reference, digestOf(manifest)), config, layers, from: 'registry' };
  }
}

export function foundOf(stored: StoredImage, reference: string): FoundImage {
  return { pinned: pin(reference, stored.manifestDigest ?? stored.id), config: stored.config, layers: stored.layers, from: 'store' };
}

function pin(reference: string, digest: string): string {
  const parsed = parseReference(reference);
  return canonicalReference({ ...parsed, digest: digest as `sha256:${string}` });
}
