import type { Wait } from '../../../base/index.ts';
import type { Platform } from '../../../blob/index.ts';
import { digestReference } from '../../../frontend/buildpack/index.ts';
import { parseReference, type Image } from '../../../image/index.ts';
import type { RegistryClient } from '../../../registry/index.ts';
import { openedImage, savedByManifest, type Images, type OpenImage, type SavedImage } from './images.ts';

/** Images in registries. */
export class RegistryImages implements Images {
  readonly #client: RegistryClient;
  readonly #platform: Platform;

  constructor(client: RegistryClient, platform: Platform) {
    this.#client = client;
    this.#platform = platform;
  }

  async open(name: string, w: Wait = {}): Promise<OpenImage> {
    const image = await this.#client.image(parseReference(name), { platform: this.#platform, signal: w.signal });
    return openedImage(image, { referenceOf: (digest) => digestReference(name, digest), signal: w.signal });
  }

  checkWrite(name: string, w?: Wait): Promise<void> {
    return this.#client.checkPush(parseReference(name), w);
  }

  async save(image: Image, o: { name: string; near?: string | undefined } & Wait): Promise<SavedImage> {
    const mountFrom = o.near === undefined ? [] : [parseReference(o.near)];
    await this.#client.push(image, parseReference(o.name), { mountFrom, signal: o.signal });
    return savedByManifest(image, o);
  }
}
