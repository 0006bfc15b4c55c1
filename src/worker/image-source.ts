import { collect, kindOf, messageOf, type Wait } from '../base/index.ts';
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
import { blobsOfImage, type RefLayer } from './ref.ts';
import type { Session } from './session.ts';

/** An image that a source was found to be: its bytes' names, not yet its bytes. */
export interface FoundImage {
  readonly config: Uint8Array;
  readonly layers: readonly RefLayer[];
  readonly from: 'store' | 'registry';
}

/** One that has a name. */
export interface NamedImage extends FoundImage {
  /** The reference with the digest that pins it. */
  readonly pinned: string;
}

/** Finds images: in the local store, then in their registry. Of a registry's image only the manifest and config are fetched; both are kept, so that the next build asks nobody. */
export class ImageFinder {
  readonly #images: ImageStore;
  readonly #store: DiskBlobStore;

  constructor(o: { images: ImageStore; store: DiskBlobStore }) {
    this.#images = o.images;
    this.#store = o.store;
  }

  /** Asks anew each time: what one session may see is not another's to know. Throws `IMAGE_NOT_FOUND`, `IMAGE_NO_PLATFORM`, and what the registry client throws. */
  async find(source: ImageSource, o: { session: Session; registry: () => RegistryClient } & Wait): Promise<NamedImage> {
    const { reference, platform } = source;
    if (source.pull !== 'always') {
      const stored = this.#images.find(reference, { platform });
      if (stored) return this.#named(stored, reference);
    }
    if (source.pull === 'never') throw this.#absent(reference, platform);
    try {
      return await this.pull(reference, { ...o, platform });
    } catch (error) {
      const asked = source.pull === 'always' || kindOf(error) === 'cancelled';
      if (!asked && this.#platformsOf(reference).length > 0) throw this.#absent(reference, platform, error);
      throw error;
    }
  }

  #absent(reference: string, platform: Platform, cause?: unknown): Error {
    const others = this.#platformsOf(reference);
    const wanted = formatPlatform(platform);
    if (others.length === 0)
      return workerError('IMAGE_NOT_FOUND', `find "${reference}": not in the local store for ${wanted}`, {
        remedy: 'Pull it, or let the build do so.',
        cause,
      });
    const where = cause === undefined ? '' : `, and not to be had from its registry: ${messageOf(cause)}`;
    return workerError(
      'IMAGE_NO_PLATFORM',
      `find "${reference}" for ${wanted}: in the local store it is for ${others.join(', ')} only${where}`,
      { remedy: `Build for ${others[0]} with --platform, or use an image that is made for ${wanted}.`, cause },
    );
  }

  #platformsOf(reference: string): readonly string[] {
    const named = this.#images.list().filter(({ names }) => names.includes(reference));
    return named.map(({ record }) => formatPlatform(record.platform));
  }

  /** Asks the registry and puts what it answers into the store under its name, layers left where they are. */
  async pull(
    reference: string,
    o: { platform: Platform; session: Session; registry: () => RegistryClient } & Wait,
  ): Promise<NamedImage> {
    const record = await this.fetch(reference, o);
    this.#images.put([canonicalReference(parseReference(reference))], record);
    return { ...(await this.#named(record, reference)), from: 'registry' };
  }

  /** `pull`, but no name is given: the record is the session's until somebody does. */
  async fetch(
    reference: string,
    o: { platform: Platform; session: Session; registry: () => RegistryClient } & Wait,
  ): Promise<ImageRecord> {
    const image = await o.registry().image(parseReference(reference), { platform: o.platform, signal: o.signal });
    const record = await this.#images.import([], image, { lazy: true, signal: o.signal });
    o.session.spare(...blobsOfImage(record));
    return record;
  }

  async foundOf(record: ImageRecord): Promise<FoundImage> {
    const config = await collect(await this.#store.open(record.config));
    const layers = record.layers.map(({ diffId, compressed, source }): RefLayer => ({
      diffId,
      compressed,
      source: source?.reference,
    }));
    return { config, layers, from: 'store' };
  }

  async #named(record: ImageRecord, reference: string): Promise<NamedImage> {
    const digest = record.manifest?.digest ?? record.imageId;
    const pinned = canonicalReference({ ...parseReference(reference), digest });
    return { ...(await this.foundOf(record)), pinned };
  }
}
