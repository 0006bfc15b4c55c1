import type { Digest } from '../../../blob/index.ts';
import { apiAtLeast } from '../model/index.ts';
import type {
  BuildpackLayersMetadata,
  BuiltBuildpack,
  BuiltLayer,
  LayerMetadata,
  LifecycleMetadata,
} from '../model/types.ts';
import type { AppConfigInput } from './app-config.ts';
import { digestOfPlan } from './plan-digest.ts';

/** What the label `io.buildpacks.lifecycle.metadata` of an app image says. */
export function lifecycleMetadata(input: AppConfigInput, digests: ReadonlyMap<string, Digest>): LifecycleMetadata {
  const { plans, runImage, platformApi } = input;
  const shas = new Map<string, string>(plans.map((plan) => [plan.key, digestOfPlan(plan, digests)]));
  const sha = (key: string): { readonly sha: string } => ({ sha: shas.get(key) ?? '' });
  const run = { image: runImage.image, mirrors: runImage.mirrors };
  return {
    app: plans.filter(({ key }) => /^app:\d+$/.test(key)).map(({ key }) => sha(key)),
    sbom: shas.has('sbom') ? sha('sbom') : undefined,
    buildpacks: input.buildpacks.map((buildpack) => ({
      ...layersMetadata(buildpack, { shas, wanted: ({ toml }) => toml.launch }),
      store: buildpack.store && { metadata: buildpack.store },
    })),
    config: sha('config'),
    execEnv: apiAtLeast(platformApi, '0.15') ? input.execEnv : undefined,
    launcher: sha('launcher'),
    processTypes: sha('process-types'),
    runImage: {
      topLayer: runImage.diffIds.at(-1) ?? '',
      reference: runImage.reference,
      ...(apiAtLeast(platformApi, '0.12') ? run : {}),
    },
    stack: { runImage: run },
  };
}

/** Of a buildpack the layers that are wanted and have a digest. */
export function layersMetadata(
  { element, layers }: BuiltBuildpack,
  o: { shas: ReadonlyMap<string, string>; wanted: (layer: BuiltLayer) => boolean },
): BuildpackLayersMetadata {
  const known: Record<string, LayerMetadata> = {};
  for (const layer of layers) {
    const sha = o.shas.get(`${element.id}:${layer.name}`);
    if (sha === undefined || !o.wanted(layer)) continue;
    const { launch, build, cache, metadata } = layer.toml;
    known[layer.name] = {
      sha,
      data: Object.keys(metadata).length > 0 ? metadata : undefined,
      build,
      launch,
      cache,
    };
  }
  return { key: element.id, version: element.version, layers: known };
}
