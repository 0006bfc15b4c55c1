import { gzipSync } from 'node:zlib';
import { bytesOf } from '../base/index.ts';
import { digestOf, parseDigest, type Digest } from '../blob/index.ts';
import { appConfig, digestReference, type LayerPlan, type Process } from '../frontend/buildpack/index.ts';
import { descriptorOf, makeImage, MEDIA, type Image, type ImageConfig, type Layer } from '../image/index.ts';
import { layerTar } from '../snapshot/layer-tar.suite.ts';

/** A run image, and what it is called. */
export interface CraftedRun {
  readonly image: Image;
  readonly config: ImageConfig;
  /** Of its layers' blobs. */
  readonly blobs: readonly Digest[];
}

/** A layer that holds one file. */
function layerOf(name: string, path = name): { layer: Layer; diffId: Digest; blob: Digest } {
  const tar = layerTar([{ name: path, text: name }]);
  const content = gzipSync(tar);
  const descriptor = { mediaType: MEDIA.ociLayerGzip, digest: digestOf(content), size: content.length };
  const layer: Layer = {
    descriptor: async () => descriptor,
    diffId: async () => digestOf(tar),
    compressed: async () => bytesOf(content),
    uncompressed: async () => bytesOf(tar),
  };
  return { layer, diffId: digestOf(tar), blob: descriptor.digest };
}

/** A run image with a layer for each name. */
export function craftRun(
  names: readonly string[],
  o: { labels?: Record<string, string>; architecture?: string; mediaTypes?: 'oci' | 'docker' } = {},
): CraftedRun {
  const layers = names.map((name) => layerOf(name));
  const config: ImageConfig = {
    architecture: o.architecture ?? (process.arch === 'x64' ? 'amd64' : process.arch),
    os: 'linux',
    config: { Env: ['PATH=/bin'], Labels: o.labels ?? {} },
    rootfs: { type: 'layers', diff_ids: layers.map(({ diffId }) => diffId) },
    history: names.map((name) => ({ created_by: name })),
  };
  const image = makeImage({ config, layers: layers.map(({ layer }) => layer), mediaTypes: o.mediaTypes ?? 'oci' });
  return { image, config, blobs: layers.map(({ blob }) => blob) };
}

/** What buildpacks make of an app with three layers, and one of SBOMs if it has one, on a run image of that name. */
export async function craftApp(
  run: CraftedRun,
  o: {
    runName: string;
    mirrors?: readonly string[];
    labels?: Record<string, string>;
    mediaTypes?: 'oci' | 'docker';
    /** Text of the SBOM of `a/one`. */
    sbom?: string;
    processes?: readonly Process[];
  },
): Promise<{ image: Image; blobs: readonly Digest[] }> {
  const plans: LayerPlan[] = [...(o.sbom === undefined ? [] : ['sbom']), 'app:0', 'launcher', 'config'].map((key) => ({
    key,
    createdBy: key,
    content: [],
    dialect: 'lifecycle',
  }));
  const layers = plans.map(({ key }) =>
    key === 'sbom'
      ? layerOf(o.sbom ?? '', 'layers/sbom/launch/a_one/sbom.cdx.json')
      : layerOf(`of-the-app-${key.replace(':', '-')}`),
  );
  const diffIds = run.config.rootfs.diff_ids;
  const config = appConfig(
    {
      platformApi: '0.15',
      appDir: '/workspace',
      layersDir: '/layers',
      uid: 1000,
      gid: 1000,
      buildpacks: [],
      metadata: {
        buildpacks: [
          { kind: 'buildpack', id: 'a/one', version: '1.2.3', api: '0.12', homepage: 'https://one.example' },
        ],
        extensions: [],
        processes: o.processes ?? [],
        defaultProcess: o.processes?.find(({ isDefault }) => isDefault)?.type,
        slices: [],
        labels: Object.entries(o.labels ?? {}).map(([key, value]) => ({ key, value })),
      },
      plans,
      runImage: {
        config: run.config,
        diffIds,
        reference: digestReference(o.runName, (await descriptorOf(run.image)).digest),
        image: o.runName,
        mirrors: o.mirrors ?? [],
      },
      launcher: { version: '1', repository: 'r', commit: 'c' },
    },
    new Map(plans.map(({ key }, at) => [key, layers[at]?.diffId ?? parseDigest('')])),
  );
  const image = makeImage({
    config,
    layers: [...(await run.image.layers()), ...layers.map(({ layer }) => layer)],
    mediaTypes: o.mediaTypes ?? 'oci',
  });
  return { image, blobs: layers.map(({ blob }) => blob) };
}
