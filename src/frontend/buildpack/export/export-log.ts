import type { Digest } from '../../../blob/index.ts';
import { apiAtLeast, LABELS } from '../model/index.ts';
import type { CacheMetadata, LayerPlan, LifecycleMetadata } from '../model/types.ts';
import type { AppConfigInput } from './app-config.ts';
import { digestOfPlan } from './plan-digest.ts';

/** What the exporter says while it makes an app image, line by line, in the lifecycle's words. */
export function exportLog(
  input: Pick<AppConfigInput, 'plans' | 'metadata' | 'processType' | 'platformApi' | 'execEnv'> & {
    readonly previous?: LifecycleMetadata | undefined;
  },
  digests: ReadonlyMap<string, Digest>,
): string[] {
  const { plans, previous, metadata } = input;
  const lines: string[] = [];
  const app = plans.filter(isApp);
  const before = new Set(previous?.app.map(({ sha }) => sha));
  const reused = app.filter((plan) => before.has(digestOfPlan(plan, digests))).length;
  const appLines = [
    ...(reused > 0 ? [`Reused ${reused}/${app.length} app layer(s)`] : []),
    ...(reused < app.length ? [`Added ${app.length - reused}/${app.length} app layer(s)`] : []),
  ];
  for (const plan of plans) {
    if (isApp(plan)) {
      lines.push(...appLines.splice(0));
      continue;
    }
    const same = plan.reuse !== undefined || digestOfPlan(plan, digests) === previousSha(plan.key, previous);
    lines.push(`${same ? 'Reusing' : 'Adding'} layer '${NAMES[plan.key] ?? plan.key}'`);
  }
  const labels = [
    LABELS.lifecycleMetadata,
    LABELS.buildMetadata,
    LABELS.projectMetadata,
    ...metadata.labels.map(({ key }) => key),
    ...(apiAtLeast(input.platformApi, '0.15') && input.execEnv ? [LABELS.execEnv] : []),
  ];
  lines.push(...labels.map((label) => `Adding label '${label}'`));
  const type = input.processType || metadata.defaultProcess;
  lines.push(type ? `Setting default process type '${type}'` : 'no default process type');
  return lines;
}

/** What the exporter says while it writes a cache. */
export function cacheLog(
  layers: readonly LayerPlan[],
  o: { digests: ReadonlyMap<string, Digest>; previous?: CacheMetadata | undefined },
): string[] {
  return layers.map((plan) => {
    const same = digestOfPlan(plan, o.digests) === previousCacheSha(plan.key, o.previous);
    const name = plan.key === 'sbom' ? 'buildpacksio/lifecycle:cache.sbom' : plan.key;
    return `${same ? 'Reusing' : 'Adding'} cache layer '${name}'`;
  });
}

const NAMES: Readonly<Record<string, string>> = {
  sbom: 'buildpacksio/lifecycle:launch.sbom',
  launcher: 'buildpacksio/lifecycle:launcher',
  config: 'buildpacksio/lifecycle:config',
  'process-types': 'buildpacksio/lifecycle:process-types',
};

function isApp({ key }: LayerPlan): boolean {
  return /^app:\d+$/.test(key);
}

function previousSha(key: string, previous: LifecycleMetadata | undefined): string | undefined {
  if (key === 'sbom') return previous?.sbom?.sha;
  if (key === 'launcher') return previous?.launcher.sha;
  if (key === 'config') return previous?.config.sha;
  if (key === 'process-types') return previous?.processTypes.sha;
  return previousCacheSha(key, previous);
}

function previousCacheSha(
  key: string,
  previous: Pick<CacheMetadata, 'buildpacks' | 'sbom'> | undefined,
): string | undefined {
  if (key === 'sbom') return previous?.sbom?.sha;
  const colon = key.indexOf(':');
  return previous?.buildpacks.find((one) => one.key === key.slice(0, colon))?.layers[key.slice(colon + 1)]?.sha;
}
