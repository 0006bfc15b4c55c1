import { goJson, type GoValue } from '../../../image/index.ts';
import { BUILDPACK_APIS, PLATFORM_APIS } from './api.ts';
import { objectOf, textsOf } from './loose.ts';
import type { ApiVersion } from './types.ts';

interface ApiRange {
  readonly deprecated: readonly ApiVersion[];
  readonly supported: readonly ApiVersion[];
}

/** The APIs that a lifecycle speaks: the label `io.buildpacks.lifecycle.apis`, `[apis]` of lifecycle.toml, and `lifecycle.apis` of a builder. */
export interface LifecycleApis {
  readonly buildpack: ApiRange;
  readonly platform: ApiRange;
}

/** Those of strake. */
export const STRAKE_APIS: LifecycleApis = {
  buildpack: { deprecated: [], supported: BUILDPACK_APIS },
  platform: { deprecated: [], supported: PLATFORM_APIS },
};

export const encodeLifecycleApis = (apis: LifecycleApis): string => goJson(lifecycleApisJson(apis));

export function lifecycleApisJson({ buildpack, platform }: LifecycleApis): GoValue {
  const range = ({ deprecated, supported }: ApiRange): GoValue =>
    new Map<string, GoValue>([
      ['deprecated', deprecated],
      ['supported', supported],
    ]);
  return new Map<string, GoValue>([
    ['buildpack', range(buildpack)],
    ['platform', range(platform)],
  ]);
}

/** Out of parsed JSON or TOML; undefined where it says none. */
export function lifecycleApisOf(value: unknown): LifecycleApis | undefined {
  const apis = objectOf(value);
  if (apis === undefined) return undefined;
  const range = (key: string): ApiRange => ({
    deprecated: textsOf(objectOf(apis[key])?.['deprecated']),
    supported: textsOf(objectOf(apis[key])?.['supported']),
  });
  return { buildpack: range('buildpack'), platform: range('platform') };
}
