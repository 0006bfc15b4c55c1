import type { Wait } from '../../../base/index.ts';
import type { Platform } from '../../../blob/index.ts';
import type { State } from '../../../graph/index.ts';
import { formatPlatform } from '../../../image/index.ts';
import type { Companion, Frontend, FrontendHost, FrontendRequest, PlannedImage } from '../../index.ts';
import { baseVariables, type EnvironmentBase } from '../environment/index.ts';
import { buildpackError } from '../errors.ts';
import {
  encodeGroup,
  encodePlan,
  LABELS,
  moduleKey,
  parseCacheMetadata,
  parseLifecycleMetadata,
} from '../model/index.ts';
import { appTree } from './app.ts';
import { buildGroup } from './build-group.ts';
import { openBuilder } from './open-builder.ts';
import { detectApp } from './detect-app.ts';
import { extendBuilder, extendRunImage } from './extend.ts';
import { generateDockerfiles } from './generate.ts';
import { exportApp, exportCache, type Finished } from './export-app.ts';
import { readOptions, type BuildpackOptions } from './options.ts';
import { environmentFor } from './environment.ts';
import { appFiles, readProject, withProject } from './project.ts';
import { earlierImage } from './previous.ts';
import { openRunImage, type RunBase } from './run-image.ts';
import type { StepSetting } from './steps.ts';

/**
 * An application's source by buildpacks (platform.md, Lifecycle Interface): analyze, detect, restore, build, export. Each `bin/detect` and `bin/build` is a step that is solved before the plan goes on, for what the next
 * one finds depends on what it left. Throws `CNB_*` errors, and those of steps and images.
 */
export const buildpackFrontend: Frontend = async (request, host, w = {}) => {
  if (readOptions(request).question === 'detect')
    return { results: new Map(), metadata: await askDetect(request, host, w) };
  const results = new Map<string, PlannedImage>();
  const companions: Companion[] = [];
  for (const platform of request.platforms) {
    const made = await buildFor(platform, { request, host, several: request.platforms.length > 1, ...w });
    results.set(formatPlatform(platform), made.image);
    if (made.cache) companions.push(made.cache);
  }
  return { results, metadata: new Map(), companions };
};

interface Asked extends Wait {
  readonly request: FrontendRequest;
  readonly host: FrontendHost;
  /** It is one of several platforms. */
  readonly several: boolean;
}

interface Opened {
  readonly options: BuildpackOptions;
  readonly original: RunBase;
  readonly app: State;
  readonly setting: StepSetting & { readonly environment: EnvironmentBase };
}

/** All that a detection needs, and what is known with it. */
async function open(platform: Platform, o: Asked): Promise<Opened> {
  const { host, request } = o;
  const w = { signal: o.signal };
  const asked = readOptions(request);
  // A cache is for one platform.
  const suffix = o.several ? `-${formatPlatform(platform).replaceAll('/', '-')}` : '';
  const project = await readProject(host, asked, w);
  const wanted = await withProject(host, project, { options: asked, ...w });
  const options = { ...wanted, cache: wanted.cache && { ...wanted.cache, name: `${wanted.cache.name}${suffix}` } };
  const builder = await openBuilder(host, { options, platform, ...w });
  const original = await openRunImage(host, builder, { options, platform, ...w });
  const environment = await environmentFor(builder, { options, run: original, ...w });
  const setting = { builder, options, platform, platformTree: environment.tree, environment: environment.base };
  const app = appTree(builder, { folder: options.appDir, files: await appFiles(host, project, w) });
  return { options, original, setting, app };
}

/** `buildpack.detect`: what detection comes to, as `result.json`, and as the lifecycle's files `group.toml` and `plan.toml`. */
async function askDetect(request: FrontendRequest, host: FrontendHost, w: Wait): Promise<Map<string, Uint8Array>> {
  const [platform, ...more] = request.platforms;
  if (platform === undefined || more.length > 0)
    throw buildpackError('CNB_OPTION_INVALID', 'detect: for several platforms at once', {
      remedy: 'Ask for one platform.',
    });
  const { setting, app, original } = await open(platform, { request, host, several: false, ...w });
  const { group, extensions, plan } = await detectApp(host, { ...setting, app, ...w });
  const named = (elements: typeof group): typeof group =>
    elements.map((element) => {
      const module = setting.builder.modules.get(moduleKey(element));
      return module?.name === undefined ? element : { ...element, name: module.name };
    });
  const result = { group: named(group), extensions: named(extensions), plan, runImage: original.image };
  const files = {
    'result.json': JSON.stringify(result),
    'group.toml': encodeGroup({ group, extensions }),
    'plan.toml': encodePlan(plan),
  };
  return new Map(Object.entries(files).map(([name, text]) => [name, Buffer.from(text)]));
}

async function buildFor(
  platform: Platform,
  o: Asked,
): Promise<{ readonly image: PlannedImage; readonly cache: Companion | undefined }> {
  const { host, request } = o;
  const w = { signal: o.signal };
  const { options, original, setting, app } = await open(platform, o);
  const { builder, environment } = setting;
  const pull = options.publish ? 'always' : 'never';
  const [before, cache] = await Promise.all([
    earlierImage(host, options.previousImage ?? options.image, { pull, platform, ...w }),
    options.clearCache
      ? undefined
      : earlierImage(host, options.cache?.name, {
          pull: options.cache?.to === 'registry' ? 'always' : 'never',
          platform,
          ...w,
        }),
  ]);
  const known = before && parseLifecycleMetadata(before.labels[LABELS.lifecycleMetadata] ?? '');
  const previous = before && known && { image: before, metadata: known };
  const kept = cache && { image: cache, metadata: parseCacheMetadata(cache.labels[LABELS.cacheMetadata] ?? '') };
  const found = await detectApp(host, { ...setting, app, ...w });
  warnOfSecrets(host, options, [...found.group, ...found.extensions]);
  const generated = await generateDockerfiles(host, found, { ...setting, app, ...w });
  const extending = { options, platform, app, ...w };
  const [extended, run] = await Promise.all([
    extendBuilder(host, builder, { ...extending, extensions: generated.build }),
    extendRunImage(host, original, { ...extending, builder, extensions: generated.run }),
  ]);
  const finished = await buildGroup(host, {
    ...setting,
    builder: extended,
    environment: { ...environment, variables: baseVariables(extended.env) },
    app,
    detected: { ...found, plan: generated.plan },
    previous: previous?.metadata,
    cache: kept,
    ...w,
  });
  const done: Finished = {
    ...finished,
    run,
    options,
    platform,
    epoch: request.epoch,
    launcher: LAUNCHER_INFO,
    previous,
    previousCache: kept?.metadata,
  };
  const image = await exportApp(host, { ...done, ...w });
  return { image, cache: await exportCache(host, { ...done, ...w }) };
}

/** A secret for a buildpack that does not take part reaches nobody: most likely its id is misspelt. */
function warnOfSecrets(
  host: FrontendHost,
  { secrets }: BuildpackOptions,
  group: readonly { readonly id: string }[],
): void {
  for (const { id, buildpack } of secrets)
    if (buildpack !== undefined && !group.some((element) => element.id === buildpack))
      host.warn({
        code: 'SECRET_UNUSED',
        message: `secret "${id}" is for buildpack "${buildpack}", which does not build this application`,
        detail: `These do: ${group.map((element) => element.id).join(', ')}.`,
      });
}

const LAUNCHER_INFO = { version: '', repository: '', commit: '' };
