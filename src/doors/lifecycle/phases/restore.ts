import { copyFileSync, mkdirSync, rmSync } from 'node:fs';
import { kindOf, messageOf, type Wait } from '../../../base/index.ts';
import { parseDigest } from '../../../blob/index.ts';
import {
  EMPTY_CACHE_METADATA,
  encodeLayerToml,
  encodeStoreToml,
  escapeId,
  planRestore,
  planSbomRestore,
  type Analyzed,
  type CacheMetadata,
  type GroupElement,
  type RestoredLayer,
} from '../../../frontend/buildpack/index.ts';
import type { BuildCache } from '../cache/build-cache.ts';
import { writeText, type PhaseContext } from '../context.ts';
import { diskFiles } from '../disk-files.ts';
import { extractBelow } from '../extract-below.ts';

/** Brings back what the build before left: metadata of layers, layers of the cache, SBOM files (platform.md, restorer). */
export async function restore(
  c: PhaseContext,
  o: { analyzed: Analyzed; group: readonly GroupElement[]; cache: BuildCache | undefined; skipLayers: boolean },
): Promise<void> {
  const { inputs, log } = c;
  const layersDir = inputs.path('layers');
  const metadata = (await o.cache?.metadata(c)) ?? EMPTY_CACHE_METADATA;
  const plan = planRestore({
    group: o.group,
    app: o.analyzed.metadata,
    cache: metadata,
    platformApi: inputs.api,
    execEnv: inputs.execEnv,
    skipLayers: o.skipLayers,
  });
  const folderOf = ({ id }: GroupElement): string => `${layersDir}/${escapeId(id)}`;
  for (const line of plan.lines) log.say(line);
  for (const store of plan.stores)
    writeText(`${folderOf(store.buildpack)}/store.toml`, encodeStoreToml(store.metadata));
  await Promise.all(
    plan.layers.map((layer) =>
      restoreLayer(layer, { ...c, ...o, folder: `${folderOf(layer.buildpack)}/${layer.layer}` }),
    ),
  );
  if (inputs.since('0.8')) await restoreSbom(metadata, { ...c, ...o, layersDir });
}

async function restoreLayer(
  layer: RestoredLayer,
  c: PhaseContext & { readonly cache: BuildCache | undefined; readonly folder: string },
): Promise<void> {
  const { folder, cache } = c;
  const drop = (): void => {
    rmSync(folder, { recursive: true, force: true });
    rmSync(`${folder}.toml`, { force: true });
  };
  if (layer.action === 'remove') drop();
  if (layer.action === 'metadata' || layer.action === 'contents')
    writeText(`${folder}.toml`, encodeLayerToml(layer.metadata));
  if (layer.action !== 'contents' || !cache) return;
  try {
    await extractBelow(await cache.layer(parseDigest(layer.sha), c), folder, c);
  } catch (error) {
    if (kindOf(error) === 'cancelled') throw error;
    c.log.warn(`Skipping restore for layer ${layer.buildpack.id}:${layer.layer}: ${messageOf(error)}`);
    // Half a layer, or metadata of a cached layer without it, would be taken for whole.
    drop();
  }
}

/** SBOM files of the cache, and those that the analyzer brought from the image, to where buildpacks look for them. */
async function restoreSbom(
  { sbom }: CacheMetadata,
  c: PhaseContext & {
    readonly cache: BuildCache | undefined;
    readonly group: readonly GroupElement[];
    readonly layersDir: string;
  },
): Promise<void> {
  const { layersDir, group } = c;
  if (c.cache && sbom?.sha)
    try {
      const tree = await c.cache.layer(parseDigest(sbom.sha), c);
      c.log.info('Restoring data for SBOM from cache');
      await extractBelow(tree, `${layersDir}/sbom/cache`, c);
    } catch (error) {
      if (kindOf(error) === 'cancelled') throw error;
      c.log.warn(`Skipping restore of SBOM from cache: ${messageOf(error)}`);
    }
  for (const { from, to } of await planSbomRestore(diskFiles, { group, layersDir, ...wait(c) })) {
    mkdirSync(to.slice(0, to.lastIndexOf('/')), { recursive: true });
    copyFileSync(from, to);
  }
  rmSync(`${layersDir}/sbom`, { recursive: true, force: true });
}

const wait = ({ signal }: Wait): Wait => ({ signal });
