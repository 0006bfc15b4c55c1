import { collect, Flight, type Wait } from '../base/index.ts';
import type { DiskBlobStore, Platform } from '../blob/index.ts';
import type { ImageSource } from '../graph/index.ts';
import {
  canonicalReference,
  formatPlatform,
  parseReference,
  type ImageRecord,
  type ImageStore,
} from '../image/index.ts';
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
  readonly #store: DiskBlobStore;
  readonly #flight = new Flight<FoundImage>();

  constructor(o: { images: ImageStore; store: DiskBlobStore }) {
    this.#images = o.images;
    this.#store = o.store;
  }

  /** Throws `IMAGE_NOT_FOUND`, and what the registry client throws. */
  find(source: ImageSource, o: { registry: () => RegistryClient } & Wait): Promise<FoundImage> {
    return this.#flight.run(`${source.reference} ${formatPlatform(source.platform)} ${source.pull}`, () =>
      this.#find(source, o),
    );
  }

  async #find(source: ImageSource, o: { registry: () => RegistryClient } & Wait): Promise<FoundImage> {
    if (source.pull !== 'always') {
      const stored = this.#images.find(source.reference, { platform: source.platform });
      if (stored) return this.foundOf(stored, source.reference);
    }
    if (source.pull === 'never')
      throw workerError(
        'IMAGE_NOT_FOUND',
        `find "${source.reference}": not in the local store for ${formatPlatform(source.platform)}`,
        {
          remedy: 'Pull it, or let the build do so.',
        },
      );
    return this.pull(source.reference, { ...o, platform: source.platform });
  }

  /** Asks the registry and puts what it answers into the store under its name, layers left where they are. */
  async pull(reference: string, o: { platform: Platform; registry: () => RegistryClient } & Wait): Promise<FoundImage> {
    const parsed = parseReference(reference);
    const image = await o.registry().image(parsed, { platform: o.platform, signal: o.signal });
    const record = await this.#images.import([canonicalReference(parsed)], image, { lazy: true, signal: o.signal });
    return { ...(await this.foundOf(record, reference)), from: 'registry' };
  }

  async foundOf(record: ImageRecord, reference: string): Promise<FoundImage> {
    const config = await collect(await this.#store.open(record.config));
    const layers = record.layers.map(({ diffId, compressed, source }): RefLayer => ({
      diffId,
      compressed,
      source: source?.reference,
    }));
    const pinned = canonicalReference({
      ...parseReference(reference),
      digest: record.manifest?.digest ?? record.imageId,
    });
    return { pinned, config, layers, from: 'store' };
  }
}
