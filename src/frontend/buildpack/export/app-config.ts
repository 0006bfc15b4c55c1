import type { Digest } from '../../../blob/index.ts';
import type { History, ImageConfig } from '../../../image/index.ts';
import { buildpackError } from '../errors.ts';
import {
  apiAtLeast,
  encodeBuildMetadataLabel,
  encodeLifecycleMetadata,
  encodeProjectMetadataLabel,
  LABELS,
  type LauncherInfo,
  type ProjectMetadata,
} from '../model/index.ts';
import type { BuildMetadata, LayerPlan, LifecycleMetadata } from '../model/types.ts';
import { fittingHistory, NEVER } from './history.ts';
import { lifecycleMetadata } from './lifecycle-metadata.ts';
import { digestOfPlan } from './plan-digest.ts';
import type { Built } from './plan-layers.ts';

/** The run image that an app image is made on. */
export interface ExportRunImage {
  /** Its config; where extensions extended it, what they made of that. */
  readonly config: ImageConfig;
  /** diffIDs of its own layers, without those of extensions. */
  readonly diffIds: readonly Digest[];
  /** What it is known by without a doubt: `name@digest` of a registry, an image ID, `path@digest` of a layout. */
  readonly reference: string;
  /** Its entry of run.toml (or stack.toml): what a rebase may put in its place. */
  readonly image: string;
  readonly mirrors: readonly string[];
}

export interface AppConfigInput extends Built {
  readonly metadata: BuildMetadata;
  /** Of `planLayers`. */
  readonly plans: readonly LayerPlan[];
  readonly runImage: ExportRunImage;
  /** The layers of extensions, between those of the run image and of buildpacks. */
  readonly extensions?: readonly { readonly diffId: Digest; readonly createdBy: string }[] | undefined;
  /** The process to run by default, as the user wants it. */
  readonly processType?: string | undefined;
  /** Seconds since 1970 (SOURCE_DATE_EPOCH). */
  readonly epoch?: number | undefined;
  readonly project?: ProjectMetadata | undefined;
  readonly launcher: LauncherInfo;
  /** The execution environment that was built for. */
  readonly execEnv?: string | undefined;
}

/** `created` of what the lifecycle makes, unless SOURCE_DATE_EPOCH says another. */
export const CREATED = '1980-01-01T00:00:01Z';

/**
 * The config of an app image, whole (platform.md, exporter; lifecycle phase/exporter.go): the run image's, with the variables, entry point, working folder and labels that the launcher and later builds need, and no
 * command. `digests` has the diffID of each planned layer by its key. Throws `CNB_EXPORT_FAILED` for a process type that there is not.
 */
export function appConfig(input: AppConfigInput, digests: ReadonlyMap<string, Digest>): ImageConfig {
  const { runImage, metadata, plans, extensions = [], platformApi } = input;
  // Docker's own members speak of a container that the new image was not made by.
  const {
    container: _container,
    container_config: _containerConfig,
    docker_version: _dockerVersion,
    ...base
  } = runImage.config as ImageConfig & Readonly<Record<string, unknown>>;
  const { Cmd: _command, ...run } = base.config ?? {};
  const created = input.epoch !== undefined && apiAtLeast(platformApi, '0.9') ? rfc3339(input.epoch) : CREATED;
  const known = lifecycleMetadata(input, digests);
  const added = [...extensions.map(({ createdBy }) => createdBy), ...plans.map(({ createdBy }) => createdBy)];
  return {
    ...base,
    created,
    config: {
      ...run,
      Env: environment(input, run.Env ?? []),
      WorkingDir: input.appDir,
      Entrypoint: [entrypoint(metadata, input.processType)],
      Labels: { ...run.Labels, ...labels(input, known) },
    },
    rootfs: {
      type: 'layers',
      diff_ids: [
        ...runImage.diffIds,
        ...extensions.map(({ diffId }) => diffId),
        ...plans.map((plan) => digestOfPlan(plan, digests)),
      ],
    },
    history: apiAtLeast(platformApi, '0.12')
      ? [
          ...fittingHistory(base.history, runImage.diffIds.length),
          ...added.map((created_by): History => ({ created_by })),
        ].map((entry) => ({ ...entry, created }))
      : Array.from({ length: runImage.diffIds.length + added.length }, () => ({ created: NEVER })),
  };
}

function environment(input: AppConfigInput, env: readonly string[]): string[] {
  const out = [...env];
  const set = (name: string, value: string): void => {
    const at = out.findIndex((line) => line.split('=', 1)[0] === name);
    out.splice(at < 0 ? out.length : at, 1, `${name}=${value}`);
  };
  set('CNB_LAYERS_DIR', input.layersDir);
  set('CNB_APP_DIR', input.appDir);
  set('CNB_PLATFORM_API', input.platformApi);
  set('CNB_DEPRECATION_MODE', 'quiet');
  const path = env.find((line) => line.startsWith('PATH='))?.slice('PATH='.length) ?? '';
  // Without one the lifecycle leaves a ":" at the end, which would make the working folder a part of it.
  set('PATH', ['/cnb/process', '/cnb/lifecycle', ...(path === '' ? [] : [path])].join(':'));
  return out;
}

function entrypoint({ processes, defaultProcess }: BuildMetadata, wanted: string | undefined): string {
  if (wanted !== undefined && wanted !== '' && !processes.some(({ type }) => type === wanted))
    throw buildpackError(
      'CNB_EXPORT_FAILED',
      `set default process: tried to set ${wanted} to default but it doesn't exist`,
      {
        remedy:
          processes.length === 0
            ? 'No buildpack provides a process: leave the default process out.'
            : `Choose one of ${processes.map(({ type }) => `"${type}"`).join(', ')}.`,
      },
    );
  const type = wanted || defaultProcess;
  return type ? `/cnb/process/${type}` : '/cnb/lifecycle/launcher';
}

/** The last one of a key wins: a buildpack may replace even the lifecycle's own. */
function labels(input: AppConfigInput, known: LifecycleMetadata): Record<string, string> {
  const { platformApi, metadata, launcher, project = {}, execEnv } = input;
  const out: Record<string, string> = {
    [LABELS.lifecycleMetadata]: encodeLifecycleMetadata(known),
    [LABELS.buildMetadata]: encodeBuildMetadataLabel(metadata, { api: platformApi, launcher }),
    [LABELS.projectMetadata]: encodeProjectMetadataLabel(project),
  };
  for (const { key, value } of metadata.labels) out[key] = value;
  if (apiAtLeast(platformApi, '0.15') && execEnv) out[LABELS.execEnv] = execEnv;
  return out;
}

function rfc3339(seconds: number): string {
  return new Date(seconds * 1000).toISOString().replace(/\.\d+Z$/, 'Z');
}
