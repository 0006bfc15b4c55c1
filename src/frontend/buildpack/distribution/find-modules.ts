import { existsSync, statSync } from 'node:fs';
import type { Image, Index } from '../../../image/index.ts';
import { buildpackError } from '../errors.ts';
import { parseLocator, type Locator } from './locator.ts';
import type { ModulePackage } from './module.ts';
import { fromFolder, packageAtPath, packageOfImage, type ReadOptions } from './read-package.ts';
import type { RegistryAddress } from './registry-index.ts';

/** How what a locator names is reached. */
export interface ModuleSources {
  /** An image or index by its reference, from wherever the caller keeps images. */
  image(reference: string): Promise<Image | Index>;
  /** Brings what is at a URL to a file of this machine. */
  download(url: string): Promise<string>;
  /** The image of a buildpack that a registry knows. */
  registered(wanted: Extract<Locator, { kind: 'registry' }>): Promise<RegistryAddress>;
}

/**
 * The modules that a locator names: a folder, an archive, a `.cnb` file, an OCI layout, an image, an entry of a registry. Paths are relative to `folder`.
 * Throws `CNB_LOCATOR_INVALID`, `CNB_MODULE_INVALID`, `CNB_MODULE_MISSING`.
 */
export async function findModules(
  text: string,
  o: Omit<ReadOptions, 'what'> & {
    readonly folder: string;
    readonly sources: ModuleSources;
    /** Paths and URLs are refused: an index for several targets has one image for each of them in it, which a path cannot give. */
    readonly imagesOnly?: boolean | undefined;
  },
): Promise<ModulePackage> {
  const locator = parseLocator(text, { exists: (path) => existsSync(fromFolder(path, o.folder)) });
  switch (locator.kind) {
    case 'path':
    case 'url': {
      const path = locator.kind === 'path' ? fromFolder(locator.path, o.folder) : undefined;
      if (o.imagesOnly && !isLayout(path))
        throw buildpackError(
          'CNB_LOCATOR_INVALID',
          `use "${text}": a composite for several targets takes its parts from images`,
          { remedy: 'Push it to a registry and write docker://IMAGE, or make the package for one target.' },
        );
      return packageAtPath(path ?? (await o.sources.download(text)), { ...o, what: text });
    }
    case 'image':
      return packageOfImage(await o.sources.image(locator.reference), { ...o, what: locator.reference });
    case 'registry': {
      const { address } = await o.sources.registered(locator);
      return packageOfImage(await o.sources.image(address), { ...o, what: address });
    }
    default:
      throw buildpackError('CNB_LOCATOR_INVALID', `use "${text}": there is no builder that it could be of`);
  }
}

/** An OCI layout holds indexes as well as a registry does. */
function isLayout(path: string | undefined): boolean {
  return path !== undefined && statSync(path).isDirectory() && existsSync(`${path}/oci-layout`);
}
