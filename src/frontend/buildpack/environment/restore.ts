import { apiAtLeast } from '../model/api.ts';
import { forExecEnv } from '../model/ids.ts';
import type {
  ApiVersion,
  BuildpackLayersMetadata,
  CacheMetadata,
  GroupElement,
  LayerMetadata,
  LifecycleMetadata,
  Table,
} from '../model/types.ts';

/** What a restore does for one layer. */
export type RestoredLayer = {
  readonly buildpack: GroupElement;
  readonly layer: string;
} & (
  | { readonly action: 'metadata'; readonly metadata: Table | undefined }
  /** Metadata, and the cache's layer of this diffID, extracted to `/`. */
  | { readonly action: 'contents'; readonly metadata: Table | undefined; readonly sha: string }
  /** Folder and `<layer>.toml` are removed: the cache holds something else. */
  | { readonly action: 'remove' }
  | { readonly action: 'nothing'; readonly reason: string }
);

export interface RestorePlan {
  /** In the order of the group, by name. */
  readonly layers: readonly RestoredLayer[];
  /** store.toml of each buildpack that had one. */
  readonly stores: readonly { readonly buildpack: GroupElement; readonly metadata: Table }[];
  /** The lifecycle's lines. */
  readonly lines: readonly { readonly level: 'debug' | 'info'; readonly text: string }[];
}

export interface RestoreInput {
  readonly group: readonly GroupElement[];
  /** Of the previous image. */
  readonly app: LifecycleMetadata;
  readonly cache: CacheMetadata;
  readonly platformApi: ApiVersion;
  readonly execEnv: string;
  /** The execution environment of the previous image (its label `io.buildpacks.exec-env`, else `execEnv` of its metadata). */
  readonly previousExecEnv?: string | undefined;
  readonly skipLayers?: boolean | undefined;
}

/**
 * Which layers a build starts with (platform.md, restorer; buildpack.md, Layer Types; lifecycle internal/layer/metadata_restorer.go, phase/restorer.go): contents come from the cache alone.
 * Layers of an image that was built for another execution environment are not looked at, and those whose `exec-env` leaves out the current one are not restored.
 */
export function planRestore(input: RestoreInput): RestorePlan {
  const lines: { level: 'debug' | 'info'; text: string }[] = [];
  const stores = input.group.flatMap((buildpack) => {
    const store = layersOf(input.app.buildpacks, buildpack)?.store;
    return store ? [{ buildpack, metadata: store.metadata }] : [];
  });
  if (input.skipLayers) {
    lines.push({ level: 'info', text: 'Skipping buildpack layer analysis' });
    return { layers: [], stores, lines };
  }
  const layers = input.group.flatMap((buildpack) => restoreBuildpack(buildpack, { input, lines }));
  return { layers, stores, lines };
}

interface Context {
  readonly input: RestoreInput;
  readonly lines: { level: 'debug' | 'info'; text: string }[];
}

function restoreBuildpack(buildpack: GroupElement, { input, lines }: Context): RestoredLayer[] {
  const app = sameExecEnv(input) ? (layersOf(input.app.buildpacks, buildpack)?.layers ?? {}) : {};
  const cache = layersOf(input.cache.buildpacks, buildpack)?.layers ?? {};
  const names = [...new Set([...Object.keys(app), ...Object.keys(cache)])].sort((a, b) => (a < b ? -1 : 1));
  return names.map((layer): RestoredLayer => {
    const id = `${buildpack.id}:${layer}`;
    const found = sourceOf({ app: app[layer], cache: cache[layer] }, { input, buildpack });
    if (found.reason !== undefined) {
      lines.push({ level: 'debug', text: `Not restoring ${found.what}"${id}"${found.from}, ${found.reason}` });
      return { buildpack, layer, action: 'nothing', reason: found.reason };
    }
    const { from, source } = found;
    lines.push({ level: 'info', text: `Restoring metadata for "${id}" from ${from}` });
    const cached = cache[layer];
    if (cached === undefined || !cached.cache) return { buildpack, layer, action: 'metadata', metadata: source.data };
    if (cached.sha !== source.sha) {
      lines.push({ level: 'info', text: `Removing "${id}", wrong sha` });
      lines.push({ level: 'debug', text: `Layer sha: "${source.sha}", cache sha: "${cached.sha}"` });
      return { buildpack, layer, action: 'remove' };
    }
    lines.push({ level: 'info', text: `Restoring data for "${id}" from cache` });
    return { buildpack, layer, action: 'contents', metadata: source.data, sha: cached.sha };
  });
}

type Source =
  | { readonly source: LayerMetadata; readonly from: 'app image' | 'cache'; readonly reason?: undefined }
  | { readonly reason: string; readonly what: string; readonly from: string };

/** Where the metadata of a layer comes from, or why it does not. The cache is asked where the image has nothing to give. */
function sourceOf(
  { app, cache }: { readonly app: LayerMetadata | undefined; readonly cache: LayerMetadata | undefined },
  o: { input: RestoreInput; buildpack: GroupElement },
): Source {
  const inApp = app === undefined ? undefined : (appReason(app, cache) ?? execEnvReason(app, o));
  if (app !== undefined && inApp === undefined) return { source: app, from: 'app image' };
  const fromCache = cache === undefined ? undefined : (cacheReason(cache, { ...o, app }) ?? execEnvReason(cache, o));
  if (cache !== undefined && fromCache === undefined) return { source: cache, from: 'cache' };
  if (inApp !== undefined) return { reason: inApp, what: 'metadata for ', from: '' };
  return { reason: fromCache ?? 'not there', what: '', from: ' from cache' };
}

function appReason(app: LayerMetadata, cache: LayerMetadata | undefined): string | undefined {
  if (!app.launch) return 'marked as launch=false';
  if (app.build && !app.cache) return 'marked as build=true, cache=false';
  if (app.cache && cache?.cache !== true) return 'marked as cache=true, but not found in cache';
  return undefined;
}

function cacheReason(
  cache: LayerMetadata,
  o: { input: RestoreInput; app: LayerMetadata | undefined },
): string | undefined {
  if (!cache.cache) return 'marked as cache=false';
  if (cache.launch && (o.app !== undefined || !apiAtLeast(o.input.platformApi, '0.14'))) return 'marked as launch=true';
  return undefined;
}

function execEnvReason(
  layer: LayerMetadata,
  { input, buildpack }: { input: RestoreInput; buildpack: GroupElement },
): string | undefined {
  const list = layer.data?.['exec-env'];
  if (!apiAtLeast(input.platformApi, '0.15') || !apiAtLeast(buildpack.api, '0.12') || !Array.isArray(list))
    return undefined;
  const names = list.filter((name): name is string => typeof name === 'string');
  return forExecEnv(names, input.execEnv) ? undefined : `for the execution environment ${names.join(', ')}`;
}

function sameExecEnv(input: RestoreInput): boolean {
  if (!apiAtLeast(input.platformApi, '0.15')) return true;
  return (input.previousExecEnv ?? input.app.execEnv ?? 'production') === input.execEnv;
}

const layersOf = (
  buildpacks: readonly BuildpackLayersMetadata[],
  { id }: GroupElement,
): BuildpackLayersMetadata | undefined => buildpacks.find(({ key }) => key === id);
