import type { Wait } from '../../../base/index.ts';
import type { Digest, Platform } from '../../../blob/index.ts';
import type { ImageConfig } from '../../../image/index.ts';
import { encodeCacheMetadata, LABELS } from '../model/index.ts';
import type { CacheMetadata, Files, LayerPlan } from '../model/types.ts';
import { CREATED } from './app-config.ts';
import { layersMetadata } from './lifecycle-metadata.ts';
import { digestOfPlan } from './plan-digest.ts';
import { folderLayer, planSbomLayer, sorted, type Built } from './plan-layers.ts';

export interface CachePlan {
  readonly layers: readonly LayerPlan[];
  /** Layers that were to be cached and are not, as the lifecycle says it. */
  readonly warnings: readonly string[];
}

/** The only layer of a cache image that holds nothing. */
export const EMPTY_CACHE_LAYER: LayerPlan = { key: 'empty', createdBy: '', content: [], dialect: 'lifecycle' };

/** The layers of the build cache (lifecycle phase/cache.go): those with cache=true, written as launch layers are, then the SBOM of these. */
export async function planCacheLayers(built: Built, o: { files: Files } & Wait): Promise<CachePlan> {
  const layers: LayerPlan[] = [];
  const warnings: string[] = [];
  for (const { element, layers: all } of built.buildpacks)
    for (const { name, toml, hasFolder } of sorted(all)) {
      if (!toml.cache) continue;
      if (hasFolder) layers.push(folderLayer(element, name, built));
      else warnings.push(`Failed to cache layer '${element.id}:${name}' because it has no contents`);
    }
  const sbom = await planSbomLayer(built, { ...o, folder: 'cache' });
  if (sbom) layers.push(sbom);
  return { layers, warnings };
}

/** What the label (or file) `io.buildpacks.lifecycle.cache.metadata` says of these layers. */
export function cacheMetadata(
  built: Built,
  o: { layers: readonly LayerPlan[]; digests: ReadonlyMap<string, Digest> },
): CacheMetadata {
  const shas = new Map<string, string>(o.layers.map((plan) => [plan.key, digestOfPlan(plan, o.digests)]));
  const sbom = shas.get('sbom');
  return {
    sbom: sbom === undefined ? undefined : { sha: sbom },
    buildpacks: built.buildpacks.map((buildpack) =>
      layersMetadata(buildpack, { shas, wanted: ({ toml }) => toml.cache }),
    ),
  };
}

/** The config of a cache image: of the platform that was built on, its layers those of `cacheMetadata`, in the same order. */
export function cacheConfig(
  metadata: CacheMetadata,
  { platform, diffIds }: { platform: Platform; diffIds: readonly Digest[] },
): ImageConfig {
  return {
    architecture: platform.architecture,
    os: platform.os,
    ...(platform.variant ? { variant: platform.variant } : {}),
    created: CREATED,
    config: { Labels: { [LABELS.cacheMetadata]: encodeCacheMetadata(metadata) } },
    rootfs: { type: 'layers', diff_ids: diffIds },
    history: diffIds.map(() => ({ created: CREATED })),
  };
}
