import { hasCode, type Wait } from '../../../base/index.ts';
import { moduleName, orderTree, packageOfImage, type ModulePackage } from '../../../frontend/buildpack/index.ts';
import {
  hostPlatform,
  indexManifestOf,
  isAttestation,
  parseReference,
  type Image,
  type Index,
} from '../../../image/index.ts';
import type { RegistryClient } from '../../../registry/index.ts';
import type { ModuleDetails } from './details.ts';

/** What the labels of a package say of it. Manifest and config are read, no layer. Of a package for several platforms, this machine's says it, else the first. */
export async function readDetails(address: string, o: { client: RegistryClient } & Wait): Promise<ModuleDetails> {
  const found = await o.client.image(parseReference(address), { signal: o.signal });
  return detailsOf(await packageIn(found, { what: address, signal: o.signal }));
}

async function packageIn(found: Image | Index, o: { what: string } & Wait): Promise<ModulePackage> {
  const options = { ...o, kind: 'buildpack' as const, host: hostPlatform(process) };
  try {
    return await packageOfImage(found, options);
  } catch (error) {
    if (found.kind === 'image' || !hasCode(error, 'PLATFORM_NOT_FOUND')) throw error;
    const first = (await indexManifestOf(found, o)).manifests.find((member) => !isAttestation(member));
    if (!first) throw error;
    return packageOfImage(await found.member(first, o), options);
  }
}

export function detailsOf({ main, others }: ModulePackage): ModuleDetails {
  const { descriptor } = main;
  const modules = [main, ...others].map((one) => one.descriptor);
  return {
    id: descriptor.id,
    version: descriptor.version,
    api: descriptor.api,
    title: descriptor.name,
    description: descriptor.description,
    homepage: descriptor.homepage,
    licenses: descriptor.licenses,
    keywords: descriptor.keywords,
    stacks: descriptor.stacks.map(({ id }) => id),
    targets: descriptor.targets.map(({ os, arch, variant, distros }) => {
      const platform = [os, arch, variant].filter((part) => part !== '').join('/');
      const names = distros.map((distro) => moduleName({ id: distro.name, version: distro.version })).join(', ');
      return names === '' ? platform : `${platform} (${names})`;
    }),
    order: orderTree(descriptor.order, { modules }),
  };
}
