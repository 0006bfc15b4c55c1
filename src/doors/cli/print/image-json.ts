import type { ImageDetails, ImageSummary } from '../../../engine/index.ts';

/** An image as `docker image inspect` shows it, with what strake knows beside. */
export function inspectJson(details: ImageDetails): unknown {
  const { config, names, manifestDigest } = details;
  return {
    Id: details.id,
    RepoTags: names.filter((name) => !name.includes('@')),
    RepoDigests:
      manifestDigest === undefined ? [] : [...new Set(names.map((name) => `${repositoryOf(name)}@${manifestDigest}`))],
    Created: config.created,
    Author: config.author,
    Config: config.config ?? {},
    Architecture: config.architecture,
    Variant: config.variant,
    Os: config.os,
    OsVersion: config['os.version'],
    Size: details.size,
    RootFS: { Type: config.rootfs.type, Layers: config.rootfs.diff_ids },
    Descriptor: manifestDigest === undefined ? undefined : { digest: manifestDigest },
    History: config.history ?? [],
    Layers: details.layers,
    Manifest: details.manifest,
  };
}

/** One image of a list. */
export function summaryJson(image: ImageSummary): unknown {
  return {
    id: image.id,
    names: image.names,
    manifestDigest: image.manifestDigest,
    platform: image.platform,
    createdAt: image.createdAt === undefined ? undefined : new Date(image.createdAt).toISOString(),
    size: image.size,
  };
}

export function repositoryOf(name: string): string {
  const bare = name.split('@')[0] ?? name;
  return /^(.*):[^/]*$/.exec(bare)?.[1] ?? bare;
}

export function tagOf(name: string): string {
  return /:([^/:]*)$/.exec(name.split('@')[0] ?? name)?.[1] ?? '<none>';
}
