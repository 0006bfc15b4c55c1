import type { Wait } from '../../../base/index.ts';
import type { Digest, Platform } from '../../../blob/index.ts';
import { scratch, State } from '../../../graph/index.ts';
import type { Companion, FrontendHost, PlannedImage, PlannedLayer } from '../../index.ts';
import { appConfig } from '../export/app-config.ts';
import { cacheConfig, cacheMetadata, EMPTY_CACHE_LAYER, planCacheLayers } from '../export/cache-layers.ts';
import { cacheLog, exportLog } from '../export/export-log.ts';
import { planLayers, type Built } from '../export/plan-layers.ts';
import { LATEST_PLATFORM_API, type LauncherInfo, type ProjectMetadata } from '../model/index.ts';
import type { BuildMetadata, CacheMetadata, Files, LayerPlan, LifecycleMetadata } from '../model/types.ts';
import { layerState, type LayerTrees } from './layer-states.ts';
import type { BuildpackOptions } from './options.ts';
import type { EarlierImage } from './previous.ts';
import { filesOf } from './ref-files.ts';
import type { RunBase } from './run-image.ts';

export const PLATFORM_API = LATEST_PLATFORM_API;

/** What is known when all buildpacks have built. */
export interface Finished {
  readonly built: Built;
  readonly metadata: BuildMetadata;
  readonly trees: LayerTrees;
  readonly run: RunBase;
  readonly options: BuildpackOptions;
  readonly platform: Platform;
  readonly epoch?: number | undefined;
  readonly project?: ProjectMetadata | undefined;
  readonly launcher: LauncherInfo;
  readonly previous?: { readonly image: EarlierImage; readonly metadata: LifecycleMetadata } | undefined;
  readonly previousCache?: CacheMetadata | undefined;
}

/** The app image: its layers solved, since its labels name their digests, and its config (platform.md, exporter). */
export async function exportApp(host: FrontendHost, o: Finished & Wait): Promise<PlannedImage> {
  const { built, metadata, run, options, previous } = o;
  return host.task('[export] put the image together', async (say) => {
    const files = await builtFiles(host, o);
    const plans = await planLayers({ ...built, metadata, previous: previous?.metadata }, { files, signal: o.signal });
    const solved = await Promise.all(plans.map((plan) => layerOf(host, plan, o)));
    const digests = new Map(solved.map(({ key, diffId }) => [key, diffId]));
    const said = { plans, metadata, processType: options.defaultProcess, platformApi: PLATFORM_API };
    for (const line of exportLog({ ...said, previous: previous?.metadata }, digests)) say(line);
    const config = appConfig(
      {
        ...built,
        ...said,
        runImage: run,
        extensions: run.extensions,
        epoch: o.epoch,
        project: o.project,
        launcher: o.launcher,
        execEnv: options.execEnv,
      },
      digests,
    );
    const states = solved.map(({ state }) => state);
    return {
      platform: o.platform,
      layers: [...run.layers, ...states.map(besides)],
      root: State.merge([run.state, ...states], { name: '[export] the image', internal: true }),
      config,
      baseHistory: config.history?.length ?? 0,
      attestations: [],
    };
  });
}

/** What is kept for the next build (platform.md, cache), as an image without a base. */
export async function exportCache(host: FrontendHost, o: Finished & Wait): Promise<Companion | undefined> {
  const { cache } = o.options;
  if (!cache) return undefined;
  return host.task('[export] keep the cache', async (say) => {
    const files = await builtFiles(host, o);
    const { layers, warnings } = await planCacheLayers(o.built, { files, signal: o.signal });
    for (const warning of warnings) say(warning);
    const plans = layers.length > 0 ? layers : [EMPTY_CACHE_LAYER];
    const solved = await Promise.all(plans.map((plan) => layerOf(host, plan, { ...o, previous: undefined })));
    const digests = new Map(solved.map(({ key, diffId }) => [key, diffId]));
    for (const line of cacheLog(layers, { digests, previous: o.previousCache })) say(line);
    const metadata = cacheMetadata(o.built, { layers, digests });
    const config = cacheConfig(metadata, { platform: o.platform, diffIds: solved.map(({ diffId }) => diffId) });
    const states = solved.map(({ state }) => state);
    const image: PlannedImage = {
      platform: o.platform,
      layers: states.map(besides),
      root: State.merge(states, { name: '[export] the cache', internal: true }),
      config,
      baseHistory: config.history?.length ?? 0,
      attestations: [],
    };
    return { image, ...cache };
  });
}

/** A layer that stands beside the others, on nothing. */
function besides(after: State): PlannedLayer {
  return { kind: 'step', before: scratch, after, dialect: 'lifecycle' };
}

async function layerOf(
  host: FrontendHost,
  plan: LayerPlan,
  { trees, previous, options, signal }: Pick<Finished, 'trees' | 'previous' | 'options'> & Wait,
): Promise<{ readonly key: string; readonly state: State; readonly diffId: Digest }> {
  const { key, reuse } = plan;
  if (reuse !== undefined && previous) return { key, state: previous.image.layer(reuse), diffId: reuse };
  const state = layerState(plan, trees);
  const [diffId, ...more] = await host.diffIds(await host.solve(state, { signal }), { signal });
  if (diffId === undefined || more.length > 0) throw new TypeError(`export layer "${key}": it is not one layer`);
  // The registry has it compressed already, in whichever way.
  const known = options.publish && previous?.image.config.rootfs.diff_ids.includes(diffId) ? previous : undefined;
  return { key, state: known?.image.layer(diffId) ?? state, diffId };
}

/** App and layers as one tree. */
async function builtFiles(host: FrontendHost, { trees, signal }: Pick<Finished, 'trees'> & Wait): Promise<Files> {
  const [app, layers] = await Promise.all([
    filesOf(host, trees.app, { signal }),
    filesOf(host, trees.layers, { signal }),
  ]);
  const of = (path: string): Files => (path === trees.appDir || path.startsWith(`${trees.appDir}/`) ? app : layers);
  return {
    read: (path, w) => of(path).read(path, w),
    list: (path, w) => of(path).list(path, w),
    stat: (path, w) => of(path).stat(path, w),
  };
}
