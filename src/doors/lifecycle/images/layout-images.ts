import { accessSync, constants, existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { reasonOf, type Random, type Wait } from '../../../base/index.ts';
import type { Platform } from '../../../blob/index.ts';
import { chooseImage, openLayout, parseReference, writeLayout, type Image } from '../../../image/index.ts';
import { lifecycleError } from '../errors.ts';
import { openedImage, savedByManifest, type Images, type OpenImage, type SavedImage } from './images.ts';

/** Images as OCI layouts, each in a folder that its name gives (platform.md, OCI Layout; RFC 0119). */
export class LayoutImages implements Images {
  readonly #folder: string;
  readonly #o: { readonly platform: Platform; readonly random: Random };

  constructor(folder: string, o: { platform: Platform; random: Random }) {
    this.#folder = folder;
    this.#o = o;
  }

  async open(name: string, w: Wait = {}): Promise<OpenImage> {
    const path = this.#path(name);
    if (!existsSync(join(path, 'index.json')))
      throw lifecycleError('LIFECYCLE_IMAGE_MISSING', `open the image "${name}": there is no OCI layout "${path}"`, {
        remedy: 'Put the run image there, or name another folder with -layout-dir.',
      });
    const { images } = openLayout(path);
    // One folder is one image: the last that was written.
    const found = await images.at(-1)?.open();
    if (!found) throw lifecycleError('LIFECYCLE_IMAGE_MISSING', `open the image "${name}": "${path}" holds none`);
    const { image } = await chooseImage(found, this.#o.platform, { what: name, signal: w.signal });
    return openedImage(image, { referenceOf: (digest) => `${path}@${digest}`, signal: w.signal });
  }

  async checkWrite(name: string): Promise<void> {
    const path = this.#path(name);
    try {
      mkdirSync(path, { recursive: true });
      accessSync(path, constants.W_OK);
    } catch (error) {
      throw lifecycleError('LIFECYCLE_SAVE_FAILED', `write to "${path}": ${reasonOf(error)}`, { cause: error });
    }
  }

  async save(image: Image, o: { name: string } & Wait): Promise<SavedImage> {
    const { tag = 'latest' } = parseReference(o.name);
    await writeLayout(this.#path(o.name), [{ image, refs: [tag] }], { random: this.#o.random, signal: o.signal });
    return savedByManifest(image, o);
  }

  /** `<folder>/<registry>/<repository>/<tag>`, or `/<algorithm>/<hex>` for a digest; a `path@digest` is that path. */
  #path(name: string): string {
    const known = /^(\/.*)@[a-z0-9]+:[0-9a-f]+$/.exec(name)?.[1];
    if (known !== undefined) return known;
    const { registry, repository, tag, digest } = parseReference(name);
    const host = registry === 'docker.io' ? 'index.docker.io' : registry;
    const last = digest === undefined ? (tag ?? 'latest') : digest.replace(':', '/');
    return join(this.#folder, host, repository, last);
  }
}
