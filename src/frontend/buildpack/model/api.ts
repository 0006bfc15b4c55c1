import { buildpackError } from '../errors.ts';
import type { ApiVersion, ModuleKind } from './types.ts';

const versions = (from: number, to: number): readonly ApiVersion[] =>
  Array.from({ length: to - from + 1 }, (_, index) => `0.${from + index}`);

/** The Platform APIs that strake speaks, oldest first. */
export const PLATFORM_APIS: readonly ApiVersion[] = versions(7, 15);
/** The Buildpack APIs that strake speaks, oldest first. */
export const BUILDPACK_APIS: readonly ApiVersion[] = versions(7, 12);
export const LATEST_PLATFORM_API: ApiVersion = '0.15';
export const LATEST_BUILDPACK_API: ApiVersion = '0.12';

/** `0.12`, `v0.12` or `1` (1.0) as `<major>.<minor>`; undefined for what is not a version. */
export function parseApi(text: string): ApiVersion | undefined {
  const match = /^v?(\d+)(?:\.(\d+))?$/.exec(text);
  return match ? `${Number(match[1])}.${Number(match[2] ?? 0)}` : undefined;
}

/** Below 0, 0 or above 0, as `a` is older than `b`, the same or newer. */
export function compareApi(a: ApiVersion, b: ApiVersion): number {
  const [majorA = 0, minorA = 0] = a.split('.').map(Number);
  const [majorB = 0, minorB = 0] = b.split('.').map(Number);
  return majorA - majorB || minorA - minorB;
}

/** `api` is `least` or newer. */
export const apiAtLeast = (api: ApiVersion, least: ApiVersion): boolean => compareApi(api, least) >= 0;

/** What CNB_PLATFORM_API says, checked. Throws CNB_PLATFORM_API_UNSUPPORTED (exit code 11), also where it is not set. */
export function checkPlatformApi(text: string | undefined): ApiVersion {
  const asked = text?.trim() ?? '';
  const api = parseApi(asked);
  if (api !== undefined && PLATFORM_APIS.includes(api)) return api;
  throw buildpackError(
    'CNB_PLATFORM_API_UNSUPPORTED',
    asked === ''
      ? 'get the Platform API: CNB_PLATFORM_API is not set'
      : `use Platform API "${asked}": it is not supported`,
    { remedy: `Set CNB_PLATFORM_API to a version from ${PLATFORM_APIS[0]} to ${LATEST_PLATFORM_API}.` },
  );
}

/** Throws CNB_BUILDPACK_API_UNSUPPORTED (exit code 12) for a module with an API that strake does not speak. */
export function checkBuildpackApi(module: {
  readonly kind: ModuleKind;
  readonly id: string;
  readonly version: string;
  readonly api: string;
}): ApiVersion {
  const api = parseApi(module.api);
  if (api !== undefined && BUILDPACK_APIS.includes(api)) return api;
  throw buildpackError(
    'CNB_BUILDPACK_API_UNSUPPORTED',
    `use ${module.kind} "${module.id}@${module.version}": Buildpack API "${module.api}" is not supported`,
    { remedy: `Use a version of it with an API from ${BUILDPACK_APIS[0]} to ${LATEST_BUILDPACK_API}.` },
  );
}
