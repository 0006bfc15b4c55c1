import { goJson, type GoValue } from '../../../image/index.ts';
import { flagOf, jsonObject, objectOf, textOf, textsOf } from './loose.ts';
import { jsonData, struct } from './sorted-table.ts';
import type {
  BuildpackLayersMetadata,
  CacheMetadata,
  LayerMetadata,
  LifecycleMetadata,
  RunImage,
  Table,
} from './types.ts';

/** What there is where there is no previous image. */
export const EMPTY_LIFECYCLE_METADATA: LifecycleMetadata = {
  app: [],
  buildpacks: [],
  config: { sha: '' },
  launcher: { sha: '' },
  processTypes: { sha: '' },
  runImage: { topLayer: '', reference: '' },
};

export const EMPTY_CACHE_METADATA: CacheMetadata = { buildpacks: [] };

/** The label `io.buildpacks.lifecycle.metadata`, members in the lifecycle's order. */
export function encodeLifecycleMetadata(metadata: LifecycleMetadata): string {
  const { runImage, stack } = metadata;
  return goJson(
    struct({
      app: metadata.app.length === 0 ? null : metadata.app.map(shaJson),
      sbom: metadata.sbom && shaJson(metadata.sbom),
      buildpacks: buildpacksJson(metadata.buildpacks),
      config: shaJson(metadata.config),
      'exec-env': metadata.execEnv || undefined,
      launcher: shaJson(metadata.launcher),
      'process-types': shaJson(metadata.processTypes),
      runImage: struct({
        topLayer: runImage.topLayer,
        reference: runImage.reference,
        image: runImage.image || undefined,
        mirrors: runImage.mirrors?.length ? runImage.mirrors : undefined,
      }),
      stack: stack && struct({ runImage: runImageJson(stack.runImage) }),
    }),
  );
}

/** The label of an image, or undefined where it is no such JSON (an image that other tools made, or a very old one). */
export function parseLifecycleMetadata(text: string): LifecycleMetadata | undefined {
  const top = jsonObject(text);
  return top && lifecycleMetadataOf(top);
}

/** The same out of JSON or TOML that was parsed: keys of both are known. */
export function lifecycleMetadataOf(top: Table): LifecycleMetadata {
  const runImage = objectOf(top['runImage'] ?? top['run-image']);
  const stackImage = objectOf(objectOf(top['stack'])?.['runImage'] ?? objectOf(top['stack'])?.['run-image']);
  return {
    app: Array.isArray(top['app']) ? top['app'].map((item: unknown) => shaOf(item)) : [],
    sbom: objectOf(top['sbom']) && shaOf(top['sbom']),
    buildpacks: buildpacksOf(top['buildpacks']),
    config: shaOf(top['config']),
    execEnv: textOf(top['exec-env']) || undefined,
    launcher: shaOf(top['launcher']),
    processTypes: shaOf(top['process-types']),
    runImage: {
      topLayer: textOf(runImage?.['topLayer'] ?? runImage?.['top-layer']),
      reference: textOf(runImage?.['reference']),
      image: textOf(runImage?.['image']) || undefined,
      mirrors: runImage?.['mirrors'] === undefined ? undefined : textsOf(runImage['mirrors']),
    },
    stack: objectOf(top['stack'])
      ? { runImage: { image: textOf(stackImage?.['image']), mirrors: textsOf(stackImage?.['mirrors']) } }
      : undefined,
  };
}

/** The label `io.buildpacks.lifecycle.cache.metadata`, and the file of that name in a cache folder. */
export function encodeCacheMetadata(metadata: CacheMetadata): string {
  return goJson(
    struct({ sbom: shaJson(metadata.sbom ?? { sha: '' }), buildpacks: buildpacksJson(metadata.buildpacks) }),
  );
}

/** Empty for text that is no such JSON: such a cache is as none. */
export function parseCacheMetadata(text: string): CacheMetadata {
  const top = jsonObject(text);
  if (top === undefined) return EMPTY_CACHE_METADATA;
  const sbom = shaOf(top['sbom']);
  return { sbom: sbom.sha === '' ? undefined : sbom, buildpacks: buildpacksOf(top['buildpacks']) };
}

/** As `[metadata]` of analyzed.toml: the lifecycle's keys, which differ from those of the label. */
export function lifecycleMetadataTable(metadata: LifecycleMetadata): Record<string, unknown> {
  const { runImage, stack } = metadata;
  return {
    app: metadata.app.length === 0 ? undefined : metadata.app,
    sbom: metadata.sbom,
    buildpacks: metadata.buildpacks.map(({ key, version, layers, store }) => ({
      key,
      version,
      layers: Object.fromEntries(
        Object.entries(layers).map(([name, { sha, data, build, launch, cache }]) => [
          name,
          { sha, metadata: data, build, launch, cache },
        ]),
      ),
      store: store && { metadata: store.metadata },
    })),
    config: metadata.config,
    'exec-env': metadata.execEnv,
    launcher: metadata.launcher,
    'process-types': metadata.processTypes,
    'run-image': {
      'top-layer': runImage.topLayer,
      reference: runImage.reference,
      image: runImage.image,
      mirrors: runImage.mirrors?.length ? runImage.mirrors : undefined,
    },
    stack: stack && {
      'run-image': {
        image: stack.runImage.image || undefined,
        mirrors: stack.runImage.mirrors.length === 0 ? undefined : stack.runImage.mirrors,
      },
    },
  };
}

const shaJson = ({ sha }: { readonly sha: string }): GoValue => struct({ sha });
const runImageJson = ({ image, mirrors }: RunImage): GoValue =>
  struct({ image: image || undefined, mirrors: mirrors.length === 0 ? undefined : mirrors });

function buildpacksJson(buildpacks: readonly BuildpackLayersMetadata[]): GoValue {
  return buildpacks.map(({ key, version, layers, store }) =>
    struct({
      key,
      version,
      layers: Object.fromEntries(Object.entries(layers).map(([name, layer]) => [name, layerJson(layer)])),
      store: store && struct({ metadata: jsonData(store.metadata) }),
    }),
  );
}

const layerJson = ({ sha, data, build, launch, cache }: LayerMetadata): GoValue =>
  struct({ sha, data: data === undefined ? null : jsonData(data), build, launch, cache });

const shaOf = (value: unknown): { readonly sha: string } => ({ sha: textOf(objectOf(value)?.['sha']) });

function buildpacksOf(value: unknown): readonly BuildpackLayersMetadata[] {
  if (!Array.isArray(value)) return [];
  return value.flatMap((item: unknown) => {
    const buildpack = objectOf(item);
    if (buildpack === undefined) return [];
    const store = objectOf(buildpack['store']);
    return [
      {
        key: textOf(buildpack['key']),
        version: textOf(buildpack['version']),
        layers: layersOf(buildpack['layers']),
        store: store && { metadata: objectOf(store['metadata']) ?? {} },
      },
    ];
  });
}

function layersOf(value: unknown): Readonly<Record<string, LayerMetadata>> {
  return Object.fromEntries(
    Object.entries(objectOf(value) ?? {}).map(([name, item]) => {
      const layer = objectOf(item) ?? {};
      return [
        name,
        {
          sha: textOf(layer['sha']),
          data: objectOf(layer['data'] ?? layer['metadata']),
          build: flagOf(layer['build']),
          launch: flagOf(layer['launch']),
          cache: flagOf(layer['cache']),
        },
      ];
    }),
  );
}
